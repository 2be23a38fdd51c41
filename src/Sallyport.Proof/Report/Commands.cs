using System.Buffers;

namespace Sallyport.Proof.Report;

/// <summary>Commands in a sentence, between single quotes: to be copied, they have to stand as they are.</summary>
internal static class Commands
{
    private const char Quote = '\'';

    private static readonly string[] s_programs = ["sallyport ", "curl "];
    private static readonly SearchValues<char> s_plain = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._/:=-");

    /// <summary>The text in parts; of a command its quotes are gone. One with anything in it that a format might take for its own is text like the rest.</summary>
    public static IReadOnlyList<(string Part, bool IsCommand)> In(string text)
    {
        var parts = new List<(string, bool)>();
        var done = 0;
        for (var begin = text.IndexOf(Quote); begin >= 0; begin = text.IndexOf(Quote, begin + 1))
        {
            var command = text[(begin + 1)..];
            if (!Array.Exists(s_programs, program => command.StartsWith(program, StringComparison.Ordinal)))
                continue;
            var length = command.AsSpan().IndexOfAnyExcept(s_plain);
            if (length < 0 || command[length] != Quote)
                continue;
            parts.Add((text[done..begin], false));
            parts.Add((command[..length], true));
            begin += length + 1;
            done = begin + 1;
        }
        parts.Add((text[done..], false));
        return parts;
    }
}
