using Sallyport.Proof.Events;

namespace Sallyport.Server.Gateway.Bridge;

internal enum McpMessageKind
{
    Request,
    Notification,
    /// <summary>The answer to a request of the other side.</summary>
    Response,
}

/// <summary>What a scan came to.</summary>
internal enum McpScan
{
    Message,
    Batch,
    Malformed,
}

/// <summary>What the gate has to know of a JSON-RPC message. Everything else in its bytes stays as it is.</summary>
/// <param name="IdKey">The id, told apart by kind: a string <c>"1"</c> is not the number <c>1</c>.</param>
/// <param name="IdJson">The id as it stands in the message.</param>
/// <param name="Name">What the method names: a tool or prompt (<c>params.name</c>) or a resource (<c>params.uri</c>).</param>
/// <param name="CancelledIdKey">The request that a <c>notifications/cancelled</c> takes back (<c>params.requestId</c>).</param>
/// <param name="Revision">What the message says of its revision: <c>params.protocolVersion</c> of <c>initialize</c>, else what <c>_meta</c> says.</param>
internal sealed record McpMessage(
    McpMessageKind Kind, string? Method, string? Name, string? IdKey, string? IdJson, string? CancelledIdKey, string? Revision)
{
    /// <summary>The request whose answer is a stream of what its client subscribed to (2026-07-28).</summary>
    public const string Listen = AccessAllowed.Listen;

    /// <summary>The code of an answer that is an error.</summary>
    public int? ErrorCode { get; init; }

    /// <summary>It is an answer that asks its client for something (2026-07-28, <c>result.inputRequests</c>).</summary>
    public bool AsksForInput { get; init; }

    /// <summary>Where in its bytes the ids stand that are one conversation's own.</summary>
    public McpPlaces Places { get; init; }

    /// <summary>
    /// Scans one message. Refused is what two readers could read differently: a judged member twice or in another spelling, bytes
    /// after the message, invalid UTF-8, a byte-order mark.
    /// </summary>
    public static McpScan Scan(ReadOnlySpan<byte> bytes, out McpMessage message) => McpScanner.Scan(bytes, out message);
}
