using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>The gate's own JSON-RPC errors, for clients whose token was good.</summary>
internal static class JsonRpcError
{
    private const int InvalidRequest = -32600;
    private const int ServerError = -32000;
    private const int HeaderMismatch = -32020;
    private const int UnsupportedProtocolVersion = -32022;

    public static async Task WriteAsync(HttpContext context, Reason reason, McpMessage? message)
    {
        var error = OAuthError.For(reason);
        context.Response.StatusCode = error.Status;
        context.Response.ContentType = "application/json";
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter);
        writer.WriteStartObject();
        writer.WriteString("jsonrpc", "2.0");
        writer.WritePropertyName("id");
        writer.WriteRawValue(message?.IdJson ?? "null");
        writer.WriteStartObject("error");
        writer.WriteNumber("code", CodeFor(reason));
        writer.WriteString("message", error.Description);
        if (reason == Reason.RevisionUnsupported)
        {
            writer.WriteStartObject("data");
            writer.WriteStartArray("supported");
            foreach (var revision in BuiltInServer.Revisions)
                writer.WriteStringValue(revision);
            writer.WriteEndArray();
            writer.WriteString("requested", context.Request.Headers["MCP-Protocol-Version"].ToString());
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static int CodeFor(Reason reason) => reason switch
    {
        Reason.RevisionUnsupported => UnsupportedProtocolVersion,
        Reason.MessageHeaderMismatch => HeaderMismatch,
        Reason.MessageMalformed or Reason.MessageBatch or Reason.MessageIdInUse or Reason.SessionMissing => InvalidRequest,
        _ => ServerError,
    };
}
