using System.Text.Json;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// A server may ask a client to open an address (2025-11-25, elicitation in URL mode). Anything but https (or http on loopback) is an
/// attempt at the client, such as <c>javascript:</c> or a program's own scheme, and goes no further.
/// </summary>
internal static class ElicitationUrl
{
    private static readonly JsonDocumentOptions s_json = new() { MaxDepth = Limits.MessageDepth };

    public static bool IsForbidden(McpMessage message, ReadOnlyMemory<byte> line)
    {
        if (message.Method != "elicitation/create")
            return false;
        using var document = JsonDocument.Parse(line, s_json);
        return document.RootElement.TryGetProperty("params", out var parameters)
            && parameters.ValueKind == JsonValueKind.Object
            && parameters.TryGetProperty("url", out var url)
            && !IsAdmissible(url.ValueKind == JsonValueKind.String ? url.GetString()! : "");
    }

    private static bool IsAdmissible(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback));
}
