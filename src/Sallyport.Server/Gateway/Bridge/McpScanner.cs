using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>Reads a message in one pass forward over its bytes, without an object model.</summary>
internal ref struct McpScanner
{
    private const string RevisionMember = "io.modelcontextprotocol/protocolVersion";
    private const string SubscriptionMember = "io.modelcontextprotocol/subscriptionId";
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
        ProgressToken = 4096,
        MetaProgressToken = 8192,
        MetaSubscriptionId = 16384,
        InputRequests = 32768,
        ErrorCode = 65536,
        Arguments = 131072,
    }

    private static readonly (string Name, Seen Flag)[] s_topMembers =
        [("jsonrpc", Seen.JsonRpc), ("id", Seen.Id), ("method", Seen.Method), ("params", Seen.Params), ("result", Seen.Result), ("error", Seen.Error)];

    private static readonly (string Name, Seen Flag)[] s_paramsMembers =
        [("name", Seen.Name), ("uri", Seen.Uri), ("requestId", Seen.RequestId), ("_meta", Seen.Meta), ("protocolVersion", Seen.ProtocolVersion), ("progressToken", Seen.ProgressToken),
            ("arguments", Seen.Arguments)];

    private static readonly (string Name, Seen Flag)[] s_metaMembers =
        [(RevisionMember, Seen.MetaRevision), ("progressToken", Seen.MetaProgressToken), (SubscriptionMember, Seen.MetaSubscriptionId)];

    private static readonly (string Name, Seen Flag)[] s_resultMembers = [("_meta", Seen.Meta), ("inputRequests", Seen.InputRequests)];

    private static readonly (string Name, Seen Flag)[] s_errorMembers = [("code", Seen.ErrorCode)];

    private Utf8JsonReader _reader;
    private Seen _seen;
    private string? _method, _idKey, _idJson, _name, _uri, _requestId, _revision, _metaRevision;
    private int? _errorCode;
    private Range _id, _requestIdPlace, _progressToken, _metaProgressToken, _subscriptionId;

    public static McpScan Scan(ReadOnlySpan<byte> bytes, out McpMessage message)
    {
        message = null!;
        if (!Utf8.IsValid(bytes))
            return McpScan.Malformed;
        try
        {
            var scanner = new McpScanner { _reader = new(bytes, s_strict) };
            if (!scanner._reader.Read())
                return McpScan.Malformed;
            if (scanner._reader.TokenType == JsonTokenType.StartArray)
                return McpScan.Batch;
            if (scanner._reader.TokenType != JsonTokenType.StartObject || scanner.ReadTop() is not { } scanned || scanner._reader.Read())
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

    private McpMessage? ReadTop()
    {
        while (TryMember(s_topMembers, out var isAdmissible, out var member))
        {
            if (!isAdmissible)
                return null;
            switch (member)
            {
                case Seen.JsonRpc when _reader.TokenType != JsonTokenType.String || !_reader.ValueTextEquals("2.0"u8):
                    return null;
                case Seen.Method:
                    if (_reader.TokenType != JsonTokenType.String || (_method = _reader.GetString()!).Length is 0 or > Limits.MessageTextLength)
                        return null;
                    break;
                case Seen.Id:
                    _id = Place();
                    if (!TryReadId(out _idKey, out _idJson))
                        return null;
                    break;
                case Seen.Params or Seen.Result or Seen.Error when IsObject:
                    if (!(member == Seen.Params ? ReadParams() : member == Seen.Result ? ReadResult() : ReadError()))
                        return null;
                    break;
                default:
                    _reader.Skip();
                    break;
            }
        }
        return _reader.TokenType == JsonTokenType.EndObject && Has(Seen.JsonRpc) ? Message() : null;
    }

    /// <summary>Enum.HasFlag makes two objects until the method that calls it is optimised.</summary>
    private readonly bool Has(Seen member) => (_seen & member) != 0;

    private readonly McpMessage? Message()
    {
        var answers = (_seen & (Seen.Result | Seen.Error)) != 0;
        if (answers == (_method is not null) || (answers && _idKey is null && !Has(Seen.Error)))
            return null;
        var kind = answers ? McpMessageKind.Response : Has(Seen.Id) ? McpMessageKind.Request : McpMessageKind.Notification;
        if (kind == McpMessageKind.Request && _idKey is null)
            return null;
        return new(
            kind, _method,
            _method?.StartsWith("resources/", StringComparison.Ordinal) == true ? _uri : _name,
            _idKey, _idJson,
            _method == "notifications/cancelled" ? _requestId : null,
            answers ? null : _method == "initialize" ? _revision : _metaRevision)
        {
            ErrorCode = _errorCode,
            AsksForInput = Has(Seen.InputRequests),
            Places = new(_id, _method == "notifications/progress" ? _progressToken : _metaProgressToken, _method == "notifications/cancelled" ? _requestIdPlace : default, _subscriptionId),
        };
    }

    private bool ReadParams()
    {
        while (TryMember(s_paramsMembers, out var isAdmissible, out var member))
        {
            if (!isAdmissible)
                return false;
            if (member == Seen.Name && _reader.TokenType == JsonTokenType.String)
                _name = _reader.GetString();
            else if (member == Seen.Uri && _reader.TokenType == JsonTokenType.String)
                _uri = _reader.GetString();
            else if (member == Seen.ProtocolVersion && IsShortText)
                _revision = _reader.GetString();
            else if (member == Seen.ProgressToken && IsTextOrNumber)
                _progressToken = Place();
            else if (member == Seen.RequestId && IsTextOrNumber)
            {
                _requestIdPlace = Place();
                if (!TryReadId(out _requestId, out _))
                    return false;
            }
            else if (member == Seen.Meta && IsObject)
            {
                if (!ReadMeta())
                    return false;
            }
            else
                _reader.Skip();
        }
        return _reader.TokenType == JsonTokenType.EndObject;
    }

    private bool ReadMeta()
    {
        while (TryMember(s_metaMembers, out var isAdmissible, out var member))
        {
            if (!isAdmissible)
                return false;
            if (member == Seen.MetaRevision && IsShortText)
                _metaRevision = _reader.GetString();
            else if (member == Seen.MetaProgressToken && IsTextOrNumber)
                _metaProgressToken = Place();
            else if (member == Seen.MetaSubscriptionId && IsTextOrNumber)
                _subscriptionId = Place();
            else
                _reader.Skip();
        }
        return _reader.TokenType == JsonTokenType.EndObject;
    }

    private bool ReadResult()
    {
        while (TryMember(s_resultMembers, out var isAdmissible, out var member))
        {
            if (!isAdmissible || (member == Seen.Meta && IsObject && !ReadMeta()))
                return false;
            _reader.Skip();
        }
        return _reader.TokenType == JsonTokenType.EndObject;
    }

    private bool ReadError()
    {
        while (TryMember(s_errorMembers, out var isAdmissible, out var member))
        {
            if (!isAdmissible)
                return false;
            if (member == Seen.ErrorCode && _reader.TokenType == JsonTokenType.Number && _reader.TryGetInt32(out var code))
                _errorCode = code;
            _reader.Skip();
        }
        return _reader.TokenType == JsonTokenType.EndObject;
    }

    private readonly bool IsObject => _reader.TokenType == JsonTokenType.StartObject;

    private readonly bool IsTextOrNumber => _reader.TokenType is JsonTokenType.String or JsonTokenType.Number;

    private readonly bool IsShortText => _reader.TokenType == JsonTokenType.String && _reader.ValueSpan.Length <= Limits.MessageTextLength;

    /// <summary>Of the value that is being read, which is a text or a number.</summary>
    private readonly Range Place() => (int)_reader.TokenStartIndex..(int)_reader.BytesConsumed;

    /// <summary>Goes to the value of an object's next member; false at its end.</summary>
    /// <param name="isAdmissible">False when it is a judged member for the second time, or in a spelling that some readers take for one.</param>
    /// <param name="member">Which judged member it is, if it is one.</param>
    private bool TryMember((string Name, Seen Flag)[] members, out bool isAdmissible, out Seen member)
    {
        member = Seen.None;
        isAdmissible = true;
        if (!_reader.Read() || _reader.TokenType != JsonTokenType.PropertyName)
            return false;
        isAdmissible = IsAdmissible(members, out member);
        return _reader.Read();
    }

    private bool IsAdmissible((string Name, Seen Flag)[] members, out Seen member)
    {
        member = Seen.None;
        foreach (var (name, flag) in members)
        {
            if (!_reader.ValueTextEquals(name))
                continue;
            if ((_seen & flag) != 0)
                return false;
            _seen |= flag;
            member = flag;
            return true;
        }
        // Escapes can make a name up to six times as long as it is.
        if (_reader.ValueSpan.Length > 6 * LongestOf(members))
            return true;
        var property = _reader.GetString()!;
        foreach (var (name, _) in members)
        {
            if (name.Equals(property, StringComparison.OrdinalIgnoreCase))
                return false;
        }
        return true;
    }

    private static int LongestOf((string Name, Seen Flag)[] members) => ReferenceEquals(members, s_metaMembers) ? RevisionMember.Length : "protocolVersion".Length;

    private bool TryReadId(out string? key, out string? json)
    {
        key = json = null;
        if (_reader.ValueSpan.Length > Limits.MessageTextLength)
            return false;
        switch (_reader.TokenType)
        {
            case JsonTokenType.String:
                key = "s" + _reader.GetString();
                json = JsonSerializer.Serialize(_reader.GetString());
                return true;
            case JsonTokenType.Number:
                // An integer, which every reader takes for the same one (1.0, 1e0 and 2^64 are read and given back differently).
                if (!_reader.TryGetInt64(out var number))
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
