using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;

namespace Sallyport.Proof.Report;

/// <summary>
/// A report as one HTML file: nothing is loaded, no script is in it, it follows the reader's dark or light and prints well. Pictures are
/// SVG, each with a text that says the same.
/// </summary>
public static class HtmlRenderer
{
    private const int Wide = 720;

    private const string Style = """
        :root{color-scheme:light dark;--ink:#1d2430;--dim:#5b6472;--paper:#fff;--line:#d8dde5;--soft:#f4f6f9;--good:#14713d;--doubt:#8a5a00;--bad:#b3261e;--blue:#2456a6}
        @media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--dim:#9aa5b4;--paper:#14181f;--line:#323a46;--soft:#1c222b;--good:#5fd08f;--doubt:#f0b849;--bad:#ff8a80;--blue:#8ab4f8}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
        main{max-width:62rem;overflow-wrap:anywhere;margin:0 auto;padding:2rem 1.25rem 4rem}
        h1{font-size:1.9rem;line-height:1.2;margin:0 0 1rem}
        h2{font-size:1.2rem;margin:2.5rem 0 .75rem;padding-top:1rem;border-top:1px solid var(--line)}
        p{margin:.6rem 0}li{margin:.3rem 0}
        .verdict{font-size:1.15rem;font-weight:600;padding:.9rem 1.1rem;border-left:.35rem solid;background:var(--soft);border-radius:.3rem}
        .good{color:var(--good);border-color:var(--good)}.doubtful{color:var(--doubt);border-color:var(--doubt)}.bad{color:var(--bad);border-color:var(--bad)}
        .note{font-weight:600}
        code{font:.9em ui-monospace,monospace;background:var(--soft);padding:.1em .3em;border-radius:.2rem}
        .scroll{overflow-x:auto}
        table{border-collapse:collapse;width:100%;font-size:.9rem}
        th,td{text-align:left;vertical-align:top;padding:.45rem .7rem .45rem 0;border-bottom:1px solid var(--line);overflow-wrap:break-word;min-width:4.5rem}
        td:first-child{min-width:8rem}
        th{color:var(--dim);font-weight:600;white-space:nowrap}
        .number{text-align:right;font-variant-numeric:tabular-nums}
        pre{overflow-x:auto;background:var(--soft);padding:.8rem 1rem;border-radius:.3rem;font-size:.8rem}
        figure{margin:1rem 0}figcaption{color:var(--dim);font-size:.85rem}
        svg{width:100%;height:auto;display:block}svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg .dim{fill:var(--dim)}
        .allowed{fill:var(--good)}.refused{fill:var(--bad)}.step{fill:var(--blue)}.none{fill:var(--line)}
        .life{stroke:var(--line);stroke-width:1}.arrow{stroke:var(--ink);stroke-width:1.2;fill:none}.head{fill:var(--ink)}.party{fill:var(--soft);stroke:var(--line)}
        @media print{:root{--ink:#000;--paper:#fff;--soft:#fff;--dim:#444}body{font-size:10.5pt}main{max-width:none;padding:0}h2{break-after:avoid}tr,figure,.verdict{break-inside:avoid}}
        """;

    public static string Render(IReadOnlyList<Block> blocks)
    {
        var html = new StringBuilder();
        html.Append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.Append("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
        html.Append("<title>").Append(Encode(blocks.OfType<Heading>().First().Text)).Append("</title>\n<style>\n").Append(Style).Append("\n</style>\n</head>\n<body>\n<main>\n");
        foreach (var block in blocks)
            Render(html, block);
        return html.Append("</main>\n</body>\n</html>\n").ToString();
    }

    private static void Render(StringBuilder html, Block block)
    {
        switch (block)
        {
            case Heading heading:
                html.Append(CultureInfo.InvariantCulture, $"<h{heading.Level}>{Encode(heading.Text)}</h{heading.Level}>\n");
                break;
            case Paragraph { Standing: Standing.None } paragraph:
                html.Append("<p>").Append(Prose(paragraph.Text)).Append("</p>\n");
                break;
            case Paragraph paragraph:
                // Never by the colour alone: the words say it too.
                html.Append("<p class=\"").Append(paragraph.Text.EndsWith(':') ? "note" : "verdict").Append(' ').Append(ClassOf(paragraph.Standing)).Append("\">").Append(Encode(paragraph.Text)).Append("</p>\n");
                break;
            case Items items:
                html.Append("<ul>\n");
                foreach (var line in items.Lines)
                    html.Append("<li>").Append(Prose(line)).Append("</li>\n");
                html.Append("</ul>\n");
                break;
            case Verbatim verbatim:
                html.Append("<pre>").Append(Encode(verbatim.Text)).Append("</pre>\n");
                break;
            case Grid grid:
                Render(html, grid);
                break;
            case TimelinePicture timeline:
                Render(html, timeline);
                break;
            case FunnelPicture funnel:
                Render(html, funnel);
                break;
            case SequencePicture sequence:
                Render(html, sequence);
                break;
        }
    }

    private static void Render(StringBuilder html, Grid grid)
    {
        html.Append("<div class=\"scroll\"><table>\n<thead><tr>");
        foreach (var (i, column) in grid.Columns.Index())
            html.Append(grid.Numbers.Contains(i) ? "<th scope=\"col\" class=\"number\">" : "<th scope=\"col\">").Append(Encode(column)).Append("</th>");
        html.Append("</tr></thead>\n<tbody>\n");
        foreach (var row in grid.Rows)
        {
            html.Append("<tr>");
            foreach (var (i, cell) in row.Index())
                html.Append(grid.Numbers.Contains(i) ? "<td class=\"number\">" : "<td>").Append(Prose(cell)).Append("</td>");
            html.Append("</tr>\n");
        }
        html.Append("</tbody>\n</table></div>\n");
    }

    private static void Render(StringBuilder html, TimelinePicture timeline)
    {
        const int Half = 60;
        var buckets = timeline.Buckets;
        var most = Math.Max(1, buckets.Max(bucket => Math.Max(bucket.Allowed, bucket.Refused)));
        var step = (double)Wide / buckets.Count;
        var text = string.Create(CultureInfo.InvariantCulture,
            $"Allowed (above) and refused (below), {PlainRenderer.Span(timeline.Width)} each, from {buckets[0].From.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z to {(buckets[^1].From + timeline.Width).UtcDateTime:yyyy-MM-dd HH:mm:ss}Z; at most {buckets.Max(bucket => bucket.Allowed):N0} allowed and {buckets.Max(bucket => bucket.Refused):N0} refused in one.");
        Begin(html, text, Half * 2 + 2);
        foreach (var (i, bucket) in buckets.Index())
        {
            Bar(html, "allowed", i * step, Half - Height(bucket.Allowed), step * 0.8, Height(bucket.Allowed));
            Bar(html, "refused", i * step, Half + 2, step * 0.8, Height(bucket.Refused));
        }
        html.Append(CultureInfo.InvariantCulture, $"<line class=\"life\" x1=\"0\" x2=\"{Wide}\" y1=\"{Half + 1}\" y2=\"{Half + 1}\"/>");
        End(html, text);

        // What was there is seen, however little it was beside the most.
        double Height(long count) => count == 0 ? 0 : Math.Max(2, (double)count * Half / most);
    }

    private static void Render(StringBuilder html, FunnelPicture funnel)
    {
        const int Row = 20;
        const int Label = 110;
        const int Number = 60;
        var most = Math.Max(1, funnel.Steps.Max(step => step.Times));
        var text = $"{funnel.Of}: how often each step was taken{(funnel.Stopped is { } stopped ? $". It came {stopped}" : "")}.";
        Begin(html, text, funnel.Steps.Count * Row);
        foreach (var (i, step) in funnel.Steps.Index())
        {
            var y = i * Row;
            // By its logarithm: one registration stands beside a million accesses.
            var width = step.Times == 0 ? 0 : (Wide - Label - Number) * (0.05 + 0.95 * Math.Log(1 + step.Times) / Math.Log(1 + most));
            html.Append(CultureInfo.InvariantCulture, $"<text x=\"0\" y=\"{y + 14}\">{Encode(step.What)}</text>");
            Bar(html, step.Times == 0 ? "none" : "step", Label, y + 4, step.Times == 0 ? 3 : width, Row - 8);
            html.Append(CultureInfo.InvariantCulture, $"<text class=\"dim\" x=\"{Label + Math.Max(width, 3) + 6:0.#}\" y=\"{y + 14}\">{step.Times:N0}</text>");
        }
        End(html, text);
    }

    private static void Render(StringBuilder html, SequencePicture sequence)
    {
        const int Row = 34;
        const int Top = 44;
        var gap = (double)Wide / sequence.Parties.Count;
        var text = string.Join("; ", sequence.Steps.Select(step => PlainRenderer.Line(sequence, step)));
        Begin(html, text, Top + sequence.Steps.Count * Row + 6);
        foreach (var (i, party) in sequence.Parties.Index())
        {
            html.Append(CultureInfo.InvariantCulture, $"<line class=\"life\" x1=\"{X(i):0.#}\" x2=\"{X(i):0.#}\" y1=\"26\" y2=\"{Top + sequence.Steps.Count * Row}\"/>");
            html.Append(CultureInfo.InvariantCulture, $"<rect class=\"party\" rx=\"4\" x=\"{X(i) - 50:0.#}\" y=\"1\" width=\"100\" height=\"25\"/><text text-anchor=\"middle\" x=\"{X(i):0.#}\" y=\"18\">{Encode(party)}</text>");
        }
        foreach (var (i, step) in sequence.Steps.Index())
        {
            var (from, to, y) = (X(step.From), X(step.To), Top + i * Row + 14);
            var tip = to + (to > from ? -7 : 7);
            html.Append(CultureInfo.InvariantCulture, $"<line class=\"arrow\" x1=\"{from:0.#}\" x2=\"{tip:0.#}\" y1=\"{y}\" y2=\"{y}\"/><path class=\"head\" d=\"M{to:0.#} {y}L{tip:0.#} {y - 4}L{tip:0.#} {y + 4}Z\"/>");
            html.Append(CultureInfo.InvariantCulture, $"<text text-anchor=\"middle\" x=\"{(from + to) / 2:0.#}\" y=\"{y - 5}\">{Encode(step.Text)}{(step.Number is { } number ? $" <tspan class=\"dim\">#{number}</tspan>" : "")}</text>");
        }
        End(html, text);

        double X(int party) => gap * (party + 0.5);
    }

    private static void Begin(StringBuilder html, string text, int height) =>
        html.Append(CultureInfo.InvariantCulture, $"<figure><svg viewBox=\"0 0 {Wide} {height}\" role=\"img\" aria-label=\"{Encode(text)}\">");

    private static void End(StringBuilder html, string text) => html.Append("</svg><figcaption>").Append(Encode(text)).Append("</figcaption></figure>\n");

    private static void Bar(StringBuilder html, string kind, double x, double y, double width, double height)
    {
        if (width > 0 && height > 0)
            html.Append(CultureInfo.InvariantCulture, $"<rect class=\"{kind}\" x=\"{x:0.##}\" y=\"{y:0.##}\" width=\"{width:0.##}\" height=\"{height:0.##}\"/>");
    }

    private static string ClassOf(Standing standing) => standing switch
    {
        Standing.Good => "good",
        Standing.Bad => "bad",
        _ => "doubtful",
    };

    private static string Prose(string text) =>
        string.Concat(Commands.In(text).Select(found => found.IsCommand ? $"<code>{Encode(found.Part)}</code>" : Encode(found.Part)));

    private static string Encode(string text) => HtmlEncoder.Default.Encode(text);
}
