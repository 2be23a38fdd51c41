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
}
