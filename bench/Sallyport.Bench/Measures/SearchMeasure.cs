using System.Text.Json;
using System.Text.Json.Nodes;
using Sallyport.Bench.Processes;

namespace Sallyport.Bench.Measures;

/// <summary>How long whole commands take to find events in a large log, with its index and without, and what the index costs.</summary>
internal static class SearchMeasure
{
    /// <summary>Bytes of an entry of the index, one for each event.</summary>
    private const int EntryBytes = 40;
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);

    public static async Task RunAsync(int rounds, int events, Results results)
    {
        var run = Paths.NewRun();
        try
        {
            await MeasureAsync(run, rounds, events, results);
        }
        finally
        {
            Directory.Delete(run, recursive: true);
        }
    }

    private static async Task MeasureAsync(string run, int rounds, int events, Results results)
    {
        // The first client is not heard of again: what it did is looked for through all that came after.
        var log = await VerifyMeasure.FillAsync(run, events, async gate => await gate.NewAccessTokenAsync());
        var data = Path.Combine(run, "gate");
        var index = Path.Combine(data, "log", "index");
        var aside = Path.Combine(run, "index");
        var (oldest, newest) = (IdOf(await FirstAsync(data, "start")), IdOf(await AuditAsync(data, "tail", "--json", "-n", "1")));
        var client = EventOf(await FirstAsync(data, "client.registered")).GetProperty("client").GetString()!;
        var indexBytes = SizeOf(index);
        (string Name, string[] Command)[] searches =
        [
            ("prove the oldest", ["prove", oldest]),
            ("prove the newest", ["prove", newest]),
            ("tail of a client", ["tail", "--client", client, "--count", "20"]),
        ];
        var measured = searches.ToDictionary(search => search.Name, _ => (With: new List<double>(), Without: new List<double>()));
        for (var round = -1; round < rounds; round++)
        {
            Tables.Say(round < 0 ? "Warming up…" : $"Round {round + 1} of {rounds}…");
            foreach (var (name, command) in searches)
            {
                var (with, answer) = await TimedAsync(data, command);
                Directory.Move(index, aside);
                var (without, same) = await TimedAsync(data, command);
                Directory.Move(aside, index);
                if (answer != same)
                    throw new BenchFault($"audit {string.Join(' ', command)} answers otherwise without the index");
                if (round < 0)
                    continue;
                measured[name].With.Add(with);
                measured[name].Without.Add(without);
            }
        }
        var whole = await ServeUntilIndexedAsync(data, log.Events);
        Directory.Delete(index, recursive: true);
        var anew = await ServeUntilIndexedAsync(data, log.Events);

        var bytesPerEvent = indexBytes / (double)log.Events;
        var microseconds = (anew - whole).TotalMicroseconds / log.Events;
        foreach (var (name, (with, without)) in measured)
        {
            results.Value("search", $"{events} {name} ms", with);
            results.Value("search", $"{events} {name} without_index ms", without);
        }
        results.Evidence("search", new JsonObject { ["events"] = log.Events, ["index_bytes_per_event"] = bytesPerEvent, ["index_cpu_us_per_event"] = microseconds });
        Tables.Write($"Whole commands over {log.Events:N0} events, ms, {rounds} rounds: median (lowest–highest); index: {bytesPerEvent:N1} bytes and {microseconds:N2} µs of processor an event",
            ["search", "with the index", "without"],
            [.. measured.Select(search => (string[])[search.Key, Tables.Show(search.Value.With, "N0"), Tables.Show(search.Value.Without, "N0")])]);
    }

    private static async Task<(double Milliseconds, string Answer)> TimedAsync(string data, string[] command)
    {
        var begun = TimeProvider.System.GetTimestamp();
        var answer = await AuditAsync(data, command);
        return (TimeProvider.System.GetElapsedTime(begun).TotalMilliseconds, answer);
    }

    private static async Task<string> AuditAsync(string data, params string[] command)
    {
        var finished = await ChildProcess.RunAsync("dotnet", [Paths.Gate, "audit", .. command, "--data", data]);
        return finished.ExitCode == 0 ? finished.Output : throw new BenchFault($"audit {string.Join(' ', command)} ended with {finished.ExitCode}: {finished.Error}");
    }

    private static async Task<string> FirstAsync(string data, string type) => (await AuditAsync(data, "export", "--type", type)).Split('\n')[0];

    private static JsonElement EventOf(string line) => JsonElement.Parse(line).GetProperty("event");

    private static string IdOf(string line) => EventOf(line).GetProperty("id").GetString()!;

    /// <summary>The processor time of a gate from its start until its log has an index of so many events.</summary>
    private static async Task<TimeSpan> ServeUntilIndexedAsync(string data, long events)
    {
        await using var gate = await Gate.ServeAsync(data, upstream: null);
        while (SizeOf(Path.Combine(data, "log", "index")) / EntryBytes < events)
            await Task.Delay(s_look, TimeProvider.System);
        var spent = gate.Process.ProcessorTimeOfTree();
        await gate.Process.TerminateAsync();
        return spent;
    }

    private static long SizeOf(string directory) => Directory.Exists(directory) ? new DirectoryInfo(directory).EnumerateFiles().Sum(file => file.Length) : 0;
}
