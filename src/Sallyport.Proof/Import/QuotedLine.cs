namespace Sallyport.Proof.Import;

/// <summary>
/// Lines with the request line in quotes. The status stands behind it: uvicorn's, gunicorn's, the common and the combined format of nginx, Apache, Traefik and morgan, Envoy's, and
/// whatever stands before them, as Python's <c>logging</c> writes it; the opening quote may be lost. Or it stands before it: AWS's load balancers. The first quotes count: what a client can write (its agent, where it
/// came from) comes later, and neither method nor target has a space in it.
/// </summary>
internal static class QuotedLine
{
    public static bool TryRead(ReadOnlySpan<byte> line, out AccessLine read)
    {
        read = default;
        var quote = line.IndexOf((byte)'"');
        if (quote < 0)
            return false;
        var prefix = line[..quote];
        var request = line[(quote + 1)..];
        // The opening quote is lost: the first one ends the request line.
        var isMended = Ends(prefix, out var start);
        if (isMended)
        {
            prefix = line[..start];
            request = line[start..];
        }
        if (!TryRequest(ref request, out var method, out var target))
            return false;
        var isBehind = request.StartsWith(" "u8) && !request.StartsWith(" \""u8);
        if (!AccessLine.TryMake(method, target, isBehind ? Words.StatusOf(Words.Cut(ref request)) : BalancerStatus(prefix), out read))
            return false;
        read = read with
        {
            Time = LogTime.In(prefix) ?? LogTime.Of(After(prefix, 1)),
            Address = AddressIn(prefix),
            // Behind the status stands where it came from, or whom a proxy says it is from, and then the agent.
            Agent = Quoted(request, isBehind ? 1 : 0),
            Credentials = read.Value("access_token"u8).Length > 0 ? Credentials.Shown : Credentials.NotShown,
            IsMended = isMended,
            IsWrittenFirst = prefix.EndsWith(" - "u8),
        };
        return true;
    }

    /// <summary>A request line up to its quote: <c>POST /mcp HTTP/1.1"</c>.</summary>
    private static bool TryRequest(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> method, out ReadOnlySpan<byte> target)
    {
        method = Words.Cut(ref rest);
        target = Words.Cut(ref rest);
        var quote = rest.IndexOf((byte)'"');
        if (quote < 0 || !rest[..quote].StartsWith("HTTP/"u8))
            return false;
        rest = rest[(quote + 1)..];
        return true;
    }

    /// <summary>Before the request stand its own status, the target's, and what was received and sent, in bytes.</summary>
    private static int BalancerStatus(ReadOnlySpan<byte> prefix)
    {
        var rest = prefix.TrimEnd((byte)' ');
        for (var i = 0; i < 3; i++)
        {
            var space = rest.LastIndexOf((byte)' ');
            if (space < 0 || rest[(space + 1)..].ContainsAnyExcept("0123456789-"u8))
                return 0;
            rest = rest[..space];
        }
        return Words.StatusOf(rest[(rest.LastIndexOf((byte)' ') + 1)..]);
    }

    private static bool Ends(ReadOnlySpan<byte> prefix, out int start)
    {
        start = 0;
        var version = prefix.LastIndexOf((byte)' ');
        if (version < 0 || !prefix[(version + 1)..].StartsWith("HTTP/"u8))
            return false;
        var target = prefix[..version].LastIndexOf((byte)' ');
        if (target < 0)
            return false;
        start = prefix[..target].LastIndexOf((byte)' ') + 1;
        return true;
    }

    private static ReadOnlySpan<byte> AddressIn(ReadOnlySpan<byte> prefix)
    {
        while (prefix.Length > 0)
        {
            if (AccessLine.AddressOf(Words.Cut(ref prefix)) is { Length: > 0 } address)
                return address;
        }
        return [];
    }

    /// <summary>What stands behind so many words.</summary>
    private static ReadOnlySpan<byte> After(ReadOnlySpan<byte> text, int words)
    {
        for (var i = 0; i < words; i++)
            Words.Cut(ref text);
        return text;
    }

    /// <summary>The text in the quotes at this place, from 0; empty where there are not so many.</summary>
    private static ReadOnlySpan<byte> Quoted(ReadOnlySpan<byte> text, int place)
    {
        while (text.IndexOf((byte)'"') is >= 0 and var open)
        {
            text = text[(open + 1)..];
            var close = text.IndexOf((byte)'"');
            if (close < 0)
                return [];
            if (place-- == 0)
                return text[..close];
            text = text[(close + 1)..];
        }
        return [];
    }
}
