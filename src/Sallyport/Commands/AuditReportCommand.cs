using System.CommandLine;
using Sallyport.Log;
using Sallyport.Proof.Report;
using Sallyport.Server.Audit.Values;

namespace Sallyport.Commands;

/// <summary><c>audit report</c>: whether the gate is being bypassed, and what that rests on. Ends with the verdict's exit code.</summary>
internal static class AuditReportCommand
{
    private const int DefaultWidth = 110;

    private static readonly string[] s_formats = ["text", "md", "html", "json"];

    private static readonly Argument<string?> s_directory = new("DIR") { Description = "A data directory, or a log or a copy of one (default: --data)", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> s_format = new("--format") { Description = "text, md, html (one file, nothing is loaded) or json (default: what --out ends in, or text)", HelpName = "FORMAT" };
    private static readonly Option<string?> s_out = new("--out") { Description = "Where to write it (default: standard output)", HelpName = "FILE" };

    public static Command Create()
    {
        var command = new Command("report", "Say whether the gate is being bypassed, with the evidence. Ends with 0 (enforced), 1 (bypassed), 2 (not proven) or 3 (tampered)")
        {
            s_directory, s_format, s_out, EventFilter.Since, EventFilter.Until, EventFilter.Client, EventFilter.Subject, GivenCheckpoints.Option, GivenKey.Option, CommandLine.Data,
        };
        s_format.AcceptOnlyFromAmong(s_formats);
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var (files, key, given) = (LogLocation.Find(parsed, s_directory), GivenKey.Read(parsed), GivenCheckpoints.Read(parsed));
        GivenCheckpoints.RefuseOthers(given, key, files);
        var scope = EventFilter.ScopeOf(parsed, TimeProvider.System);
        var report = CommandLine.WithProgress("Judging", progress => Judge(files.Directory, scope, begin => LogVerification.Run(files, key, given, progress, begin)));
        var file = parsed.GetValue(s_out);
        CommandLine.Write(Render(report, parsed.GetValue(s_format) ?? FormatOf(file)), file);
        return (int)report.Judgement.Verdict;
    }

    /// <param name="verify">Verifies the log, and shows each leaf to what it is given.</param>
    internal static StatusReport Judge(string log, ReportScope scope, Func<Func<Proof.Verification.LeafReader>, Proof.Verification.LogReport> verify)
    {
        ReportBuilder builder = new(scope);
        var verified = verify(() => (builder = new(scope)).Observe);
        using var values = new ValueReader(log);
        return builder.Build(verified, (kind, commitment) => values.Open(kind, commitment) is (ValueState.Open, { } text) ? text : null);
    }

    internal static string Render(StatusReport report, string format) => format switch
    {
        "json" => ReportJson.Write(report),
        "html" => HtmlRenderer.Render(ReportComposer.Compose(report)),
        "md" => MarkdownRenderer.Render(ReportComposer.Compose(report)),
        _ => PlainRenderer.Render(ReportComposer.Compose(report), Console.IsOutputRedirected ? DefaultWidth : Console.WindowWidth),
    };

    private static string FormatOf(string? file) => Path.GetExtension(file)?.TrimStart('.') is { Length: > 0 } extension && s_formats.Contains(extension) ? extension : "text";
}
