using System.Text.Json.Nodes;
using Sallyport.Bench.Processes;

namespace Sallyport.Bench.Measures;

/// <summary>From the start of the process to its first 401, and its memory at rest, against an app that can say nothing but 401.</summary>
internal static class StartMeasure
{
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(2);

    private sealed record Round(double Milliseconds, double Mebibytes);

    public static async Task RunAsync(int rounds, Results results)
    {
        var run = Paths.NewRun();
        try
        {
            var data = Path.Combine(run, "gate");
            await using (var first = await Gate.StartAsync(run, upstream: null))
                await first.StopAsync();
            List<Round> gates = [], blanks = [];
            for (var round = -1; round < rounds; round++)
            {
                Tables.Say(round < 0 ? "Warming up…" : $"Round {round + 1} of {rounds}…");
                var gate = await RoundAsync(() => Gate.ServeAsync(data, upstream: null));
                var blank = await RoundAsync(() => Server.StartOwnAsync("blank"));
                if (round < 0)
                    continue;
                gates.Add(gate);
                blanks.Add(blank);
            }
            var log = new LogCount(data);
            log.ReadOn();
            var verified = await Gate.VerifyAsync(data);
            if (verified != Gate.Verified)
                results.Fail();
            results.Evidence("start", new()
            {
                ["data_directory"] = "existing, one user",
                ["rest_seconds"] = s_rest.TotalSeconds,
                ["events"] = log.Events,
                ["durability"] = log.Durability,
                ["audit_verify"] = verified,
            });
            Report(gates, blanks, rounds, results);
        }
        finally
        {
            Directory.Delete(run, recursive: true);
        }
    }

    private static async Task<Round> RoundAsync(Func<Task<Server>> start)
    {
        await using var server = await start();
        await Task.Delay(s_rest, TimeProvider.System);
        return new(server.FirstAnswer.TotalMilliseconds, server.Process.ResidentKib() / 1024.0);
    }

    private static void Report(List<Round> gates, List<Round> blanks, int rounds, Results results)
    {
        IReadOnlyList<double> Ratio(Func<Round, double> number) => [.. gates.Zip(blanks, (gate, blank) => number(gate) / number(blank))];
        foreach (var (name, side) in new[] { ("gate", gates), ("blank", blanks) })
        {
            results.Value("start", name + " first_401_ms", [.. side.Select(round => round.Milliseconds)]);
            results.Value("start", name + " resident_mib", [.. side.Select(round => round.Mebibytes)]);
        }
        results.Ratio("start_vs_blank", Ratio(round => round.Milliseconds));
        results.Ratio("memory_vs_blank", Ratio(round => round.Mebibytes));

        string[] Row(string name, List<Round> side) => [name, Tables.Show([.. side.Select(round => round.Milliseconds)], "N0"), Tables.Show([.. side.Select(round => round.Mebibytes)], "N1")];
        Tables.Write($"From nothing to the first 401, {rounds} rounds: median (lowest–highest)",
            ["", "first 401, ms", "resident at rest, MiB"],
            [Row("blank", blanks), Row("gate", gates), ["gate / blank", Tables.Show(Ratio(round => round.Milliseconds), "0.00"), Tables.Show(Ratio(round => round.Mebibytes), "0.00")]],
            "Both are started by 'dotnet'. The gate's data directory exists already; its first 401 is in the log before it is answered.");
    }
}
