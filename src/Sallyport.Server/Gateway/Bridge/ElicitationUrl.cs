using System.Text.Json;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// A server may ask a client to open an address (2025-11-25, elicitation in URL mode). Anything but https (or http on loopback) is an
/// attempt at the client, such as <c>javascript:</c> or a program's own scheme, and goes no further, whatever stands behind the gate.
/// </summary>
internal static class ElicitationUrl
{
    private const string Method = "elicitation/create";
    /// <summary>The error of a request that waits for such addresses to be opened (2025-11-25).</summary>
    private const int Required = -32042;
    private static readonly JsonDocumentOptions s_json = new() { MaxDepth = Limits.MessageDepth };

    /// <summary>In a request of the server's, in an answer that asks for input (2026-07-28, multi round-trip requests), or in an error.</summary>
    public static bool IsForbidden(McpMessage message, ReadOnlyMemory<byte> line)
    {
        if (message.Method != Method && !message.AsksForInput && message.ErrorCode != Required)
            return false;
        try
        {
            using var document = JsonDocument.Parse(line, s_json);
            var root = document.RootElement;
            return message.Method == Method ? IsForbidden(Member(root, "params"))
                : message.AsksForInput ? AsksForbidden(Member(Member(root, "result"), "inputRequests"))
                : Member(Member(Member(root, "error"), "data"), "elicitations") is { ValueKind: JsonValueKind.Array } all && all.EnumerateArray().Any(each => IsForbidden(each));
        }
        catch (InvalidOperationException)
        {
            // A string that is no text, such as a lone surrogate.
            return true;
        }
    }

    private static bool AsksForbidden(JsonElement? requests) =>
        requests is { ValueKind: JsonValueKind.Object } all
        && all.EnumerateObject().Any(request => Member(request.Value, "method") is { ValueKind: JsonValueKind.String } method && method.ValueEquals(Method)
            && IsForbidden(Member(request.Value, "params")));

    private static bool IsForbidden(JsonElement? elicitation) =>
        Member(elicitation, "url") is { } url && !IsAdmissible(url.ValueKind == JsonValueKind.String ? url.GetString()! : "");

    private static bool IsAdmissible(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback));

    private static JsonElement? Member(JsonElement? of, string name) =>
        of is { ValueKind: JsonValueKind.Object } element && element.TryGetProperty(name, out var value) ? value : null;
}
