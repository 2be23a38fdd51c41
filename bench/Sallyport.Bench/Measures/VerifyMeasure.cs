using System.Globalization;
using System.Text.Json.Nodes;
using Sallyport.Bench.Processes;

namespace Sallyport.Bench.Measures;

/// <summary>How fast <c>audit verify</c> and <c>audit report</c> go through a log that a real gate wrote, on one core, and how much memory that takes.</summary>
internal static class VerifyMeasure
{
    private const int FillSeconds = 20;
    private const int Enforced = 0;
    private const int NotProven = 2;

    private sealed record Round(double EventsPerSecond, double PeakMebibytes);

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
        var log = await FillAsync(run, events);
        var name = events.ToString(CultureInfo.InvariantCulture);
        var verdict = await Gate.VerifyAsync(Path.Combine(run, "gate"));
        if (verdict != Gate.Verified)
            results.Fail();
        var verified = await MeasureAsync("audit verify", log, rounds, "audit", "verify", Path.Combine(run, "gate"));
        results.Ratio($"verify_{name}_vs_million_per_second", [.. verified.Select(round => round.EventsPerSecond / 1e6)], atLeast: 1);
        Keep("verify", verified);
        // Nobody has tried without a token, so that it is not proven; what deciding takes is the same.
        var judged = await MeasureAsync("audit report", log, rounds, "audit", "report", Path.Combine(run, "gate"), "--format", "json");
        results.Ratio($"report_{name}_vs_half_a_million_per_second", [.. judged.Select(round => round.EventsPerSecond / 5e5)], atLeast: 1);
        Keep("report", judged);
        Tables.Write($"A log of {log.Events:N0} events, one core, start included, {rounds} rounds: median (lowest–highest)",
            ["", "events/s", "peak resident, MiB"], [Row("audit verify", verified), Row("audit report", judged)]);

        void Keep(string part, IReadOnlyList<Round> measured)
        {
            results.Value($"{part}_{name}", "events_per_second", [.. measured.Select(round => round.EventsPerSecond)]);
            results.Value($"{part}_{name}", "peak_mib", [.. measured.Select(round => round.PeakMebibytes)]);
            results.Evidence($"{part}_{name}", new() { ["events"] = log.Events, ["durability"] = log.Durability, ["audit_verify"] = verdict });
        }
    }

    private static string[] Row(string command, IReadOnlyList<Round> measured) =>
        [command, Tables.Show([.. measured.Select(round => round.EventsPerSecond)], "N0"), Tables.Show([.. measured.Select(round => round.PeakMebibytes)], "N0")];

    private static async Task<IReadOnlyList<Round>> MeasureAsync(string what, LogCount log, int rounds, params string[] arguments)
    {
        var measured = new List<Round>();
        for (var round = -1; round < rounds; round++)
        {
            Tables.Say(round < 0 ? $"{what}: warming up…" : $"{what}: round {round + 1} of {rounds}…");
            var timed = await TimedRun.OfGateAsync(what, arguments, Enforced, NotProven);
            if (round >= 0)
                measured.Add(new(log.Events / timed.Elapsed.TotalSeconds, timed.PeakMebibytes));
        }
        return measured;
    }

    /// <summary>A log of so many events, as a gate writes them under load: no other writer could know what a verifier will look at.</summary>
    /// <param name="before">What happens at its beginning.</param>
    public static async Task<LogCount> FillAsync(string run, int events, Func<Gate, Task>? before = null)
    {
        await using var upstream = await Server.StartOwnAsync("upstream");
        await using var gate = await Gate.StartAsync(run, upstream.Port);
        if (before is not null)
            await before(gate);
        var token = await gate.NewAccessTokenAsync();
        var log = new LogCount(gate.Data);
        while (log.Events < events)
        {
            Tables.Say($"Filling the log: {log.Events:N0} of {events:N0} events…");
            await Wrk.RunAsync(gate.Server.Origin, FillSeconds, token);
            log.ReadOn();
        }
        await gate.StopAsync();
        log.ReadOn();
        return log;
    }
}
