using System.Text.RegularExpressions;

namespace Sallyport.Proof.Report;

/// <summary>Commands in a sentence, between single quotes: to be copied, they have to stand as they are.</summary>
internal static partial class Commands
{
    /// <summary>The text in parts; of a command its quotes are gone. One with anything in it that a format might take for its own is text like the rest.</summary>
    public static IEnumerable<(string Part, bool IsCommand)> In(string text)
    {
        var at = 0;
        foreach (Match found in Quoted().Matches(text))
        {
            yield return (text[at..found.Index], false);
            yield return (found.Groups[1].Value, true);
            at = found.Index + found.Length;
        }
        yield return (text[at..], false);
    }

    [GeneratedRegex("'((?:sallyport|curl) [A-Za-z0-9 ._/:=-]+)'", RegexOptions.CultureInvariant)]
    private static partial Regex Quoted();
}
