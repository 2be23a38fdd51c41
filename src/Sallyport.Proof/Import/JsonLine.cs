using System.Buffers.Text;
using System.Text.Json;

namespace Sallyport.Proof.Import;

/// <summary>Lines that are one JSON object, whoever wrote them: members are known by their names (<see cref="JsonMembers"/>). What a line says twice counts the first time.</summary>
internal ref struct JsonLine
{
    private readonly Span<byte> _scratch;
    private int _used;

    private ReadOnlySpan<byte> _method;
    private ReadOnlySpan<byte> _target;
    private ReadOnlySpan<byte> _query;
    private int _status;
    private ReadOnlySpan<byte> _address;
    private ReadOnlySpan<byte> _agent;
    private bool _hasHeaders;
    private Credentials _credentials;
    private bool _hasOtherCredential;

    /// <param name="scratch">For what is escaped, as long as the line.</param>
    private JsonLine(Span<byte> scratch) => _scratch = scratch;

    /// <summary>What it says in words; empty where it does not.</summary>
    public ReadOnlySpan<byte> Text { get; private set; }

    public DateTimeOffset? Time { get; private set; }

    /// <summary>False where it is no object.</summary>
    public static bool TryRead(ReadOnlySpan<byte> json, Span<byte> scratch, out JsonLine line)
    {
        line = new(scratch);
        try
        {
            return line.Read(json);
        }
        // The latter: half of an escaped character.
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>False where it says nothing of a request that was answered.</summary>
    public readonly bool TryRequest(out AccessLine read)
    {
        if (!AccessLine.TryMake(_method, _target, _status, out read))
            return false;
        var query = _query.Length > 0 && _query[0] == '?' ? _query[1..] : _query;
        if (query.Length > 0 && read.Query.IsEmpty)
            read = read with { Query = query };
        var credentials = _credentials == Credentials.NotShown && _hasHeaders ? Credentials.Missing : _credentials;
        read = read with
        {
            Time = Time,
            Address = _address,
            Agent = _agent,
            Credentials = read.Value("access_token"u8).Length > 0 ? Credentials.Shown
                : credentials == Credentials.Missing && _hasOtherCredential ? Credentials.NotShown
                : credentials,
        };
        return true;
    }

    private bool Read(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName)
                continue;
            var member = JsonMembers.Of(reader.ValueSpan);
            _hasHeaders |= member is JsonMember.Agent && IsHeader(reader.ValueSpan);
            reader.Read();
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject when member is JsonMember.Headers:
                    ReadHeaders(ref reader);
                    break;
                // Its members come next.
                case JsonTokenType.StartObject when member is JsonMember.Request or JsonMember.Container:
                    break;
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    reader.Skip();
                    break;
                default:
                    Take(member, ref reader);
                    break;
            }
        }
        return true;
    }

    /// <summary>Caddy has a list of values for each, Cloudflare one.</summary>
    private void ReadHeaders(scoped ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            _hasHeaders = true;
            var member = JsonMembers.Of(reader.ValueSpan);
            reader.Read();
            var depth = reader.CurrentDepth;
            if (reader.TokenType == JsonTokenType.StartArray)
                reader.Read();
            if (member is JsonMember.Agent or JsonMember.Credential or JsonMember.OtherCredential)
                Take(member, ref reader);
            if (reader.TokenType == JsonTokenType.StartObject)
                reader.Skip();
            while (reader.CurrentDepth > depth && reader.Read())
            {
            }
        }
    }

    private void Take(JsonMember member, scoped ref Utf8JsonReader reader)
    {
        var isNumber = reader.TokenType == JsonTokenType.Number;
        if (member is JsonMember.Credential or JsonMember.OtherCredential)
        {
            var isThere = reader.TokenType is JsonTokenType.String or JsonTokenType.Number && reader.ValueSpan is not ([] or [(byte)'-']);
            _hasOtherCredential |= isThere && member == JsonMember.OtherCredential;
            if (member == JsonMember.Credential && _credentials != Credentials.Shown)
                _credentials = isThere ? Credentials.Shown : Credentials.Missing;
            return;
        }
        if (member == JsonMember.Unknown || (!isNumber && reader.TokenType != JsonTokenType.String))
            return;
        var value = ValueOf(ref reader);
        switch (member)
        {
            case JsonMember.Method when _method.IsEmpty:
                _method = value;
                break;
            case JsonMember.Target when _target.IsEmpty:
                _target = value;
                break;
            case JsonMember.Query when _query.IsEmpty:
                _query = value;
                break;
            case JsonMember.Request when value.IndexOf((byte)' ') is > 0 and var first && value[(first + 1)..].IndexOf(" HTTP/"u8) is > 0 and var length:
                _method = value[..first];
                _target = value.Slice(first + 1, length);
                break;
            case JsonMember.Status when _status == 0 && Utf8Parser.TryParse(value, out int status, out var digits) && digits == value.Length:
                _status = status;
                break;
            case JsonMember.Time when Time is null:
                Time = LogTime.Of(value) ?? (Utf8Parser.TryParse(value, out double number, out var all) && all == value.Length ? LogTime.Of(number) : null);
                break;
            // Caddy names whom its proxies say it is from behind who it is from.
            case JsonMember.Address when AccessLine.AddressOf(value) is { Length: > 0 } address:
                _address = address;
                break;
            case JsonMember.Agent when _agent.IsEmpty:
                _agent = value;
                break;
            case JsonMember.Text when Text.IsEmpty:
                Text = value.TrimEnd("\r\n"u8);
                break;
        }
    }

    private ReadOnlySpan<byte> ValueOf(scoped ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped)
            return reader.ValueSpan;
        var value = _scratch[_used..];
        value = value[..reader.CopyString(value)];
        _used += value.Length;
        return value;
    }

    /// <summary>Where headers are members beside others: Traefik's with a prefix, ASP.NET Core's as they are.</summary>
    private static bool IsHeader(ReadOnlySpan<byte> name) => name.SequenceEqual("request_User-Agent"u8) || name.SequenceEqual("User-Agent"u8);
}
