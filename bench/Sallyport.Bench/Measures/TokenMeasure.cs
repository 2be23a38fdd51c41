using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Sallyport.Bench.Processes;

namespace Sallyport.Bench.Measures;

/// <summary>The token endpoint: codes exchanged and tokens refreshed, against npm's oidc-provider with its store in memory.</summary>
internal static class TokenMeasure
{
    private const int AtOnce = 16;

    /// <summary>The peer's store keeps 1,000 entries, and a code with what comes of it takes several: more codes than this and it forgets some.</summary>
    private const int CodesPerBatch = 100;
    private const int BatchesPerRound = 10;
    /// <summary>A grant with few tokens, as real ones are: the peer takes longer for each token the more its grant has.</summary>
    private const int RefreshesPerCode = 5;
    private const int Browsers = 4;

    /// <summary>Long enough for the just-in-time compiler to be done with what is hot, as at the gate: after one round it still took a fifth of the gate's time.</summary>
    private const int WarmUpRounds = 5;

    /// <summary>The two processor times are the server's own, in microseconds for one token.</summary>
    private sealed record Round(double ExchangesPerSecond, double RefreshesPerSecond, double ExchangeCpu, double RefreshCpu, double Elsewhere);

    private sealed class Side(Server server, IReadOnlyList<OAuthClient> clients)
    {
        public Server Server => server;
        public IReadOnlyList<OAuthClient> Clients => clients;
        public List<Round> Rounds { get; } = [];
    }

    public static async Task RunAsync(int rounds, Results results)
    {
        var run = Paths.NewRun();
        try
        {
            await MeasureAsync(run, rounds, results);
        }
        finally
        {
            Directory.Delete(run, recursive: true);
        }
    }

    private static async Task MeasureAsync(string run, int rounds, Results results)
    {
        await using var provider = await OidcProvider.StartAsync();
        await using var gate = await Gate.StartAsync(run, upstream: null);
        var gates = new List<OAuthClient>();
        for (var i = 0; i < Browsers; i++)
            gates.Add(await OAuthClient.RegisterAsync(gate.Server.Origin, Gate.User, gate.Password));
        var providers = Enumerable.Range(0, Browsers).Select(_ => new OAuthClient(provider.Origin, "bench", "/auth", Gate.User, gate.Password, signsInAnew: true)).ToList();
        Side[] sides = [new(provider, providers), new(gate.Server, gates)];
        Tables.Say("Warming up…");
        foreach (var side in sides)
            await RoundAsync(side, WarmUpRounds * BatchesPerRound);
        for (var round = 0; round < rounds; round++)
        {
            Tables.Say(string.Create(CultureInfo.InvariantCulture, $"Round {round + 1} of {rounds}…"));
            foreach (var side in round % 2 == 0 ? sides : sides.Reverse())
                side.Rounds.Add(await RoundAsync(side, BatchesPerRound));
        }
        foreach (var client in sides.SelectMany(side => side.Clients))
            client.Dispose();
        await gate.StopAsync();
        var log = new LogCount(gate.Data);
        log.ReadOn();
        var verified = await Gate.VerifyAsync(gate.Data);
        var issued = (long)(rounds + WarmUpRounds) * BatchesPerRound * CodesPerBatch * (1 + RefreshesPerCode);
        var wholly = log.TokensIssued == issued;
        if (!wholly || verified != Gate.Verified)
            results.Fail();

        IReadOnlyList<double> Of(Side side, Func<Round, double> number) => [.. side.Rounds.Select(number)];
        IReadOnlyList<double> Ratio(Func<Round, double> number) => [.. Of(sides[1], number).Zip(Of(sides[0], number), (mine, theirs) => mine / theirs)];
        foreach (var side in sides)
        {
            results.Value("token", side.Server.Name + " exchanges_per_second", Of(side, round => round.ExchangesPerSecond));
            results.Value("token", side.Server.Name + " refreshes_per_second", Of(side, round => round.RefreshesPerSecond));
            results.Value("token", side.Server.Name + " cpu_us_per_exchange", Of(side, round => round.ExchangeCpu));
            results.Value("token", side.Server.Name + " cpu_us_per_refresh", Of(side, round => round.RefreshCpu));
            results.Value("token", side.Server.Name + " machine_used_elsewhere", Of(side, round => round.Elsewhere));
        }
        results.Ratio("exchange_vs_oidc_provider", Ratio(round => round.ExchangesPerSecond), atLeast: 1.2);
        results.Ratio("refresh_vs_oidc_provider", Ratio(round => round.RefreshesPerSecond), atLeast: 1.2);
        results.Evidence("token", new()
        {
            ["tokens_answered"] = issued,
            ["token_issued"] = log.TokensIssued,
            ["events"] = log.Events,
            ["durability"] = log.Durability,
            ["audit_verify"] = verified,
        });

        Tables.Write($"POST /token, {AtOnce} at once, {rounds} rounds of {BatchesPerRound * CodesPerBatch} codes and {RefreshesPerCode} refreshes each: median (lowest–highest)",
            ["", "exchanges/s", "refreshes/s", "its CPU µs/exchange", "its CPU µs/refresh", "used elsewhere"],
            [.. sides.Select(side => new[]
            {
                side.Server.Name,
                Tables.Show(Of(side, round => round.ExchangesPerSecond), "N0"),
                Tables.Show(Of(side, round => round.RefreshesPerSecond), "N0"),
                Tables.Show(Of(side, round => round.ExchangeCpu), "N0"),
                Tables.Show(Of(side, round => round.RefreshCpu), "N0"),
                Tables.Show(Of(side, round => round.Elsewhere), "P0"),
            }),
            ["gate / oidc-provider", Tables.Show(Ratio(round => round.ExchangesPerSecond), "0.00"), Tables.Show(Ratio(round => round.RefreshesPerSecond), "0.00"),
                Tables.Show(Ratio(round => round.ExchangeCpu), "0.00"), Tables.Show(Ratio(round => round.RefreshCpu), "0.00"), ""]],
            "oidc-provider keeps everything in the memory of its one thread and records nothing; the gate's tokens are in its database and its log.",
            $"The gate's log: {issued:N0} tokens answered, {log.TokensIssued:N0} token.issued; {log.Events:N0} events; durability: {log.Durability}; audit verify: {verified}",
            wholly ? "Every token is in the log." : "FAILED: the log does not account for every token.");
    }

    private static async Task<Round> RoundAsync(Side side, int batches)
    {
        var processors = new Processors();
        var before = side.Server.Process.ProcessorTime;
        Timed exchanging = new(side.Server.Process), refreshing = new(side.Server.Process);
        for (var batch = 0; batch < batches; batch++)
        {
            // Not timed: the codes. Who gets a code redeems it.
            var codes = new ConcurrentBag<(OAuthClient Client, string Code)>();
            await Task.WhenAll(side.Clients.Select(async client =>
            {
                for (var i = 0; i < CodesPerBatch / Browsers; i++)
                    codes.Add((client, await client.AuthorizeAsync()));
            }));

            var chains = codes.ToArray();
            var newest = new Tokens[chains.Length];
            await exchanging.AddAsync(() => EachAsync(chains.Length, async i => newest[i] = await chains[i].Client.RedeemAsync(chains[i].Code)));

            // All chains take a step, then the next one: a step needs its chain's last one, which is long done.
            await refreshing.AddAsync(async () =>
            {
                for (var step = 0; step < RefreshesPerCode; step++)
                    await EachAsync(chains.Length, async i => newest[i] = await chains[i].Client.RefreshAsync(newest[i].RefreshToken));
            });
        }
        var count = batches * CodesPerBatch;
        return new(
            exchanging.PerSecond(count),
            refreshing.PerSecond(count * RefreshesPerCode),
            exchanging.CpuPerOne(count),
            refreshing.CpuPerOne(count * RefreshesPerCode),
            processors.Elsewhere(side.Server.Process.ProcessorTime - before));
    }

    private static Task EachAsync(int count, Func<int, Task> act) =>
        Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, _) => await act(i));

    /// <summary>What several stretches of work took together: on the clock, and of the server's processor time.</summary>
    private sealed class Timed(ChildProcess server)
    {
        private TimeSpan _elapsed;
        private TimeSpan _processor;

        public async Task AddAsync(Func<Task> work)
        {
            var (begun, processor) = (TimeProvider.System.GetTimestamp(), server.ProcessorTime);
            await work();
            _elapsed += TimeProvider.System.GetElapsedTime(begun);
            _processor += server.ProcessorTime - processor;
        }

        public double PerSecond(int count) => count / _elapsed.TotalSeconds;

        public double CpuPerOne(int count) => _processor.TotalMicroseconds / count;
    }
}
