using System.CommandLine;
using System.Globalization;
using Sallyport.Log;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Index;
using Sallyport.Server.Audit.Values;

namespace Sallyport.Commands;

/// <summary><c>audit tail</c>: the newest events, one a line. It only reads, whether or not a gate is running.</summary>
internal static class AuditTailCommand
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(200);

    private static readonly Option<int> s_count = new("--count", "-n") { Description = "How many events to begin with", HelpName = "COUNT", DefaultValueFactory = _ => 20 };
    private static readonly Option<bool> s_follow = new("--follow", "-f") { Description = "Go on with new events as they come" };
    private static readonly Option<bool> s_json = new("--json") { Description = "JSON lines: number, event and values" };

    public static Command Create()
    {
        s_count.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && (!int.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
                result.AddError($"'{result.Tokens[0].Value}' is no number of events");
        });
        var command = new Command("tail", "Show the newest events of the log") { s_count, s_follow, s_json, CommandLine.Data };
        foreach (var option in EventFilter.Options)
            command.Add(option);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (filter, json, follow) = (EventFilter.Of(parsed, TimeProvider.System), parsed.GetValue(s_json), parsed.GetValue(s_follow));
        // Whoever follows may have come before the log.
        var files = follow ? LogLocation.Expect(parsed) : LogLocation.Find(parsed);

        using var values = new ValueReader(files.Directory);
        // A number of its own, so that what comes while the newest are looked for is neither shown twice nor passed over.
        var next = JournalFiles.ReadBackwards(files.Directory).Select(leaf => leaf.Index + 1).FirstOrDefault();
        var latest = EventSearch.NewestFirst(files.Directory, filter.Query).SkipWhile(leaf => leaf.Index >= next).Where(filter.Matches);
        foreach (var leaf in latest.Take(parsed.GetValue(s_count)).Reverse())
            Write(leaf, values, json);
        UnsignedEvents.Tell(files);
        if (!follow)
            return (int)ExitCode.Success;
        var follower = new JournalFollower(files.Directory, next);
        try
        {
            while (true)
            {
                await Task.Delay(s_poll, TimeProvider.System, cancellationToken);
                foreach (var leaf in follower.ReadNew().Where(filter.Matches))
                    Write(leaf, values, json);
            }
        }
        catch (OperationCanceledException)
        {
            return (int)ExitCode.Success;
        }
    }

    private static void Write(Leaf leaf, ValueReader values, bool json)
    {
        var line = new EventLine(leaf);
        Console.Out.WriteLine(json ? line.ForPrograms(values) : line.ForPeople(values));
    }
}
