using System.Globalization;
using System.Text.Json.Nodes;
using Sallyport.Bench.Processes;

namespace Sallyport.Bench.Measures;

/// <summary>How fast <c>audit verify</c> goes through a log that a real gate wrote, on one core, and how much memory that takes.</summary>
internal static class VerifyMeasure
{
    private const int FillSeconds = 20;
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);

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
        if (!await Gate.CanVerifyAsync())
        {
            Tables.Say("verify: n/a, sallyport has no 'audit verify' yet");
            results.Evidence("verify", new() { ["audit_verify"] = "n/a" });
            return;
        }
        var log = await FillAsync(run, events);
        var measured = new List<Round>();
        for (var round = -1; round < rounds; round++)
        {
            Tables.Say(round < 0 ? "Warming up…" : $"Round {round + 1} of {rounds}…");
            var time = TimeProvider.System;
            var begun = time.GetTimestamp();
            // One core as the runtime counts them: the garbage collector has no other to itself either. Without diagnostics, as ./sallyport
            // starts the program, which would start itself once more otherwise.
            await using var verification = ChildProcess.Start(
                "dotnet", [Paths.Gate, "audit", "verify", Path.Combine(run, "gate")], environment: [("DOTNET_PROCESSOR_COUNT", "1"), ("DOTNET_EnableDiagnostics", "0")]);
            long peak = 0;
            while (!verification.HasExited)
            {
                peak = Math.Max(peak, verification.PeakMemoryKib() ?? 0);
                await Task.Delay(s_look, time);
            }
            var elapsed = time.GetElapsedTime(begun);
            var finished = await verification.WaitAsync();
            if (finished.ExitCode != 0)
                throw new BenchFault($"audit verify ended with {finished.ExitCode}: {finished.Output}{finished.Error}");
            if (round >= 0)
                measured.Add(new(log.Events / elapsed.TotalSeconds, peak / 1024.0));
        }
        var name = events.ToString(CultureInfo.InvariantCulture);
        IReadOnlyList<double> speeds = [.. measured.Select(round => round.EventsPerSecond)];
        IReadOnlyList<double> peaks = [.. measured.Select(round => round.PeakMebibytes)];
        results.Value("verify", $"{name} events_per_second", speeds);
        results.Value("verify", $"{name} peak_mib", peaks);
        results.Ratio($"verify_{name}_vs_million_per_second", [.. speeds.Select(speed => speed / 1e6)], atLeast: 1);
        results.Evidence("verify", new JsonObject { ["events"] = log.Events, ["durability"] = log.Durability, ["audit_verify"] = "verified" });
        Tables.Write($"audit verify of {log.Events:N0} events, one core, start included, {rounds} rounds: median (lowest–highest)",
            ["events/s", "peak resident, MiB"],
            [[Tables.Show(speeds, "N0"), Tables.Show(peaks, "N0")]]);
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
