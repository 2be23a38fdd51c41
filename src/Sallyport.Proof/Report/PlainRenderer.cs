using System.Globalization;
using System.Text;

namespace Sallyport.Proof.Report;

/// <summary>A report for a terminal: plain text, as wide as it is told, without colours or control characters of its own.</summary>
public static class PlainRenderer
{
    private const string Bars = "▁▂▃▄▅▆▇█";
    private const int Narrowest = 40;
    private const string Gutter = "  ";

    /// <param name="width">Columns of the terminal.</param>
    public static string Render(IReadOnlyList<Block> blocks, int width)
    {
        width = Math.Max(width, Narrowest);
        var text = new StringBuilder();
        foreach (var block in blocks)
        {
            if (text.Length > 0 && block is not Heading { Level: > 1 })
                text.Append('\n');
            switch (block)
            {
                case Heading heading:
                    text.Append(heading.Level > 1 ? "\n" : "").Append(heading.Text).Append('\n').Append(heading.Level == 1 ? '=' : '-', heading.Text.Length).Append('\n');
                    break;
                case Paragraph paragraph:
                    Wrap(text, paragraph.Text, width, "", "");
                    break;
                case Items items:
                    foreach (var line in items.Lines)
                        Wrap(text, line, width, "- ", "  ");
                    break;
                case Verbatim verbatim:
                    foreach (var line in verbatim.Text.Split('\n'))
                        text.Append("    ").Append(line).Append('\n');
                    break;
                case Grid grid:
                    Render(text, grid, width);
                    break;
                case TimelinePicture timeline:
                    Render(text, timeline);
                    break;
                case FunnelPicture funnel:
                    Wrap(text, $"{funnel.Of}: {string.Join(" → ", funnel.Steps.Select(step => string.Create(CultureInfo.InvariantCulture, $"{step.What} {step.Times}")))}{(funnel.Stopped is { } stopped ? $"; {stopped}" : "")}", width, "", "  ");
                    break;
                case SequencePicture sequence:
                    foreach (var step in sequence.Steps)
                        Wrap(text, Line(sequence, step), width, Gutter, Gutter + Gutter);
                    break;
            }
        }
        return text.ToString();
    }

    internal static string Line(SequencePicture sequence, SequenceStep step) =>
        string.Create(CultureInfo.InvariantCulture, $"{sequence.Parties[step.From]} → {sequence.Parties[step.To]}: {step.Text}{(step.Number is { } number ? $" ({sequence.Evidence} {number})" : "")}");

    internal static string Sparkline(IEnumerable<long> values)
    {
        var all = values.ToArray();
        var most = Math.Max(1, all.Max());
        return string.Concat(all.Select(value => value == 0 ? ' ' : Bars[(int)((value * (Bars.Length - 1) + most - 1) / most)]));
    }

    private static void Render(StringBuilder text, TimelinePicture timeline)
    {
        var buckets = timeline.Buckets;
        text.Append(CultureInfo.InvariantCulture, $"  allowed  |{Sparkline(buckets.Select(bucket => bucket.Allowed))}|  {buckets.Max(bucket => bucket.Allowed):N0} at most in {Span(timeline.Width)}\n");
        text.Append(CultureInfo.InvariantCulture, $"  refused  |{Sparkline(buckets.Select(bucket => bucket.Refused))}|  {buckets.Max(bucket => bucket.Refused):N0}\n");
        text.Append(CultureInfo.InvariantCulture, $"            from {buckets[0].From.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z to {(buckets[^1].From + timeline.Width).UtcDateTime:yyyy-MM-dd HH:mm:ss}Z\n");
    }

    internal static string Span(TimeSpan span) => span switch
    {
        { TotalDays: >= 1 } => Many((long)span.TotalDays, "day"),
        { TotalHours: >= 1 } => Many((long)span.TotalHours, "hour"),
        { TotalMinutes: >= 1 } => Many((long)span.TotalMinutes, "minute"),
        _ => Many((long)span.TotalSeconds, "second"),
    };

    private static string Many(long count, string one) => count == 1 ? $"a{(one == "hour" ? "n" : "")} {one}" : string.Create(CultureInfo.InvariantCulture, $"{count} {one}s");

    private static void Render(StringBuilder text, Grid grid, int width)
    {
        var rows = grid.Rows;
        var widths = Widths(grid, rows, width);
        Row(text, grid, grid.Columns, widths);
        text.Append(Gutter).AppendJoin(Gutter, widths.Select(column => new string('-', column))).Append('\n');
        foreach (var row in rows)
            Row(text, grid, row, widths);
    }

    /// <summary>As wide as what is in them; where that is too much together, the widest give way first.</summary>
    private static int[] Widths(Grid grid, IReadOnlyList<IReadOnlyList<string>> rows, int width)
    {
        int[] widths = [.. grid.Columns.Select((column, i) => rows.Select(row => row[i].Length).Append(column.Length).Max())];
        for (var over = widths.Sum() + Gutter.Length * widths.Length - width; over > 0; over--)
        {
            var widest = Array.IndexOf(widths, widths.Max());
            if (widths[widest] <= 8)
                break;
            widths[widest]--;
        }
        return widths;
    }

    private static void Row(StringBuilder text, Grid grid, IReadOnlyList<string> cells, int[] widths)
    {
        List<string>[] lines = [.. cells.Select((cell, i) => Lines(cell, widths[i]))];
        for (var line = 0; line < lines.Max(cell => cell.Count); line++)
        {
            var start = text.Length;
            for (var i = 0; i < lines.Length; i++)
            {
                var part = line < lines[i].Count ? lines[i][line] : "";
                text.Append(Gutter).Append(grid.Numbers.Contains(i) ? part.PadLeft(widths[i]) : part.PadRight(widths[i]));
            }
            while (text.Length > start && text[^1] == ' ')
                text.Length--;
            text.Append('\n');
        }
    }

    private static void Wrap(StringBuilder text, string line, int width, string first, string others)
    {
        foreach (var (i, part) in Lines(line, width - Math.Max(first.Length, others.Length)).Index())
            text.Append(i == 0 ? first : others).Append(part).Append('\n');
    }

    private static List<string> Lines(string text, int width)
    {
        var lines = new List<string>();
        var line = new StringBuilder();
        foreach (var whole in text.Split(' '))
        {
            var word = whole;
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                lines.Add(line.ToString());
                line.Clear();
            }
            while (word.Length > width)
            {
                if (line.Length > 0)
                {
                    lines.Add(line.ToString());
                    line.Clear();
                }
                lines.Add(word[..width]);
                word = word[width..];
            }
            if (line.Length > 0)
                line.Append(' ');
            line.Append(word);
        }
        lines.Add(line.ToString());
        return lines;
    }
}
