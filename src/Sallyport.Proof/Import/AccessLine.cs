using System.Buffers.Text;

namespace Sallyport.Proof.Import;

/// <summary>
/// What a line of an access log says of one request. Read are uvicorn's lines, the common and the combined format, and whatever else has the request line
/// in quotes with the status behind it; the opening quote may be lost. The first quotes count: what a client can write (its agent, where it came from) comes later,
/// and neither method nor target has a space in it.
/// </summary>
internal readonly ref struct AccessLine
{
    private const int MaxMethod = 16;

    private static readonly string[] s_months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

    public ReadOnlySpan<byte> Method { get; private init; }

    /// <summary>Without the query.</summary>
    public ReadOnlySpan<byte> Path { get; private init; }

    /// <summary>Without its question mark.</summary>
    public ReadOnlySpan<byte> Query { get; private init; }

    public int Status { get; private init; }

    /// <summary>As the line has it; where it names no zone, UTC.</summary>
    public DateTimeOffset? Time { get; private init; }

    /// <summary>Asks what would be allowed, by the Fetch standard, and carries no credentials.</summary>
    public bool IsPreflight => Method.SequenceEqual("OPTIONS"u8);

    /// <summary>Answered with success. A preflight gives nothing away.</summary>
    public bool IsLetIn => Status is >= 200 and < 300 && !IsPreflight;

    /// <summary>Whether the quote before the request is lost: no server writes that.</summary>
    public bool IsMended { get; private init; }

    /// <summary>False where the line says nothing of a request.</summary>
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
        return TryRequest(request, TimeOf(prefix), isMended, out read);
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

    private static bool TryRequest(ReadOnlySpan<byte> request, DateTimeOffset? time, bool isMended, out AccessLine read)
    {
        read = default;
        var space = request.IndexOf((byte)' ');
        if (space is <= 0 or > MaxMethod || request[..space].ContainsAnyExceptInRange((byte)'A', (byte)'Z'))
            return false;
        var method = request[..space];
        request = request[(space + 1)..];
        space = request.IndexOf((byte)' ');
        if (space <= 0)
            return false;
        var target = request[..space];
        request = request[(space + 1)..];
        var quote = request.IndexOf((byte)'"');
        if (quote < 0 || !request[..quote].StartsWith("HTTP/"u8) || request.Length < quote + 5 || request[quote + 1] != ' ')
            return false;
        if (!Utf8Parser.TryParse(request[(quote + 2)..], out int status, out var length) || length != 3 || status is < 100 or > 599)
            return false;
        var question = target.IndexOf((byte)'?');
        read = new()
        {
            Method = method,
            Path = question < 0 ? target : target[..question],
            Query = question < 0 ? [] : target[(question + 1)..],
            Status = status,
            Time = time,
            IsMended = isMended,
        };
        return true;
    }

    /// <summary>Of any line: <c>[29/Nov/2026:07:54:58 +0000]</c> in it, or ISO 8601 at its beginning.</summary>
    public static DateTimeOffset? TimeOf(ReadOnlySpan<byte> line)
    {
        var bracket = line.IndexOf((byte)'[');
        return (bracket >= 0 ? Clf(line[(bracket + 1)..]) : null) ?? Iso(line);
    }

    private static DateTimeOffset? Clf(ReadOnlySpan<byte> text)
    {
        if (text.Length < 26 || text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' || text[17] != ':' || text[20] != ' ' || text[21] is not ((byte)'+' or (byte)'-'))
            return null;
        Span<char> month = [(char)text[3], (char)text[4], (char)text[5]];
        var (hours, minutes) = (Number(text.Slice(22, 2)), Number(text.Slice(24, 2)));
        if (hours is < 0 or > 13 || minutes is < 0 or > 59)
            return null;
        var zone = new TimeSpan(hours, minutes, 0);
        return At(Number(text.Slice(7, 4)), Array.IndexOf(s_months, month.ToString()) + 1, Number(text[..2]), text[12..], text[21] == '-' ? -zone : zone);
    }

    private static DateTimeOffset? Iso(ReadOnlySpan<byte> text)
    {
        if (text.Length < 19 || text[4] != '-' || text[7] != '-' || text[10] is not ((byte)'T' or (byte)' ') || text[13] != ':' || text[16] != ':')
            return null;
        return At(Number(text[..4]), Number(text.Slice(5, 2)), Number(text.Slice(8, 2)), text[11..], TimeSpan.Zero);
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
