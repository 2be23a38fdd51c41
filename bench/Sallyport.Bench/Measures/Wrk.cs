using System.Globalization;
using System.Text.RegularExpressions;
using Sallyport.Bench.Processes;

namespace Sallyport.Bench.Measures;

/// <summary>One run of wrk.</summary>
internal sealed record WrkRun(long Requests, double PerSecond, double P50, double P99);

/// <summary>The load: 32 connections that call one tool, each as soon as it has the answer to its last call.</summary>
internal static partial class Wrk
{
    public const int Connections = 32;

    /// <param name="origin">The server that is called.</param>
    /// <param name="seconds">For how long.</param>
    /// <param name="token">The access token; every server gets the header, only the gate reads it.</param>
    public static async Task<WrkRun> RunAsync(string origin, int seconds, string token)
    {
        var finished = await ChildProcess.RunAsync("wrk",
            ["-t2", string.Create(CultureInfo.InvariantCulture, $"-c{Connections}"), string.Create(CultureInfo.InvariantCulture, $"-d{seconds}s"),
                "--latency", "-s", Path.Combine(Paths.Bench, "tools-call.lua"), origin + "/mcp"],
            input: null, ("BENCH_AUTHORIZATION", "Bearer " + token));
        var line = Line().Match(finished.Output);
        if (finished.ExitCode != 0 || !line.Success)
            throw new BenchFault($"wrk ended with {finished.ExitCode}: {finished.Output}{finished.Error}");
        long Number(string name) => long.Parse(line.Groups[name].ValueSpan, CultureInfo.InvariantCulture);
        if (Number("requests") == 0 || Number("status") + Number("socket") > 0)
            throw new BenchFault($"{origin} did not answer everything well, so the round counts for nothing: {line.Value}");
        return new(Number("requests"), Number("requests") / (Number("microseconds") / 1e6), Number("p50") / 1e3, Number("p99") / 1e3);
    }

    [GeneratedRegex("^bench requests=(?<requests>[0-9]+) microseconds=(?<microseconds>[0-9]+) p50=(?<p50>[0-9]+) p99=(?<p99>[0-9]+) status=(?<status>[0-9]+) socket=(?<socket>[0-9]+)", RegexOptions.Multiline)]
    private static partial Regex Line();
}
