using System.CommandLine;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Proof.Import;

namespace Sallyport.Commands;

/// <summary><c>audit import</c>: asks the access logs of a server that is not Sallyport's what <c>audit report</c> asks its own. Ends with the verdict's exit code, which is never that of proof.</summary>
internal static class AuditImportCommand
{
    private const string StandardInput = "-";

    private static readonly Argument<string[]> s_files = new("FILE") { Description = "Access logs, oldest first, of any server in docs/report.md, plain or compressed by gzip or zstd; - is standard input", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<string[]> s_protected = new("--protected")
    {
        Description = "A path that needs a token, beside /sse, /messages, /mcp and whatever the log shows to refuse; more than once for several", HelpName = "PATH", DefaultValueFactory = _ => [],
    };
    private static readonly Option<bool> s_continued = new("--continued") { Description = "There was traffic before the first line: tokens may be older than the log" };

    public static Command Create()
    {
        var command = new Command("import", "Ask the access logs of another server the same. Ends with 1 (contradicted) or 2 (not proven: consistent, or no evidence)")
        {
            s_files, s_protected, s_continued, ReportOutput.Format, ReportOutput.Out,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var files = parsed.GetValue(s_files)!;
        if (Array.Find(files, file => file != StandardInput && !File.Exists(file)) is { } missing)
            throw new CommandFault(ExitCode.RefusedInput, $"There is no file '{missing.ToPrintable()}'", "Give access logs, or - for standard input");
        var log = new AccessLog(new() { Protected = parsed.GetValue(s_protected)!, IsContinued = parsed.GetValue(s_continued) });
        CommandLine.WithProgress("Reading", progress =>
        {
            foreach (var file in files)
            {
                var name = file == StandardInput ? "standard input" : Path.GetFileName(file);
                using var stream = Inflated.Open(file == StandardInput ? Console.OpenStandardInput() : File.OpenRead(file));
                try
                {
                    log.Read(name, stream, progress);
                }
                catch (Exception exception) when (Inflated.IsDamage(exception))
                {
                    throw new CommandFault(ExitCode.RefusedInput, $"{name.ToPrintable()} was compressed, and cannot be read to its end: {exception.Message}", "Inflate what is whole of it ('zcat', 'zstdcat'), and give that");
                }
            }
            return true;
        }, "lines");
        return ReportOutput.Write(parsed, log.Build());
    }
}
