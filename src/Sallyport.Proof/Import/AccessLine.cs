namespace Sallyport.Proof.Import;

/// <summary>Whether a request carried credentials, as far as its line shows.</summary>
internal enum Credentials
{
    NotShown,
    Shown,
    Missing,
}

/// <summary>What a line of an access log says of one request, whatever its format.</summary>
internal readonly ref struct AccessLine
{
    private const int MaxMethod = 16;

    public ReadOnlySpan<byte> Method { get; private init; }

    /// <summary>Without the query.</summary>
    public ReadOnlySpan<byte> Path { get; private init; }

    /// <summary>Without its question mark.</summary>
    public ReadOnlySpan<byte> Query { get; init; }

    public int Status { get; private init; }

    /// <summary>As the line has it; where it names no zone, UTC.</summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>The client's, or the last proxy's, without its port; empty where the line has none.</summary>
    public ReadOnlySpan<byte> Address { get; init; }

    /// <summary>What the client calls itself; empty where the line does not say.</summary>
    public ReadOnlySpan<byte> Agent { get; init; }

    public Credentials Credentials { get; init; }

    /// <summary>Asks what would be allowed, by the Fetch standard, and carries no credentials.</summary>
    public bool IsPreflight => Method.SequenceEqual("OPTIONS"u8);

    /// <summary>Answered with success. A preflight gives nothing away.</summary>
    public bool IsLetIn => Status is >= 200 and < 300 && !IsPreflight;

    /// <summary>Whether the quote before the request is lost: no server writes that.</summary>
    public bool IsMended { get; init; }

    /// <summary>Whether its server writes it when it begins to answer, and not at the answer's end: uvicorn.</summary>
    public bool IsWrittenFirst { get; init; }

    /// <summary>Of HTTP+SSE, as the Python SDK's server names it or the TypeScript SDK's; escaped, and empty where there is none.</summary>
    public ReadOnlySpan<byte> Session => Value("session_id"u8) is { Length: > 0 } session ? session : Value("sessionId"u8);

    /// <summary>False where these are no request's.</summary>
    /// <param name="target">A path with its query, or all of a URL.</param>
    public static bool TryMake(ReadOnlySpan<byte> method, ReadOnlySpan<byte> target, int status, out AccessLine line)
    {
        line = default;
        if (method.Length is 0 or > MaxMethod || method.ContainsAnyExceptInRange((byte)'A', (byte)'Z') || target.IsEmpty || target.Contains((byte)' ') || status is < 100 or > 599)
            return false;
        var question = target.IndexOf((byte)'?');
        var path = question < 0 ? target : target[..question];
        if (path[..Math.Min(path.Length, "https://".Length)].IndexOf("://"u8) is > 0 and var scheme)
        {
            path = path[(scheme + "://".Length)..];
            path = path.IndexOf((byte)'/') is >= 0 and var root ? path[root..] : "/"u8;
        }
        line = new() { Method = method, Path = path, Query = question < 0 ? [] : target[(question + 1)..], Status = status };
        return true;
    }

    /// <summary>A value of the query, still escaped; empty where it is not there.</summary>
    public ReadOnlySpan<byte> Value(ReadOnlySpan<byte> name)
    {
        foreach (var range in Query.Split((byte)'&'))
        {
            var pair = Query[range];
            if (pair.Length > name.Length && pair[name.Length] == '=' && pair.StartsWith(name))
                return pair[(name.Length + 1)..];
        }
        return [];
    }

    /// <summary>The address that a word is, without brackets and port; empty where it is none.</summary>
    public static ReadOnlySpan<byte> AddressOf(ReadOnlySpan<byte> word)
    {
        if (word.Length > 0 && word[0] == '[')
            word = word.IndexOf((byte)']') is > 0 and var close ? word[1..close] : [];
        else if (word.Count((byte)':') == 1)
            word = word[..word.IndexOf((byte)':')];
        var isAddress = word.Count((byte)'.') == 3 ? !word.ContainsAnyExcept("0123456789.:fF"u8)
            : (word.IndexOf("::"u8) >= 0 || word.Count((byte)':') == 7) && !word.ContainsAnyExcept("0123456789abcdefABCDEF:"u8);
        return isAddress ? word : [];
    }
}
