using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Sallyport.Tests.Sinks;

public class OneLineFormatterTests
{
    private static string Format(string message, Exception? exception = null)
    {
        var formatter = new OneLineFormatter(new Microsoft.Extensions.Time.Testing.FakeTimeProvider(new(2026, 11, 24, 1, 2, 3, TimeSpan.Zero)));
        var writer = new StringWriter();
        formatter.Write(new LogEntry<string>(LogLevel.Warning, "The.Category", new(4), message, exception, static (state, _) => state), null, writer);
        return writer.ToString();
    }

    [Fact]
    public void An_entry_is_a_line() => Assert.Equal("2026-11-24T01:02:03.000Z warn: The.Category[4] Zażółć: déjà vu 😀 {0}\n", Format("Zażółć: déjà vu 😀 {0}"));

    [Theory]
    [MemberData(nameof(HostileStrings.Names), MemberType = typeof(HostileStrings))]
    public void Whatever_is_logged_is_one_line_of_plain_characters(string name)
    {
        var text = HostileStrings.All[name];

        foreach (var line in (string[])[Format(text), Format("x", new InvalidOperationException(text, new IOException(text)))])
        {
            Assert.EndsWith("\n", line, StringComparison.Ordinal);
            Assert.All(line[..^1].EnumerateRunes(), rune => Assert.False(
                Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
                || rune == Rune.ReplacementChar));
        }
    }

    [Fact]
    public void What_is_escaped_can_still_be_told() => Assert.EndsWith(@" a\u000a\u001b[31m\u202e\ud800" + "\n", Format("a\n\e[31m\u202e\ud800"));
}
