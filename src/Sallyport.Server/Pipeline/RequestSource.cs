using System.Net;
using Microsoft.AspNetCore.Http;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Pipeline;

/// <summary>
/// Where a request came from: what a trusted proxy says, or else the connection's peer where clients reach the gate itself. Otherwise
/// the peer may be anybody's proxy, and the source is unknown.
/// </summary>
internal sealed class RequestSource(GateConfiguration configuration)
{
    private const string ForwardedFor = "X-Forwarded-For";

    private readonly bool _peersAreClients = configuration.IsReachedDirectly;

    /// <summary>Whether all requests of a connection come from its peer.</summary>
    public bool IsPeer { get; } = configuration.IsReachedDirectly && configuration.Behind.Count == 0;

    public IPAddress? Of(HttpContext context)
    {
        if (context.Connection.RemoteIpAddress is not { } peer)
            return null;
        if (!IsTrusted(peer))
            return _peersAreClients ? peer : null;
        // Each proxy appends whom it heard from: what stands before the last one that is not ours, anybody may have written.
        var forwarded = string.Join(',', context.Request.Headers[ForwardedFor].ToArray()).Split(',', StringSplitOptions.TrimEntries);
        for (var i = forwarded.Length - 1; i >= 0 && forwarded[i].Length > 0; i--)
        {
            if (!TryReadAddress(forwarded[i], out var address))
                return null;
            if (!IsTrusted(address))
                return address;
        }
        return _peersAreClients ? peer : null;
    }

    private bool IsTrusted(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return configuration.Behind.Any(network => network.Contains(address));
    }

    /// <summary>An address, with or without a port: <c>192.0.2.1:4711</c>, <c>[2001:db8::1]:4711</c>.</summary>
    private static bool TryReadAddress(string text, out IPAddress address)
    {
        var read = IPEndPoint.TryParse(text, out var endPoint);
        address = read ? endPoint!.Address : IPAddress.None;
        return read;
    }
}
