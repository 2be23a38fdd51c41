namespace Sallyport.Proof.Import;

/// <summary>Times as access logs write them; where they name no zone, UTC. To the second.</summary>
internal static class LogTime
{
    private static readonly string[] s_months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    private static readonly double s_lastSecond = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    /// <summary>Of a line of any kind: the one in its first brackets, or at its beginning.</summary>
    public static DateTimeOffset? In(ReadOnlySpan<byte> line)
    {
        var bracket = line.IndexOf((byte)'[');
        return (bracket >= 0 ? Of(line[(bracket + 1)..]) : null) ?? Iso(line);
    }

    /// <summary>Of a text that begins with one: <c>29/Nov/2026:07:54:58 +0000</c>, or ISO 8601.</summary>
    public static DateTimeOffset? Of(ReadOnlySpan<byte> text) => Clf(text) ?? Iso(text);

    /// <summary>Since 1970, in seconds, milliseconds, microseconds or nanoseconds: which of them, its size tells.</summary>
    public static DateTimeOffset? Of(double number)
    {
        var seconds = number switch { > 1e17 => number / 1e9, > 1e14 => number / 1e6, > 1e11 => number / 1e3, _ => number };
        return seconds > 0 && seconds < s_lastSecond ? DateTimeOffset.FromUnixTimeSeconds((long)seconds) : null;
    }

    private static DateTimeOffset? Clf(ReadOnlySpan<byte> text)
    {
        if (text.Length < 26 || text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' || text[17] != ':' || text[20] != ' ' || Zone(text[21..]) is not { } zone)
            return null;
        Span<char> month = [(char)text[3], (char)text[4], (char)text[5]];
        return At(Number(text.Slice(7, 4)), Array.IndexOf(s_months, month.ToString()) + 1, Number(text[..2]), text[12..], zone);
    }

    private static DateTimeOffset? Iso(ReadOnlySpan<byte> text)
    {
        if (text.Length < 19 || text[4] != '-' || text[7] != '-' || text[10] is not ((byte)'T' or (byte)' ') || text[13] != ':' || text[16] != ':')
            return null;
        var rest = text[19..];
        if (rest.Length > 0 && rest[0] is (byte)'.' or (byte)',')
            rest = rest[1..].TrimStart("0123456789"u8);
        return At(Number(text[..4]), Number(text.Slice(5, 2)), Number(text.Slice(8, 2)), text[11..], Zone(rest.TrimStart((byte)' ')) ?? TimeSpan.Zero);
    }

    /// <summary><c>+0100</c> or <c>+01:00</c>.</summary>
    private static TimeSpan? Zone(ReadOnlySpan<byte> text)
    {
        if (text.Length < 5 || text[0] is not ((byte)'+' or (byte)'-'))
            return null;
        var minutes = text[3] == ':' ? text[4..] : text[3..];
        if (minutes.Length < 2)
            return null;
        var (hour, minute) = (Number(text.Slice(1, 2)), Number(minutes[..2]));
        if (hour is < 0 or > 13 || minute is < 0 or > 59)
            return null;
        var zone = new TimeSpan(hour, minute, 0);
        return text[0] == '-' ? -zone : zone;
    }

    private static DateTimeOffset? At(int year, int month, int day, ReadOnlySpan<byte> clock, TimeSpan zone)
    {
        var (hour, minute, second) = (Number(clock[..2]), Number(clock.Slice(3, 2)), Number(clock.Slice(6, 2)));
        if (year is < 1970 or > 9000 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour is < 0 or > 23 || minute is < 0 or > 59 || second is < 0 or > 60)
            return null;
        return new DateTimeOffset(year, month, day, hour, minute, Math.Min(second, 59), zone);
    }

    /// <summary>-1 for what is no number.</summary>
    private static int Number(ReadOnlySpan<byte> digits)
    {
        var number = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9')
                return -1;
            number = number * 10 + digit - '0';
        }
        return number;
    }
}
