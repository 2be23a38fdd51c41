using System.Text.Json;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// A server may ask a client to open an address (2025-11-25, elicitation in URL mode). Anything but https (or http on loopback) is an
/// attempt at the client, such as <c>javascript:</c> or a program's own scheme, and goes no further.
/// </summary>
internal static class ElicitationUrl
{
    private const string Method = "elicitation/create";
    private static readonly JsonDocumentOptions s_json = new() { MaxDepth = Limits.MessageDepth };

    /// <summary>In a request of the server's.</summary>
    public static bool IsForbidden(McpMessage message, ReadOnlyMemory<byte> line)
    {
        if (message.Method != Method)
            return false;
        using var document = JsonDocument.Parse(line, s_json);
        return IsForbidden(document.RootElement);
    }

    /// <summary>In an answer that asks for input (2026-07-28, multi round-trip requests).</summary>
    public static bool AsksForbidden(McpMessage message, ReadOnlyMemory<byte> line)
    {
        if (!message.AsksForInput)
            return false;
        using var document = JsonDocument.Parse(line, s_json);
        return document.RootElement.GetProperty("result").GetProperty("inputRequests") is { ValueKind: JsonValueKind.Object } requests
            && requests.EnumerateObject().Any(request => request.Value.ValueKind == JsonValueKind.Object
                && request.Value.TryGetProperty("method", out var method) && method.ValueKind == JsonValueKind.String && method.ValueEquals(Method)
                && IsForbidden(request.Value));
    }

    private static bool IsForbidden(JsonElement request) =>
        request.TryGetProperty("params", out var parameters)
        && parameters.ValueKind == JsonValueKind.Object
        && parameters.TryGetProperty("url", out var url)
        && !IsAdmissible(url.ValueKind == JsonValueKind.String ? url.GetString()! : "");

    private static bool IsAdmissible(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback));
}
