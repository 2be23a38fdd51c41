using System.Globalization;
using System.Text;

namespace Sallyport.Proof;

/// <summary>Text that may be anybody's, for a terminal.</summary>
public static class PlainText
{
    /// <summary>In printable ASCII; all else is escaped as in JSON, so that nothing can move the cursor or end the line.</summary>
    public static string ToPrintable(this string text)
    {
        if (text.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0)
            return text;
        var printable = new StringBuilder(text.Length + 16);
        foreach (var c in text)
        {
            if (c is >= ' ' and <= '~')
                printable.Append(c);
            else
                printable.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
        }
        return printable.ToString();
    }

    /// <summary>With separators between thousands.</summary>
    public static string Grouped(this long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>So many of something.</summary>
    /// <param name="many">Its plural, where that is not the singular with an s.</param>
    internal static string Counted(this long count, string one, string? many = null) => $"{count.Grouped()} {(count == 1 ? one : many ?? one + "s")}";

    /// <summary>A length of time, in the unit that fits it.</summary>
    internal static string Told(this TimeSpan length) =>
        length.TotalDays >= 2 ? $"{((long)length.TotalDays).Grouped()} days"
        : length.TotalHours >= 2 ? $"{(long)length.TotalHours} hours"
        : ((long)length.TotalMinutes).Counted("minute");

    /// <summary>Names in a sentence; beyond <paramref name="most"/> of them, how many there are.</summary>
    internal static string Listed(this IReadOnlyList<string> names, int most) =>
        names.Count > most ? $"{string.Join(", ", names.Take(most))} and {((long)(names.Count - most)).Grouped()} more"
        : names.Count > 1 ? $"{string.Join(", ", names.Take(names.Count - 1))} and {names[^1]}"
        : string.Concat(names);
}
