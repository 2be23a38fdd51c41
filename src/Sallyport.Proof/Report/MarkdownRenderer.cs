using System.Globalization;
using System.Text;

namespace Sallyport.Proof.Report;

/// <summary>A report as Markdown (CommonMark, with the tables of GitHub's). Pictures are Mermaid, or text where that has none.</summary>
public static class MarkdownRenderer
{
    private const string Special = "\\`*_{}[]<>#|!~&$";

    public static string Render(IReadOnlyList<Block> blocks)
    {
        var text = new StringBuilder();
        foreach (var block in blocks)
        {
            if (text.Length > 0)
                text.Append('\n');
            switch (block)
            {
                case Heading heading:
                    text.Append('#', heading.Level).Append(' ').Append(Escape(heading.Text)).Append('\n');
                    break;
                case Paragraph { Standing: not Standing.None } paragraph:
                    text.Append("**").Append(Escape(paragraph.Text)).Append("**\n");
                    break;
                case Paragraph paragraph:
                    text.Append(Escape(paragraph.Text)).Append('\n');
                    break;
                case Items items:
                    foreach (var line in items.Lines)
                        text.Append("- ").Append(Escape(line)).Append('\n');
                    break;
                case Verbatim verbatim:
                    // Indented, so that nothing in it can end it.
                    foreach (var line in verbatim.Text.Split('\n'))
                        text.Append("    ").Append(line).Append('\n');
                    break;
                case Grid grid:
                    text.Append("| ").AppendJoin(" | ", grid.Columns.Select(Escape)).Append(" |\n|");
                    for (var i = 0; i < grid.Columns.Count; i++)
                        text.Append(grid.Numbers.Contains(i) ? "---:|" : "---|");
                    text.Append('\n');
                    foreach (var row in grid.Rows)
                        text.Append("| ").AppendJoin(" | ", row.Select(Escape)).Append(" |\n");
                    break;
                case TimelinePicture timeline:
                    Render(text, timeline);
                    break;
                case FunnelPicture funnel:
                    text.Append("- ").Append(Escape(funnel.Of)).Append(": ").AppendJoin(" → ", funnel.Steps.Select(step => Escape(string.Create(CultureInfo.InvariantCulture, $"{step.What} {step.Times}"))));
                    text.Append(funnel.Stopped is { } stopped ? $"; {Escape(stopped)}\n" : "\n");
                    break;
                case SequencePicture sequence:
                    Render(text, sequence);
                    break;
            }
        }
        return text.ToString();
    }

    private static void Render(StringBuilder text, TimelinePicture timeline)
    {
        var buckets = timeline.Buckets;
        text.Append("```text\n");
        text.Append(CultureInfo.InvariantCulture, $"allowed |{PlainRenderer.Sparkline(buckets.Select(bucket => bucket.Allowed))}| {buckets.Max(bucket => bucket.Allowed):N0} at most\n");
        text.Append(CultureInfo.InvariantCulture, $"refused |{PlainRenderer.Sparkline(buckets.Select(bucket => bucket.Refused))}| {buckets.Max(bucket => bucket.Refused):N0} at most\n");
        text.Append(CultureInfo.InvariantCulture, $"        from {buckets[0].From.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z, {PlainRenderer.Span(timeline.Width)} each\n```\n");
    }

    /// <summary>Only words of ours are in it.</summary>
    private static void Render(StringBuilder text, SequencePicture sequence)
    {
        text.Append("```mermaid\nsequenceDiagram\n");
        foreach (var party in sequence.Parties)
            text.Append("    participant ").Append(party).Append('\n');
        foreach (var step in sequence.Steps)
        {
            text.Append(CultureInfo.InvariantCulture, $"    {sequence.Parties[step.From]}->>{sequence.Parties[step.To]}: {step.Text}");
            text.Append(step.Number is { } number ? string.Create(CultureInfo.InvariantCulture, $" ({sequence.Evidence} {number})\n") : "\n");
        }
        text.Append("```\n");
    }

    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var (part, isCommand) in Commands.In(text))
        {
            if (isCommand)
                escaped.Append('`').Append(part).Append('`');
            else
                AppendEscaped(escaped, part);
        }
        return escaped.ToString();
    }

    private static void AppendEscaped(StringBuilder escaped, string text)
    {
        foreach (var c in text)
        {
            if (Special.Contains(c, StringComparison.Ordinal))
                escaped.Append('\\');
            escaped.Append(c);
        }
    }
}
