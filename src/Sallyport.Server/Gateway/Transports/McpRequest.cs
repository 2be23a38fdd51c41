using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>A posted message: its bytes as they came, and what the gate judged of them.</summary>
internal sealed record McpRequest(byte[] Body, McpMessage Message)
{
    /// <summary>Reads the body whole and scans it; the same bytes will go upstream.</summary>
    public static async Task<(McpRequest? Request, Reason? Fault)> ReadAsync(HttpContext context)
    {
        if (!context.Request.HasJsonContentType() || context.Request.Headers.ContentEncoding.Count > 0)
            return (null, Reason.ContentTypeUnsupported);
        if (await RequestBody.ReadAsync(context, Limits.MessageBytes) is not { } body)
            return (null, Reason.BodyTooLarge);
        switch (McpMessage.Scan(body, out var message))
        {
            case McpScan.Batch:
                return (null, Reason.MessageBatch);
            case McpScan.Malformed:
                return (null, Reason.MessageMalformed);
            default:
                break;
        }
        return Contradicts(context.Request.Headers, message) ? (null, Reason.MessageHeaderMismatch) : (new(body, message), null);
    }

    /// <summary>Headers that name what the body names (SEP-2243) are for routers and policies on the way: they may not say otherwise.</summary>
    private static bool Contradicts(IHeaderDictionary headers, McpMessage message)
    {
        var method = headers["Mcp-Method"];
        return method.Count > 1 || (method.Count == 1 && method[0] != message.Method);
    }
}
