namespace Sallyport.Proof.Import;

/// <summary>Reads a line whatever its format: each line by itself, as several servers may write to one file.</summary>
internal sealed class AccessLineReader
{
    private readonly byte[] _plain = new byte[AccessLog.MaxLine];
    private readonly byte[] _scratch = new byte[AccessLog.MaxLine];

    /// <summary>False where the line says nothing of a request that was answered.</summary>
    /// <param name="text">What it says in words then.</param>
    /// <param name="time">When it said so.</param>
    public bool TryRead(ReadOnlySpan<byte> line, out AccessLine read, out ReadOnlySpan<byte> text, out DateTimeOffset? time)
    {
        text = Plain(line);
        time = null;
        if (JsonIn(text) is { Length: > 0 } json && JsonLine.TryRead(json, _scratch, out var members))
        {
            time = members.Time;
            if (members.TryRequest(out read))
                return true;
            text = Plain(members.Text);
        }
        if (QuotedLine.TryRead(text, out read) || BareLine.TryRead(text, out read))
        {
            if (read.Time is null)
                read = read with { Time = time };
            return true;
        }
        time ??= LogTime.In(text);
        return false;
    }

    /// <summary>From the first brace to the last: a container's name, or syslog's head, may stand before it.</summary>
    private static ReadOnlySpan<byte> JsonIn(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty || line[^1] != '}')
            return [];
        var brace = line.IndexOf((byte)'{');
        return brace < 0 || line[..brace].Contains((byte)'"') ? [] : line[brace..];
    }

    /// <summary>Without colours (ECMA-48, 8.3.117), which servers that think themselves on a terminal write, and without the end of a Windows line.</summary>
    private ReadOnlySpan<byte> Plain(ReadOnlySpan<byte> line)
    {
        line = line.TrimEnd((byte)'\r');
        if (!line.Contains((byte)'\u001b'))
            return line;
        var length = 0;
        while (line.Length > 0)
        {
            if (line.StartsWith("\u001b["u8) && line[2..].IndexOfAnyExcept("0123456789;"u8) is >= 0 and var end && line[2 + end] == 'm')
            {
                line = line[(3 + end)..];
                continue;
            }
            _plain[length++] = line[0];
            line = line[1..];
        }
        return _plain.AsSpan(0, length);
    }
}
