using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Pipeline;

/// <summary>Says in an event where its request came from, by commitments to values that can be erased.</summary>
internal sealed class Attribution(GateConfiguration configuration, ErasableValues values)
{
    private const int NetworkBytes = 8;
    private static readonly object s_ofConnection = new();

    private readonly RequestSource _source = new(configuration);

    public AuditEvent Of(HttpContext context, AuditEvent auditEvent) => auditEvent switch
    {
        AgentEvent by => by with { Source = Source(context), UserAgent = UserAgent(context) },
        RequestEvent { Source: null } by when Source(context) is { } source => by with { Source = source },
        _ => auditEvent,
    };

    /// <summary>
    /// The commitment to the source's address, made once for a connection where that is its peer. Null where it is not known. HTTP/1.1
    /// has one request at a time on a connection, and without TLS there is no other version.
    /// </summary>
    public string? Source(HttpContext context)
    {
        var items = !_source.IsPeer ? null : context.Features.Get<IConnectionItemsFeature>()?.Items;
        if (items is not null && items.TryGetValue(s_ofConnection, out var known) && known is KnownValue { Commitment: var commitment } source && values.IsCurrent(source))
            return commitment;
        if (_source.Of(context) is not { } address || values.Find(ValueKind.Address, Text(address)) is not { } found)
            return null;
        if (items is not null)
            items[s_ofConnection] = found;
        return found.Commitment;
    }

    /// <summary>An address as it is stored: of IPv6 the network, as a household or a machine has one and changes the rest at will.</summary>
    public static string Text(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || IPAddress.IsLoopback(address))
            return address.ToString();
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[NetworkBytes..].Clear();
        return new IPAddress(bytes) + "/64";
    }

    private string? UserAgent(HttpContext context)
    {
        var text = context.Request.Headers.UserAgent.ToString();
        return text.Length == 0 ? null : values.Commit(ValueKind.UserAgent, Recording.Cut(text));
    }
}

internal static class Attributions
{
    /// <summary>The event, with where this request came from.</summary>
    public static T Attributed<T>(this HttpContext context, T auditEvent) where T : AuditEvent =>
        (T)context.RequestServices.GetRequiredService<Attribution>().Of(context, auditEvent);
}
