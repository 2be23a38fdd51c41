using System.CommandLine;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Log;

/// <summary>Where the log is that a command is asked about.</summary>
internal static class LogLocation
{
    /// <summary>The log of a data directory, or a log by itself: a copy of one need not have everything.</summary>
    /// <exception cref="CommandFault">There is none.</exception>
    public static LogFiles Find(ParseResult parsed, Argument<string?>? argument = null)
    {
        var (named, data) = (argument is null ? null : parsed.GetValue(argument), parsed.GetValue(CommandLine.Data));
        if (named is not null && data is not null)
            throw new CommandFault(ExitCode.Usage, $"Both {named} and {data} are named", "Name the directory once");
        var directory = named ?? data ?? GateConfiguration.DefaultDataDirectory();
        return new[] { new DataDirectory(directory).Log, directory }.FirstOrDefault(IsLog) is { } log
            ? new(log)
            : throw new CommandFault(ExitCode.Unavailable, $"There is no log in {directory}", "Name the gate's data directory with --data; the gate prints it when it starts");
    }

    private static bool IsLog(string directory) =>
        JournalFiles.Segments(directory).Count > 0
        || File.Exists(Path.Combine(directory, ILogStore.Checkpoint))
        || Directory.Exists(Path.Combine(directory, "tile"));
}
