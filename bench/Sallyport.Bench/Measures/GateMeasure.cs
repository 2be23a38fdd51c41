using System.Text.Json.Nodes;
using Sallyport.Bench.Processes;

namespace Sallyport.Bench.Measures;

/// <summary>The price of the gate: the same load directly, through bare YARP, through nginx, and through Sallyport.</summary>
internal static class GateMeasure
{
    /// <summary>Long enough for the just-in-time compiler to be done with what is hot.</summary>
    private const int WarmUpSeconds = 10;

    private sealed record Round(WrkRun Run, double ProxyMicroseconds, double Elsewhere);

    public static async Task RunAsync(int rounds, int seconds, Results results)
    {
        var run = Paths.NewRun();
        try
        {
            await MeasureAsync(run, rounds, seconds, results);
        }
        finally
        {
            Directory.Delete(run, recursive: true);
        }
    }

    private static async Task MeasureAsync(string run, int rounds, int seconds, Results results)
    {
        await using var upstream = await Server.StartOwnAsync("upstream");
        await using var yarp = await Server.StartYarpAsync(upstream.Port);
        await using var nginx = await Server.StartNginxAsync(run, upstream.Port, accessLog: true);
        await using var silentNginx = await Server.StartNginxAsync(run, upstream.Port, accessLog: false);
        await using var gate = await Gate.StartAsync(run, upstream.Port);
        var token = await gate.NewAccessTokenAsync();
        Server[] servers = [upstream, yarp, nginx, silentNginx, gate.Server];
        var measured = servers.ToDictionary(server => server, _ => new List<Round>());
        var log = new LogCount(gate.Data);
        long completed = 0;

        Tables.Say($"Warming up, {WarmUpSeconds} s each…");
        foreach (var server in servers)
        {
            var warmUp = await Wrk.RunAsync(server.Origin, WarmUpSeconds, token);
            completed += server == gate.Server ? warmUp.Requests : 0;
        }
        log.ReadOn();
        for (var round = 0; round < rounds; round++)
        {
            Tables.Say($"Round {round + 1} of {rounds}…");
            // There and back, so that what changes in the course of a round does not favour one of them.
            foreach (var server in round % 2 == 0 ? servers : servers.Reverse())
            {
                var processors = new Processors();
                var before = (Server: server.Process.ProcessorTimeOfTree(), Upstream: upstream.Process.ProcessorTime);
                var load = await Wrk.RunAsync(server.Origin, seconds, token);
                var proxy = server.Process.ProcessorTimeOfTree() - before.Server;
                var all = server == upstream ? proxy : proxy + upstream.Process.ProcessorTime - before.Upstream;
                measured[server].Add(new(load, proxy.TotalMicroseconds / load.Requests, processors.Elsewhere(all)));
                if (server == gate.Server)
                {
                    completed += load.Requests;
                    log.ReadOn();
                    CheckRecorded(log, completed, results);
                }
            }
        }
        await gate.StopAsync();
        log.ReadOn();
        var verified = await Gate.VerifyAsync(gate.Data);
        var wholly = log.Allowed >= completed && log.Forwarded >= completed && log.Forwarded + log.NotForwarded == log.Allowed;
        if (!wholly || verified != Gate.Verified)
            results.Fail();

        IReadOnlyList<double> Of(Server server, Func<Round, double> number) => [.. measured[server].Select(number)];
        IReadOnlyList<double> Over(Server one, Server other, Func<Round, double> number) => [.. Of(one, number).Zip(Of(other, number), (a, b) => a / b)];
        foreach (var server in servers)
        {
            results.Value("gate", server.Name + " requests_per_second", Of(server, round => round.Run.PerSecond));
            results.Value("gate", server.Name + " p50_ms", Of(server, round => round.Run.P50));
            results.Value("gate", server.Name + " p99_ms", Of(server, round => round.Run.P99));
            results.Value("gate", server.Name + " cpu_us_per_request", Of(server, round => round.ProxyMicroseconds));
            results.Value("gate", server.Name + " machine_used_elsewhere", Of(server, round => round.Elsewhere));
        }
        results.Ratio("gate_vs_yarp", Over(gate.Server, yarp, round => round.Run.PerSecond), atLeast: 0.85);
        results.Ratio("gate_vs_nginx", Over(gate.Server, nginx, round => round.Run.PerSecond));
        results.Ratio("gate_vs_nginx_without_log", Over(gate.Server, silentNginx, round => round.Run.PerSecond));
        results.Ratio("gate_vs_direct", Over(gate.Server, upstream, round => round.Run.PerSecond));
        results.Ratio("gate_p50_vs_yarp_p50", Over(gate.Server, yarp, round => round.Run.P50));
        results.Ratio("gate_p99_vs_yarp_p99", Over(gate.Server, yarp, round => round.Run.P99), atMost: 1.5);
        results.Ratio("gate_cpu_vs_yarp_cpu", Over(gate.Server, yarp, round => round.ProxyMicroseconds));
        results.Evidence("gate", new()
        {
            ["requests_completed"] = completed,
            ["events"] = log.Events,
            ["access_allowed"] = log.Allowed,
            ["forwarded"] = log.Forwarded,
            ["durability"] = log.Durability,
            ["audit_verify"] = verified,
        });

        Tables.Write($"tools/call, {Wrk.Connections} connections, {seconds} s, {rounds} rounds: median (lowest–highest)",
            ["", "requests/s", "p50 ms", "p99 ms", "its CPU µs/request", "gate / this, requests/s", "gate / this, p99", "used elsewhere"],
            servers.Select(server => new[]
            {
                server == upstream ? "direct" : server.Name,
                Tables.Show(Of(server, round => round.Run.PerSecond), "N0"),
                Tables.Show(Of(server, round => round.Run.P50), "0.00"),
                Tables.Show(Of(server, round => round.Run.P99), "0.00"),
                Tables.Show(Of(server, round => round.ProxyMicroseconds), "0.0"),
                server == gate.Server ? "" : Tables.Show(Over(gate.Server, server, round => round.Run.PerSecond), "0.00"),
                server == gate.Server ? "" : Tables.Show(Over(gate.Server, server, round => round.Run.P99), "0.00"),
                Tables.Show(Of(server, round => round.Elsewhere), "P0"),
            }),
            $"wrk, proxy and upstream share {Environment.ProcessorCount} cores; nothing is pinned. The ratios are taken within each round.",
            $"The gate's log: {completed:N0} calls answered 2xx; {log.Allowed:N0} access.allowed, {log.Forwarded:N0} of them forwarded; {log.Events:N0} events; durability: {log.Durability}; audit verify: {verified}",
            wholly ? "Every call was recorded before it was forwarded, and its outcome after." : "FAILED: the log does not account for every call.");
    }

    /// <summary>Every answered call has its record; the calls that wrk broke off at the end of a run have one too.</summary>
    private static void CheckRecorded(LogCount log, long completed, Results results)
    {
        if (log.Allowed >= completed)
            return;
        results.Fail();
        Tables.Say($"FAILED: {completed} calls were answered, and {log.Allowed} recorded");
    }
}
