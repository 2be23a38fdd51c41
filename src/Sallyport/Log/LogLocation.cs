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
        var directory = Named(parsed, argument);
        return new[] { new DataDirectory(directory).Log, directory }.FirstOrDefault(IsLog) is { } log
            ? new(log)
            : throw new CommandFault(ExitCode.Unavailable, $"There is no log in {directory}", "Name the gate's data directory with --data; the gate prints it when it starts");
    }

    /// <summary>The log of a data directory, whether or not a gate has begun it.</summary>
    public static LogFiles Expect(ParseResult parsed)
    {
        var directory = Named(parsed, null);
        return new(IsLog(directory) ? directory : new DataDirectory(directory).Log);
    }

    /// <summary>The logs that lie beside one in a data directory: that of now, and those of before each restore.</summary>
    public static IEnumerable<LogFiles> OtherOf(LogFiles files)
    {
        var here = Path.GetFullPath(files.Directory);
        if (Path.GetDirectoryName(here) is not { } parent)
            return [];
        var data = new DataDirectory(parent);
        return data.Epochs().Select(data.LogOfEpoch).Append(data.Log).Where(path => path != here && IsLog(path)).Select(path => new LogFiles(path));
    }

    private static string Named(ParseResult parsed, Argument<string?>? argument)
    {
        var (named, data) = (argument is null ? null : parsed.GetValue(argument), parsed.GetValue(CommandLine.Data));
        return named is null || data is null
            ? named ?? data ?? GateConfiguration.DefaultDataDirectory()
            : throw new CommandFault(ExitCode.Usage, $"Both {named} and {data} are named", "Name the directory once");
    }

    private static bool IsLog(string directory) =>
        JournalFiles.Segments(directory).Count > 0
        || File.Exists(Path.Combine(directory, ILogStore.Checkpoint))
        || Directory.Exists(Path.Combine(directory, "tile"));
}
