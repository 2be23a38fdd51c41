using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using Sallyport.Server.Protocol;

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

/// <summary>
/// What the gate has to know of a JSON-RPC message, read in one pass forward over its bytes. Everything else in them stays as it is.
/// </summary>
/// <param name="IdKey">The id, told apart by kind: a string <c>"1"</c> is not the number <c>1</c>.</param>
/// <param name="IdJson">The id as it stands in the message.</param>
/// <param name="Name">What the method names: a tool or prompt (<c>params.name</c>) or a resource (<c>params.uri</c>).</param>
/// <param name="CancelledIdKey">The request that a <c>notifications/cancelled</c> takes back (<c>params.requestId</c>).</param>
/// <param name="Revision">What the message says of its revision: <c>params.protocolVersion</c> of <c>initialize</c>, else what <c>_meta</c> says.</param>
internal sealed record McpMessage(
    McpMessageKind Kind, string? Method, string? Name, string? IdKey, string? IdJson, string? CancelledIdKey, string? Revision)
{
    private const string RevisionMember = "io.modelcontextprotocol/protocolVersion";
    private static readonly JsonReaderOptions s_strict = new() { MaxDepth = Limits.MessageDepth };

    [Flags]
    private enum Seen
    {
        None = 0,
        JsonRpc = 1,
        Id = 2,
        Method = 4,
        Params = 8,
        Result = 16,
        Error = 32,
        Name = 64,
        Uri = 128,
        RequestId = 256,
        Meta = 512,
        ProtocolVersion = 1024,
        MetaRevision = 2048,
    }

    private static readonly (string Name, Seen Flag)[] s_topMembers =
        [("jsonrpc", Seen.JsonRpc), ("id", Seen.Id), ("method", Seen.Method), ("params", Seen.Params), ("result", Seen.Result), ("error", Seen.Error)];

    private static readonly (string Name, Seen Flag)[] s_paramsMembers = [("name", Seen.Name), ("uri", Seen.Uri), ("requestId", Seen.RequestId), ("_meta", Seen.Meta), ("protocolVersion", Seen.ProtocolVersion)];

    private static readonly (string Name, Seen Flag)[] s_metaMembers = [(RevisionMember, Seen.MetaRevision)];

    /// <summary>What of <c>params</c> is judged.</summary>
    private struct Parameters
    {
        public string? Name, Uri, RequestId, Revision, MetaRevision;
    }

    /// <summary>
    /// Scans one message. Refused is what two readers could read differently: a judged member twice or in another spelling, bytes
    /// after the message, invalid UTF-8, a byte-order mark.
    /// </summary>
    public static McpScan Scan(ReadOnlySpan<byte> bytes, out McpMessage message)
    {
        message = null!;
        if (!Utf8.IsValid(bytes))
            return McpScan.Malformed;
        try
        {
            var reader = new Utf8JsonReader(bytes, s_strict);
            if (!reader.Read())
                return McpScan.Malformed;
            if (reader.TokenType == JsonTokenType.StartArray)
                return McpScan.Batch;
            if (reader.TokenType != JsonTokenType.StartObject || ScanTop(ref reader) is not { } scanned || reader.Read())
                return McpScan.Malformed;
            message = scanned;
            return McpScan.Message;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is no text, such as a lone surrogate.
            return McpScan.Malformed;
        }
    }

    private static McpMessage? ScanTop(ref Utf8JsonReader reader)
    {
        string? method = null, idKey = null, idJson = null;
        var parameters = default(Parameters);
        var seen = Seen.None;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!TryMember(ref reader, s_topMembers, ref seen, out var member))
                return null;
            reader.Read();
            switch (member)
            {
                case Seen.JsonRpc when reader.TokenType != JsonTokenType.String || !reader.ValueTextEquals("2.0"u8):
                    return null;
                case Seen.Method:
                    if (reader.TokenType != JsonTokenType.String || (method = reader.GetString()!).Length is 0 or > Limits.MessageTextLength)
                        return null;
                    break;
                case Seen.Id:
                    if (!TryReadId(ref reader, out idKey, out idJson))
                        return null;
                    break;
                case Seen.Params when reader.TokenType == JsonTokenType.StartObject:
                    if (!ScanParams(ref reader, ref seen, ref parameters))
                        return null;
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        if (reader.TokenType != JsonTokenType.EndObject || !seen.HasFlag(Seen.JsonRpc))
            return null;
        var answers = (seen & (Seen.Result | Seen.Error)) != 0;
        if (answers == (method is not null) || (answers && idKey is null && !seen.HasFlag(Seen.Error)))
            return null;
        var kind = answers ? McpMessageKind.Response : seen.HasFlag(Seen.Id) ? McpMessageKind.Request : McpMessageKind.Notification;
        if (kind == McpMessageKind.Request && idKey is null)
            return null;
        return new(
            kind, method,
            method?.StartsWith("resources/", StringComparison.Ordinal) == true ? parameters.Uri : parameters.Name,
            idKey, idJson,
            method == "notifications/cancelled" ? parameters.RequestId : null,
            method == "initialize" ? parameters.Revision : parameters.MetaRevision);
    }

    private static bool ScanParams(ref Utf8JsonReader reader, ref Seen seen, ref Parameters parameters)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!TryMember(ref reader, s_paramsMembers, ref seen, out var member))
                return false;
            reader.Read();
            if (member == Seen.Name && reader.TokenType == JsonTokenType.String)
                parameters.Name = reader.GetString();
            else if (member == Seen.Uri && reader.TokenType == JsonTokenType.String)
                parameters.Uri = reader.GetString();
            else if (member == Seen.ProtocolVersion && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= Limits.MessageTextLength)
                parameters.Revision = reader.GetString();
            else if (member == Seen.RequestId && reader.TokenType is (JsonTokenType.String or JsonTokenType.Number))
            {
                if (!TryReadId(ref reader, out parameters.RequestId, out _))
                    return false;
            }
            else if (member == Seen.Meta && reader.TokenType == JsonTokenType.StartObject)
            {
                if (!ScanMeta(ref reader, ref seen, ref parameters))
                    return false;
            }
            else
                reader.Skip();
        }
        return reader.TokenType == JsonTokenType.EndObject;
    }

    private static bool ScanMeta(ref Utf8JsonReader reader, ref Seen seen, ref Parameters parameters)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!TryMember(ref reader, s_metaMembers, ref seen, out var member))
                return false;
            reader.Read();
            if (member == Seen.MetaRevision && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= Limits.MessageTextLength)
                parameters.MetaRevision = reader.GetString();
            else
                reader.Skip();
        }
        return reader.TokenType == JsonTokenType.EndObject;
    }

    /// <summary>Which judged member a property is; false when it is one for the second time, or in a spelling that some readers take for it.</summary>
    private static bool TryMember(ref Utf8JsonReader reader, (string Name, Seen Flag)[] members, ref Seen seen, out Seen member)
    {
        member = Seen.None;
        foreach (var (name, flag) in members)
        {
            if (reader.ValueTextEquals(name))
            {
                if ((seen & flag) != 0)
                    return false;
                seen |= flag;
                member = flag;
                return true;
            }
        }
        // Escapes can make a name up to six times as long as it is.
        if (reader.ValueSpan.Length > 6 * LongestOf(members))
            return true;
        var property = reader.GetString()!;
        foreach (var (name, _) in members)
        {
            if (name.Equals(property, StringComparison.OrdinalIgnoreCase))
                return false;
        }
        return true;
    }

    private static int LongestOf((string Name, Seen Flag)[] members) => ReferenceEquals(members, s_metaMembers) ? RevisionMember.Length : "protocolVersion".Length;

    private static bool TryReadId(ref Utf8JsonReader reader, out string? key, out string? json)
    {
        key = json = null;
        if (reader.ValueSpan.Length > Limits.MessageTextLength)
            return false;
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                key = "s" + reader.GetString();
                json = JsonSerializer.Serialize(reader.GetString());
                return true;
            case JsonTokenType.Number:
                // An integer, which every reader takes for the same one (1.0, 1e0 and 2^64 are read and given back differently).
                if (!reader.TryGetInt64(out var number))
                    return false;
                json = number.ToString(CultureInfo.InvariantCulture);
                key = "n" + json;
                return true;
            case JsonTokenType.Null:
                return true;
            default:
                return false;
        }
    }
}
