using System.CommandLine;
using Sallyport.Proof.Report;

namespace Sallyport.Log;

/// <summary>Where a report goes, and as what.</summary>
internal static class ReportOutput
{
    private const int DefaultWidth = 110;

    private static readonly string[] s_formats = ["text", "md", "html", "json"];

    public static Option<string?> Format { get; } = MakeFormat();
    public static Option<string?> Out { get; } = new("--out") { Description = "Where to write it (default: standard output)", HelpName = "FILE" };

    /// <summary>Gives the verdict's exit code.</summary>
    public static int Write(ParseResult parsed, StatusReport report)
    {
        var file = parsed.GetValue(Out);
        CommandLine.Write(Render(report, parsed.GetValue(Format) ?? FormatOf(file)), file);
        return (int)report.Judgement.Verdict;
    }

    public static string Render(StatusReport report, string format) => format switch
    {
        "json" => ReportJson.Write(report),
        "html" => HtmlRenderer.Render(ReportComposer.Compose(report)),
        "md" => MarkdownRenderer.Render(ReportComposer.Compose(report)),
        _ => PlainRenderer.Render(ReportComposer.Compose(report), Console.IsOutputRedirected ? DefaultWidth : Console.WindowWidth),
    };

    private static Option<string?> MakeFormat()
    {
        var format = new Option<string?>("--format") { Description = "text, md, html (one file, nothing is loaded) or json (default: what --out ends in, or text)", HelpName = "FORMAT" };
        format.AcceptOnlyFromAmong(s_formats);
        return format;
    }

    private static string FormatOf(string? file) => Path.GetExtension(file)?.TrimStart('.') is { Length: > 0 } extension && s_formats.Contains(extension) ? extension : "text";
}
