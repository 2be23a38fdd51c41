using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Http;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Guard;

/// <summary>
/// The names that the gate answers to: the public URL's, a listener's literal address, configured ones. A page that rebinds its own
/// name to this machine is none of them.
/// </summary>
internal sealed class AdmittedHosts
{
    private static readonly string[] s_loopbackNames = ["localhost", "127.0.0.1", "[::1]"];

    /// <summary>As clients write them, once they were found to be admitted: they send the same few again and again.</summary>
    private const int MostKnown = 64;
    private readonly ConcurrentDictionary<string, bool> _known = new(StringComparer.Ordinal);
    private readonly HashSet<string> _hosts = new(StringComparer.Ordinal);
    private readonly string _scheme;

    public AdmittedHosts(GateConfiguration configuration)
    {
        var publicUrl = new Uri(configuration.PublicUrl);
        _scheme = publicUrl.Scheme;
        Add(publicUrl.Authority, publicUrl.Scheme);
        foreach (var url in configuration.Urls.Append(publicUrl))
        {
            if (Authority.IsLoopbackName(url.Host))
            {
                // On a loopback listener the three names are one.
                foreach (var name in s_loopbackNames)
                    Add($"{name}:{url.Port}", url.Scheme);
            }
            else if (IPAddress.TryParse(url.Host.Trim('[', ']'), out _))
            {
                Add(url.Authority, url.Scheme);
            }
        }
        foreach (var host in configuration.Hosts)
            Add(host, publicUrl.Scheme);
    }

    public bool Admit(HttpContext context)
    {
        var host = context.Request.Host.Value ?? "";
        if (_known.ContainsKey(host))
            return true;
        if (Authority.Normal(host, _scheme) is not { } normal)
            return false;
        if (!_hosts.Contains(normal))
            return IsListenersAddress(context, normal);
        if (_known.Count < MostKnown)
            _known.TryAdd(host, true);
        return true;
    }

    /// <summary>A listener on all interfaces has no address in its URL; the connection knows which one was dialled.</summary>
    private static bool IsListenersAddress(HttpContext context, string host) =>
        IPEndPoint.TryParse(host, out var dialled)
        && dialled.Port == context.Connection.LocalPort
        && context.Connection.LocalIpAddress is { } local
        && (dialled.Address.Equals(local) || (local.IsIPv4MappedToIPv6 && dialled.Address.Equals(local.MapToIPv4())));

    private void Add(string authority, string scheme)
    {
        if (Authority.Normal(authority, scheme) is { } normal)
            _hosts.Add(normal);
    }
}
