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
    private static readonly JsonDocumentOptions s_json = new() { MaxDepth = Limits.MessageDepth };

    /// <summary>A batch (2025-03-26) is older than these headers, and one of them cannot say what several messages are.</summary>
    public static bool ContradictBatch(IHeaderDictionary headers) =>
        headers.ContainsKey(Method) || headers.ContainsKey(Name) || headers.Keys.Any(IsParameter);

    public static bool Contradict(IHeaderDictionary headers, McpMessage message, byte[] body)
    {
        try
        {
            return DoContradict(headers, message, body);
        }
        catch (InvalidOperationException)
        {
            // A string that is no text, such as a lone surrogate, which no header repeats.
            return true;
        }
    }

    private static bool DoContradict(IHeaderDictionary headers, McpMessage message, byte[] body)
    {
        var method = headers[Method];
        if (method.Count > 1 || (method.Count == 1 && method[0] != message.Method))
            return true;
        var name = headers[Name];
        if (name.Count > 1 || (name.Count == 1 && !IsName(Decode(name[0]), message, body)))
            return true;
        var revision = headers[McpHeader.Revision];
        if (message is { Revision: { } said, Method: not "initialize" } && revision.Count == 1 && revision[0] != said)
            return true;
        List<(string Name, string Value)>? parameters = null;
        foreach (var (header, values) in headers)
        {
            if (!IsParameter(header))
                continue;
            parameters ??= Parameters(body);
            if (values.Count != 1 || Decode(values[0]) is not { } value || !Repeats(header[ParameterPrefix.Length..], value, parameters))
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

    private static bool IsParameter(string header) => header.StartsWith(ParameterPrefix, StringComparison.OrdinalIgnoreCase);

    /// <summary>Extensions name by members of their own: <c>params.taskId</c> of <c>tasks/get</c> (SEP-2663). What names nothing has no name.</summary>
    private static bool IsName(string? name, McpMessage message, byte[] body)
    {
        if (message.Name is not null || IsNamed(message.Method))
            return name == message.Name;
        using var document = JsonDocument.Parse(body, s_json);
        return name is not null && document.RootElement.TryGetProperty("params", out var parameters) && parameters.ValueKind == JsonValueKind.Object
            && parameters.EnumerateObject().Any(member => member.Value.ValueKind == JsonValueKind.String && member.Value.ValueEquals(name));
    }

    /// <summary>
    /// Which parameter a header repeats stands in the tool's schema, which the gate does not know. Most are called as the parameter is, and
    /// where one is called so, it has to be that one's value; any other has to be the value of some parameter.
    /// </summary>
    private static bool Repeats(string header, string value, List<(string Name, string Value)> parameters)
    {
        var called = parameters.FindAll(parameter => Spelling(parameter.Name).Equals(Spelling(header), StringComparison.OrdinalIgnoreCase));
        return (called.Count > 0 ? called : parameters).Exists(parameter => AreAlike(parameter.Value, value));
    }

    /// <summary><c>Job-Id</c>, <c>job_id</c> and <c>jobId</c> are one name.</summary>
    private static string Spelling(string name) => name.Replace("-", "", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal);

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
    private static List<(string Name, string Value)> Parameters(byte[] body)
    {
        using var document = JsonDocument.Parse(body, s_json);
        var found = new List<(string, string)>();
        if (document.RootElement.TryGetProperty("params", out var parameters) && parameters.ValueKind == JsonValueKind.Object
            && parameters.TryGetProperty("arguments", out var arguments))
            Collect("", arguments, found);
        return found;
    }

    private static void Collect(string name, JsonElement element, List<(string, string)> found)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                    Collect(member.Name, member.Value, found);
                break;
            case JsonValueKind.String:
                found.Add((name, element.GetString()!));
                break;
            case JsonValueKind.Number:
                found.Add((name, element.GetRawText()));
                break;
            case JsonValueKind.True or JsonValueKind.False:
                found.Add((name, element.GetBoolean() ? "true" : "false"));
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
