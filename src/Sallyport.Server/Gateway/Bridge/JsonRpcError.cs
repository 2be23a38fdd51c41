using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Protocol;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>The gate's own JSON-RPC errors, for clients whose token was good.</summary>
internal static class JsonRpcError
{
    public const int MethodNotFound = -32601;

    private const int InvalidRequest = -32600;
    private const string RetryAfterSeconds = "5";
    private const int ServerError = -32000;
    private const int HeaderMismatch = -32020;
    private const int UnsupportedProtocolVersion = -32022;

    /// <param name="supported">With <see cref="Reason.RevisionUnsupported"/>, the revisions that there are.</param>
    /// <exception cref="TokenEndedException">The token has ended: the guard says what the client has to do.</exception>
    public static async Task WriteAsync(HttpContext context, Reason reason, McpMessage? message, IReadOnlyList<string>? supported = null, int? status = null)
    {
        MeasuredRequest.Of(context)?.Failed(reason);
        if (reason is Reason.TokenExpired or Reason.TokenRevoked)
            throw new TokenEndedException(reason);
        var error = Bytes(reason, message, supported, context.Request.Headers[McpHeader.Revision].ToString());
        context.Response.StatusCode = status ?? OAuthError.For(reason).Status;
        if (context.Response.StatusCode == StatusCodes.Status503ServiceUnavailable)
            context.Response.Headers.RetryAfter = RetryAfterSeconds;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = error.Length;
        await context.Response.BodyWriter.WriteAsync(error);
    }

    /// <summary>The answer to a request that gets no other.</summary>
    public static byte[] Bytes(Reason reason, McpMessage? message, IReadOnlyList<string>? supported = null, string requested = "")
    {
        var bytes = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(bytes);
        writer.WriteStartObject();
        writer.WriteString("jsonrpc", "2.0");
        writer.WritePropertyName("id");
        writer.WriteRawValue(message?.Kind == McpMessageKind.Request ? message.IdJson! : "null");
        writer.WriteStartObject("error");
        writer.WriteNumber("code", CodeFor(reason));
        writer.WriteString("message", OAuthError.For(reason).Description);
        if (reason == Reason.RevisionUnsupported)
        {
            writer.WriteStartObject("data");
            writer.WriteStartArray("supported");
            foreach (var revision in supported ?? [])
                writer.WriteStringValue(revision);
            writer.WriteEndArray();
            writer.WriteString("requested", requested.Length > 0 ? requested : message?.Revision ?? "");
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.Flush();
        return bytes.WrittenSpan.ToArray();
    }

    private static int CodeFor(Reason reason) => reason switch
    {
        Reason.RevisionUnsupported => UnsupportedProtocolVersion,
        Reason.MessageHeaderMismatch => HeaderMismatch,
        Reason.MessageMalformed or Reason.MessageBatch or Reason.MessageIdInUse or Reason.SessionMissing => InvalidRequest,
        _ => ServerError,
    };
}
