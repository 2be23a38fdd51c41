using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// Headers that repeat what the body says (2026-07-28, Streamable HTTP, "Request Metadata"), for routers and policies on the way: they
/// may not say otherwise.
/// </summary>
internal static class McpHeaders
{
    public const string Method = "Mcp-Method";
    public const string Name = "Mcp-Name";
    public const string ParameterPrefix = "Mcp-Param-";
    private const string SentinelStart = "=?base64?";
    private const string SentinelEnd = "?=";

    public static bool Contradict(IHeaderDictionary headers, McpMessage message, byte[] body)
    {
        var method = headers[Method];
        if (method.Count > 1 || (method.Count == 1 && method[0] != message.Method))
            return true;
        var name = headers[Name];
        if (name.Count > 1 || (name.Count == 1 && (message.Name is not null || IsNamed(message.Method)) && Decode(name[0]) != message.Name))
            return true;
        var revision = headers[McpHeader.Revision];
        if (message is { Revision: { } said, Method: not "initialize" } && revision.Count == 1 && revision[0] != said)
            return true;
        List<string?>? parameters = null;
        foreach (var (header, values) in headers)
        {
            if (!header.StartsWith(ParameterPrefix, StringComparison.OrdinalIgnoreCase))
                continue;
            // Which parameter it repeats is in the tool's schema, which the gate does not know; but some parameter it has to be.
            parameters ??= Parameters(body);
            if (values.Count != 1 || Decode(values[0]) is not { } value || !parameters.Exists(parameter => AreAlike(parameter!, value)))
                return true;
        }
        return false;
    }

    /// <summary>Whether headers are missing that a request of 2026-07-28 has to carry. What its body lacks, the server says (-32602).</summary>
    public static bool AreMissing(IHeaderDictionary headers, McpMessage message) =>
        message.Kind == McpMessageKind.Request
        && (headers[McpHeader.Revision].Count == 0
            || headers[Method].Count == 0
            || (IsNamed(message.Method) && headers[Name].Count == 0));

    private static bool IsNamed(string? method) => method is "tools/call" or "resources/read" or "prompts/get";

    /// <summary>The value behind its Base64 sentinel, where it has one; null where what is in it is none.</summary>
    private static string? Decode(string? value)
    {
        if (value is null || value.Any(c => c is (< ' ' and not '\t') or > '~'))
            return null;
        if (!value.StartsWith(SentinelStart, StringComparison.Ordinal) || !value.EndsWith(SentinelEnd, StringComparison.Ordinal) || value.Length < SentinelStart.Length + SentinelEnd.Length)
            return value;
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Convert.FromBase64String(value[SentinelStart.Length..^SentinelEnd.Length]));
        }
        catch (Exception exception) when (exception is FormatException or DecoderFallbackException)
        {
            return null;
        }
    }

    /// <summary>Every value in the call's arguments that a header could repeat, in objects within objects; those in lists could not.</summary>
    private static List<string?> Parameters(byte[] body)
    {
        using var document = JsonDocument.Parse(body, new() { MaxDepth = Limits.MessageDepth });
        var found = new List<string?>();
        if (document.RootElement.TryGetProperty("params", out var parameters) && parameters.ValueKind == JsonValueKind.Object
            && parameters.TryGetProperty("arguments", out var arguments))
            Collect(arguments, found);
        return found;
    }

    private static void Collect(JsonElement element, List<string?> found)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                    Collect(member.Value, found);
                break;
            case JsonValueKind.String:
                found.Add(element.GetString());
                break;
            case JsonValueKind.Number:
                found.Add(element.GetRawText());
                break;
            case JsonValueKind.True or JsonValueKind.False:
                found.Add(element.GetBoolean() ? "true" : "false");
                break;
            default:
                break;
        }
    }

    /// <summary>Integers are compared as numbers: <c>42.0</c> is <c>42</c>.</summary>
    private static bool AreAlike(string parameter, string value) =>
        parameter == value
        || (decimal.TryParse(parameter, NumberStyles.Float, CultureInfo.InvariantCulture, out var left)
            && decimal.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var right)
            && left == right);
}
