using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Admin;

/// <summary>
/// A listener for those who look after the gate. It marks its connections: which door a request came by is known from that alone, and not
/// from its peer, its port or anything that it says.
/// </summary>
internal sealed class AdminListener
{
    private readonly HashSet<string> _hosts;

    private AdminListener(Uri url)
    {
        string[] names = url.Host == "localhost" ? ["localhost", "127.0.0.1", "[::1]"] : ["localhost", url.Host];
        _hosts = [.. names.Select(name => Authority.Normal(string.Create(CultureInfo.InvariantCulture, $"{name}:{url.Port}"), url.Scheme)!)];
    }

    public static void Listen(KestrelServerOptions kestrel, Uri url)
    {
        var listener = new AdminListener(url);
        if (url.Host == "localhost")
            kestrel.ListenLocalhost(url.Port, Mark);
        else
            kestrel.Listen(IPAddress.Parse(url.Host.Trim('[', ']')), url.Port, Mark);

        void Mark(ListenOptions options) => options.Use(next => connection =>
        {
            connection.Features.Set(listener);
            return next(connection);
        });
    }

    /// <summary>The one that a request came by; null for the gate's own listeners.</summary>
    public static AdminListener? Of(HttpContext context) => context.Features.Get<AdminListener>();

    /// <summary>Whether a request asks for this listener by its address or as localhost. A page that rebinds its own name to this machine does not.</summary>
    public bool Admits(HostString host) => Authority.Normal(host.Value ?? "", Uri.UriSchemeHttp) is { } normal && _hosts.Contains(normal);
}
