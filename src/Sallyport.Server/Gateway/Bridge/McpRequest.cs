using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>One message of a body: what was judged of it, and its bytes.</summary>
internal readonly record struct McpPart(McpMessage Message, ReadOnlyMemory<byte> Bytes);

/// <summary>A posted message, or several in a batch: the bytes as they came, and what the gate judged of them.</summary>
internal sealed class McpRequest
{
    private McpRequest(byte[] body, IReadOnlyList<McpPart> parts, bool isBatch)
    {
        (Body, Parts, IsBatch) = (body, parts, isBatch);
        Requests = isBatch ? [.. parts.Select(part => part.Message).Where(message => message.Kind == McpMessageKind.Request)]
            : parts[0].Message.Kind == McpMessageKind.Request ? [parts[0].Message]
            : [];
    }

    public byte[] Body { get; }

    public IReadOnlyList<McpPart> Parts { get; }

    /// <summary>Those that are answered.</summary>
    public IReadOnlyList<McpMessage> Requests { get; }

    public bool IsBatch { get; }

    /// <summary>The message, where it is one; of a batch, the first.</summary>
    public McpMessage Message => Parts[0].Message;

    public bool Opens => !IsBatch && Message is { Kind: McpMessageKind.Request, Method: "initialize" };

    /// <summary>The revision that this request is said to be of, in its header or else in the body; null where neither says.</summary>
    public string? Revision { get; private init; }

    /// <summary>Whether it stands for itself, without a session: of 2026-07-28 or later.</summary>
    public bool IsStateless => !Opens && Revision is { } revision && !Protocol.Revision.HasSessions(revision);

    /// <summary>Where anybody looks, its messages are measured from here on.</summary>
    public void Measure(HttpContext context)
    {
        if (MeasuredRequest.Of(context) is not { } measured)
            return;
        var upstream = context.GetEndpoint()!.Metadata.GetRequiredMetadata<UpstreamSetting>();
        foreach (var (message, bytes) in Parts)
            measured.Begin(upstream, message.Method, message.Name is { } name ? Recording.Cut(name) : null, Revision, bytes.Span);
    }

    /// <summary>Reads the body whole and scans it; the same bytes will go upstream.</summary>
    public static async Task<(McpRequest? Request, Reason? Fault)> ReadAsync(HttpContext context)
    {
        if (RequestBody.TypeOf(context.Request, "application/json") is null)
            return (null, Reason.ContentTypeUnsupported);
        if (await RequestBody.ReadAsync(context, Limits.MessageBytes) is not { } body)
            return (null, Reason.BodyTooLarge);
        var headers = context.Request.Headers;
        var revisions = headers[McpHeader.Revision];
        if (revisions.Count > 1)
            return (null, Reason.MessageHeaderMismatch);
        var revision = revisions.Count == 1 && revisions[0] is { Length: > 0 } said ? said : null;
        switch (McpMessage.Scan(body, out var message))
        {
            case McpScan.Malformed:
                return (null, Reason.MessageMalformed);
            case McpScan.Batch:
                if (McpHeaders.ContradictBatch(headers))
                    return (null, Reason.MessageHeaderMismatch);
                var parts = Split(body);
                return parts is null ? (null, Reason.MessageBatch) : (new(body, parts, isBatch: true) { Revision = revision }, null);
            default:
                return McpHeaders.Contradict(headers, message, body)
                    ? (null, Reason.MessageHeaderMismatch)
                    : (new(body, [new(message, body)], isBatch: false) { Revision = revision ?? message.Revision }, null);
        }
    }

    /// <summary>The messages of a batch; null when it is none that every reader reads alike, or has more or others than it may.</summary>
    public static List<McpPart>? Split(byte[] body)
    {
        var parts = new List<McpPart>();
        var ids = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = Limits.MessageDepth + 1 });
            reader.Read();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                var bytes = body.AsMemory(start, (int)reader.BytesConsumed - start);
                if (parts.Count == Limits.BatchMessages
                    || McpMessage.Scan(bytes.Span, out var message) != McpScan.Message
                    || message.Method == "initialize"
                    || (message.Kind == McpMessageKind.Request && !ids.Add(message.IdKey!)))
                    return null;
                parts.Add(new(message, bytes));
            }
            return parts.Count > 0 && !reader.Read() ? parts : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
