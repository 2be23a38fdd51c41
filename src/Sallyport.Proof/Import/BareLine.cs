namespace Sallyport.Proof.Import;

/// <summary>
/// Lines without quotes: morgan's <c>dev</c>, <c>tiny</c> and <c>short</c>; what ASP.NET Core says on the console when a request is finished, and Serilog's middleware. What stands before them is passed over,
/// as long as no quote is in it.
/// </summary>
internal static class BareLine
{
    /// <summary>morgan's <c>short</c> has two words before the method, and a container's name with its bar may stand before those.</summary>
    private const int MostWordsBefore = 4;

    public static bool TryRead(ReadOnlySpan<byte> line, out AccessLine read)
    {
        if (!TryFinished(line, out read) && !TryResponded(line, out read) && !TryMorgan(line, out read))
            return false;
        read = read with { Time = LogTime.In(line), Credentials = read.Value("access_token"u8).Length > 0 ? Credentials.Shown : Credentials.NotShown };
        return true;
    }

    /// <summary><c>Request finished HTTP/1.1 POST http://localhost:5000/mcp - 200 …</c>, of ASP.NET Core since 8.</summary>
    private static bool TryFinished(ReadOnlySpan<byte> line, out AccessLine read)
    {
        read = default;
        var rest = Behind(line, "Request finished HTTP/"u8);
        Words.Cut(ref rest);
        var method = Words.Cut(ref rest);
        var target = Words.Cut(ref rest);
        return Words.Cut(ref rest).SequenceEqual("-"u8) && AccessLine.TryMake(method, target, Words.StatusOf(Words.Cut(ref rest)), out read);
    }

    /// <summary><c>HTTP POST /mcp responded 200 in 12.3 ms</c>, of Serilog.AspNetCore.</summary>
    private static bool TryResponded(ReadOnlySpan<byte> line, out AccessLine read)
    {
        read = default;
        var rest = Behind(line, "HTTP "u8);
        var method = Words.Cut(ref rest);
        var target = Words.Cut(ref rest);
        return Words.Cut(ref rest).SequenceEqual("responded"u8) && AccessLine.TryMake(method, target, Words.StatusOf(Words.Cut(ref rest)), out read) && Words.Cut(ref rest).SequenceEqual("in"u8);
    }

    /// <summary><c>POST /mcp 200 3.141 ms - 12</c>, or <c>POST /mcp 200 12 - 3.141 ms</c>.</summary>
    private static bool TryMorgan(ReadOnlySpan<byte> line, out AccessLine read)
    {
        read = default;
        ReadOnlySpan<byte> address = [];
        for (var i = 0; i <= MostWordsBefore; i++)
        {
            var word = Words.Cut(ref line);
            if (word.IsEmpty || word.Contains((byte)'"'))
                return false;
            if (!word.ContainsAnyExceptInRange((byte)'A', (byte)'Z') && line.StartsWith("/"u8))
            {
                var target = Words.Cut(ref line);
                if (line.StartsWith("HTTP/"u8))
                    Words.Cut(ref line);
                if (!AccessLine.TryMake(word, target, Words.StatusOf(Words.Cut(ref line)), out read) || !IsTail(line))
                    return false;
                read = read with { Address = address };
                return true;
            }
            if (AccessLine.AddressOf(word) is { Length: > 0 } found)
                address = found;
        }
        return false;
    }

    /// <summary>How long it took, in ms, and how long the answer is, in either order.</summary>
    private static bool IsTail(ReadOnlySpan<byte> rest)
    {
        if (!IsNumber(Words.Cut(ref rest)))
            return false;
        var next = Words.Cut(ref rest);
        return next.SequenceEqual("ms"u8) ? Words.Cut(ref rest).SequenceEqual("-"u8) && IsNumber(Words.Cut(ref rest)) : next.SequenceEqual("-"u8) && IsNumber(Words.Cut(ref rest)) && Words.Cut(ref rest).SequenceEqual("ms"u8);
    }

    private static bool IsNumber(ReadOnlySpan<byte> word) => word.Length > 0 && !word.ContainsAnyExcept("0123456789.-"u8);

    private static ReadOnlySpan<byte> Behind(ReadOnlySpan<byte> line, ReadOnlySpan<byte> marker)
    {
        var at = line.IndexOf(marker);
        return at < 0 || line[..at].Contains((byte)'"') ? [] : line[(at + marker.Length)..];
    }
}
