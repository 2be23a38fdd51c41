using System.CommandLine;
using Sallyport.Log;
using Sallyport.Server.Audit;

namespace Sallyport.Commands;

/// <summary><c>audit report</c>: whether the gate is being bypassed, and what that rests on. Ends with the verdict's exit code.</summary>
internal static class AuditReportCommand
{
    private static readonly Argument<string?> s_directory = new("DIR") { Description = "A data directory, or a log or a copy of one (default: --data)", Arity = ArgumentArity.ZeroOrOne };

    public static Command Create()
    {
        var command = new Command("report", "Say whether the gate is being bypassed, with the evidence. Ends with 0 (enforced), 1 (bypassed), 2 (not proven) or 3 (tampered)")
        {
            s_directory, ReportOutput.Format, ReportOutput.Out, EventFilter.Since, EventFilter.Until, EventFilter.Client, EventFilter.Subject, GivenCheckpoints.Option, GivenKey.Option, CommandLine.Data,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var (files, key, given) = (LogLocation.Find(parsed, s_directory), GivenKey.Read(parsed), GivenCheckpoints.Read(parsed));
        GivenCheckpoints.RefuseOthers(given, key, files);
        var scope = EventFilter.ScopeOf(parsed, TimeProvider.System);
        var report = CommandLine.WithProgress("Judging", progress => LogReporting.Run(files, key, given, scope, withNames: true, progress));
        var verdict = ReportOutput.Write(parsed, report);
        UnsignedEvents.Tell(files);
        return verdict;
    }
}
