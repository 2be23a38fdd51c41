using System.CommandLine;
using System.IO.Compression;
using Sallyport.Export;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Index;

namespace Sallyport.Commands;

/// <summary><c>audit export</c>: events for other programs, one a line. Memory does not grow with their number.</summary>
internal static class AuditExportCommand
{
    private const long ProgressEvery = 0x4000;

    private static readonly Option<string?> s_out = new("--out") { Description = "Where to write (default: standard output); compressed where it ends with .gz", HelpName = "FILE" };
    private static readonly Option<string> s_format = new("--format") { Description = "jsonl: the very bytes of the log; ocsf or ecs: translated (docs/audit-export.md)", HelpName = "jsonl|ocsf|ecs", DefaultValueFactory = _ => "jsonl" };

    public static Command Create()
    {
        s_format.AcceptOnlyFromAmong("jsonl", "ocsf", "ecs");
        var command = new Command("export", "Export events for other programs, one a line") { s_out, s_format, CommandLine.Data };
        foreach (var option in EventFilter.Options)
            command.Add(option);
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var (filter, files, file) = (EventFilter.Of(parsed, TimeProvider.System), LogLocation.Find(parsed), parsed.GetValue(s_out));
        using var output = Open(file);
        IEventWriter writer = parsed.GetValue(s_format) switch
        {
            "ocsf" => new OcsfWriter(output),
            "ecs" => new EcsWriter(output),
            _ => new JsonLinesWriter(output),
        };
        var passedOver = file is null ? Write(files, filter, writer, static _ => { }) : CommandLine.WithProgress("Exporting", progress => Write(files, filter, writer, progress));
        if (passedOver > 0)
            Console.Error.WriteLine($"{passedOver.Grouped()} entries of the log are no events, and were left out: see 'sallyport audit verify', or export as jsonl");
        UnsignedEvents.Tell(files);
        return (int)ExitCode.Success;
    }

    private static long Write(LogFiles files, EventFilter filter, IEventWriter writer, Action<long> progress)
    {
        var passedOver = 0L;
        foreach (var leaf in EventSearch.OldestFirst(files.Directory, filter.Query).Where(filter.Matches))
        {
            if (!writer.Write(new(leaf)))
                passedOver++;
            if (leaf.Index % ProgressEvery == 0)
                progress(leaf.Index);
        }
        return passedOver;
    }

    private static Stream Open(string? file)
    {
        if (file is null)
            return new BufferedStream(Console.OpenStandardOutput(), 64 * 1024);
        // Only for whoever may read the log.
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 64 * 1024 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var stream = new FileStream(file, options);
        return file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new BufferedStream(new GZipStream(stream, CompressionLevel.Optimal), 64 * 1024) : stream;
    }
}
