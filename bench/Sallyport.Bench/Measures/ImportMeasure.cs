using System.Globalization;
using System.Text.Json.Nodes;
using Sallyport.Bench.Processes;

namespace Sallyport.Bench.Measures;

/// <summary>How fast <c>audit import</c> goes through an access log in the combined format, on one core, against GoAccess on the same file; and whether its memory grows with it.</summary>
internal static class ImportMeasure
{
    private const int Contradicted = 1;
    private const int NotProven = 2;
    private static readonly string[] s_agents = ["openai-mcp/1.0.0", "Claude-User", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "python-httpx/0.28.1"];

    public static async Task RunAsync(int rounds, int megabytes, Results results)
    {
        var run = Paths.NewRun();
        try
        {
            var (log, part) = (Path.Combine(run, "access.log"), Path.Combine(run, "part.log"));
            Tables.Say($"Writing {megabytes:N0} MB of access log…");
            var lines = await WriteAsync(log, megabytes * 1_000_000L);
            await WriteAsync(part, megabytes * 100_000L);
            List<TimedRun> ours = [], theirs = [], ofPart = [];
            for (var round = -1; round < rounds; round++)
            {
                Tables.Say(round < 0 ? "import: warming up…" : $"import: round {round + 1} of {rounds}…");
                var mine = await ImportAsync(log);
                var other = await TimedRun.OfAsync("goaccess", "goaccess", [log, "--no-global-config", "--log-format=COMBINED", "-o", Path.Combine(run, "goaccess.json")], [0]);
                var small = await ImportAsync(part);
                if (round < 0)
                    continue;
                ours.Add(mine);
                theirs.Add(other);
                ofPart.Add(small);
            }
            Report(lines, megabytes, ours, theirs, ofPart, results);
        }
        finally
        {
            Directory.Delete(run, recursive: true);
        }
    }

    private static Task<TimedRun> ImportAsync(string log) => TimedRun.OfGateAsync("audit import", ["audit", "import", log, "--format", "json"], Contradicted, NotProven);

    private static void Report(long lines, int megabytes, List<TimedRun> ours, List<TimedRun> theirs, List<TimedRun> ofPart, Results results)
    {
        double[] PerSecond(List<TimedRun> runs) => [.. runs.Select(run => lines / run.Elapsed.TotalSeconds)];
        double[] Peaks(List<TimedRun> runs) => [.. runs.Select(run => run.PeakMebibytes)];
        double[] ratio = [.. ours.Zip(theirs, (mine, other) => other.Elapsed / mine.Elapsed)];
        double[] growth = [.. ours.Zip(ofPart, (whole, part) => whole.PeakMebibytes / part.PeakMebibytes)];
        results.Ratio("import_vs_goaccess", ratio, atLeast: 2);
        results.Ratio("import_memory_vs_a_tenth", growth);
        foreach (var (name, runs) in new[] { ("audit import", ours), ("goaccess", theirs) })
        {
            results.Value("import", name + " lines_per_second", PerSecond(runs));
            results.Value("import", name + " peak_mib", Peaks(runs));
        }
        results.Value("import", "audit import of a tenth peak_mib", Peaks(ofPart));
        results.Evidence("import", new JsonObject { ["megabytes"] = megabytes, ["lines"] = lines });
        string[] Row(string name, List<TimedRun> runs) => [name, Tables.Show(PerSecond(runs), "N0"), Tables.Show(Peaks(runs), "N0")];
        Tables.Write($"{lines:N0} lines of access log, {megabytes:N0} MB, start included, {ours.Count} rounds: median (lowest–highest)",
            ["", "lines/s", "peak resident, MiB"],
            [Row("audit import, one core", ours), Row("goaccess", theirs), ["audit import / goaccess", Tables.Show(ratio, "0.00"), ""], ["audit import, a tenth of it", "", Tables.Show(Peaks(ofPart), "N0")]]);
    }

    /// <summary>A busy server's: thousands of addresses, clients that sign in, call and are refused, and what else comes by. Gives the number of lines.</summary>
    private static async Task<long> WriteAsync(string file, long bytes)
    {
        var begin = new DateTimeOffset(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);
        var lines = 0L;
        await using var stream = File.Create(file);
        await using var writer = new StreamWriter(stream, bufferSize: 1 << 16);
        for (var written = 0L; written < bytes; lines++)
        {
            // A fixed walk: the same file each time.
            var dice = unchecked((uint)(lines * 2_654_435_761L) >> 8);
            var (request, status) = (dice % 100) switch
            {
                < 60 => ("POST /mcp", 200),
                < 70 => ("POST /mcp", 401),
                < 75 => ("GET /sse", 200),
                < 85 => (string.Create(CultureInfo.InvariantCulture, $"POST /messages/?session_id={dice % 5000:x8}"), 202),
                < 88 => ("GET /.well-known/oauth-protected-resource/mcp", 200),
                < 90 => ("POST /register", 201),
                < 92 => (string.Create(CultureInfo.InvariantCulture, $"GET /authorize?response_type=code&client_id={dice % 1000:x8}&state={dice:x8}&code_challenge=BSqSWAyqJtJA50LUrwduwOibS5XAuctuSvz3NcQ2whI&code_challenge_method=S256"), 302),
                < 94 => (string.Create(CultureInfo.InvariantCulture, $"GET /oauth/callback?code={dice:x8}&state={dice:x8}"), 302),
                < 97 => ("POST /token", 200),
                _ => (string.Create(CultureInfo.InvariantCulture, $"GET /wp-content/{dice % 3000}.php"), 404),
            };
            var line = string.Create(CultureInfo.InvariantCulture, $"203.0.{dice % 50}.{dice / 50 % 250} - - [{begin.AddMilliseconds(lines * 20):dd/MMM/yyyy:HH:mm:ss} +0000] \"{request} HTTP/1.1\" {status} {dice % 4000} \"-\" \"{s_agents[dice % 4]}\"\n");
            await writer.WriteAsync(line);
            written += line.Length;
        }
        return lines;
    }
}
