using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Sallyport.Server.Audit;
using Sallyport.Server.Findings;
using ClaimJudge = Sallyport.Proof.Claims.ClaimJudge;

namespace Sallyport.Tests.Findings;

/// <summary>The gate reads its own log, and records what its rules find.</summary>
public class FindingsTests
{
    [Fact]
    public async Task A_refresh_token_that_is_used_again_after_its_grace_is_a_finding()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var first = await client.TokensAsync();
        await client.RefreshAsync(first.RefreshToken!);
        gate.Time.Advance(TimeSpan.FromSeconds(31));
        var reuse = gate.EventOf<TokenRefused>(await client.RefreshAsync(first.RefreshToken!));

        var finding = await FindingAsync(gate);

        Assert.Equal((FindingRule.Reuse, client.Id, reuse.Grant), (finding.Rule, finding.Client, finding.Grant));
        Assert.Equal(reuse.Id, gate.Events()[(int)finding.Last].Id);
        Assert.NotEqual("", finding.Id);
    }

    [Fact]
    public async Task A_flood_of_registrations_from_one_source_is_one_finding()
    {
        await using var gate = await TestGate.StartAsync();
        for (var i = 0; i < 49; i++)
            await TestClient.RegisterAsync(gate);
        Assert.Empty(await FindingsAsync(gate));
        for (var i = 0; i < 10; i++)
            await TestClient.RegisterAsync(gate);

        var finding = Assert.Single(await FindingsAsync(gate));

        var registered = gate.Events<ClientRegistered>();
        Assert.Equal((FindingRule.RegistrationFlood, registered[0].Source, 50), (finding.Rule, finding.Source, finding.Count));
        Assert.Equal((registered[0].Id, registered[49].Id), (gate.Events()[(int)finding.First].Id, gate.Events()[(int)finding.Last].Id));
    }

    [Fact]
    public async Task Who_asks_for_sessions_of_others_is_found()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var client = await TestClient.RegisterAsync(gate);
        var opened = await gate.PostMcpAsync((await client.TokensAsync()).AccessToken, Messages.Initialize);
        var bob = (await client.TokensAsync("bob")).AccessToken;
        for (var i = 0; i < 3; i++)
            await gate.PostMcpAsync(bob, Messages.Call(1, "echo"), session: opened.Headers.GetValues("Mcp-Session-Id").Single());

        var finding = await FindingAsync(gate);

        Assert.Equal((FindingRule.SessionProbing, client.Id, gate.Events<UserAuthenticated>()[^1].Subject), (finding.Rule, finding.Client, finding.Subject));
    }

    [Fact]
    public async Task A_client_that_presents_its_expired_token_again_and_again_is_named()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var token = (await client.TokensAsync()).AccessToken;
        gate.Time.Advance(TimeSpan.FromHours(1));
        for (var i = 0; i < 20; i++)
        {
            var refused = gate.EventOf<AccessRefused>(await gate.PostMcpAsync(token, Messages.Call(1, "echo")));
            Assert.Equal((Reason.TokenExpired, client.Id, gate.Events<TokenIssued>()[0].Token), (refused.Reason, refused.Client, refused.Token));
            gate.Time.Advance(TimeSpan.FromSeconds(30));
        }

        var finding = await FindingAsync(gate);

        Assert.Equal((FindingRule.ExpiredReplay, client.Id, gate.Events<TokenIssued>()[0].Subject, 20), (finding.Rule, finding.Client, finding.Subject, finding.Count));
    }

    [Fact]
    public async Task A_token_that_two_use_far_from_each_other_is_found_and_no_event_says_where()
    {
        await using var gate = await TestGate.StartAsync();
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        HttpClient[] places = [gate.NewClient(from: "198.51.100.7"), gate.NewClient(from: "203.0.113.9")];
        for (var i = 0; i < 8; i++)
            (await places[i % 2].SendAsync(gate.McpRequest(token, Messages.Initialize), TestContext.Current.CancellationToken)).EnsureSuccessStatusCode();

        var finding = await FindingAsync(gate);

        Assert.Equal((FindingRule.DistantNetworks, 6, null), (finding.Rule, finding.Count, finding.Source));
        var leaf = System.Text.Encoding.UTF8.GetString(AuditEventJson.Write(finding));
        Assert.DoesNotContain("198.51", leaf, StringComparison.Ordinal);
        Assert.DoesNotContain("203.0", leaf, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_finding_is_counted_by_its_rule()
    {
        await using var gate = await TestGate.StartAsync();
        var counted = new List<(long, string?)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listening) =>
            {
                if (instrument.Name == "sallyport.findings" && instrument.Meter.Name == "Sallyport" && instrument.Meter.Scope == gate.Services.GetRequiredService<IMeterFactory>())
                    listening.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, measurement, tags, _) => counted.Add((measurement, Assert.Single(tags.ToArray()) is { Key: "rule" } tag ? (string?)tag.Value : null)));
        listener.Start();
        await ReuseAsync(gate);
        await FindingAsync(gate);
        await FindingsAsync(gate);

        Assert.Equal([(1L, "reuse")], counted);
    }

    [Fact]
    public async Task A_start_neither_forgets_nor_says_again()
    {
        using var data = new TestData();
        var time = new TestClock();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Time = time }))
        {
            var grant = await ReuseAsync(gate);
            Assert.Equal(grant, (await FindingAsync(gate)).Grant);
            for (var i = 0; i < 48; i++)
                await TestClient.RegisterAsync(gate);
            await FindingsAsync(gate);
        }
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Time = time }, withUser: false))
        {
            Assert.Single(await FindingsAsync(gate));
            await TestClient.RegisterAsync(gate, name: "the fiftieth");

            Assert.Equal([FindingRule.Reuse, FindingRule.RegistrationFlood], (await FindingsAsync(gate)).Select(finding => finding.Rule));
        }
    }

    [Fact]
    public async Task What_a_gate_could_not_say_any_more_is_said_at_the_next_start()
    {
        using var data = new TestData();
        string grant;
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Services = services => services.Remove(services.Single(service => service.ServiceType == typeof(IHostedService) && service.ImplementationType == typeof(FindingsService))) }))
            grant = await ReuseAsync(gate);
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false))
            Assert.Equal(grant, (await FindingAsync(gate)).Grant);
    }

    [Fact]
    public async Task What_stands_further_back_than_a_start_reads_is_not_said_again()
    {
        using var data = new TestData();
        var time = new TestClock();
        string token;
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Time = time, Journal = new() { SegmentBytes = 2_000 } }))
        {
            token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
            time.Advance(TimeSpan.FromHours(1));
            await ReplayAsync(gate);
            await FindingAsync(gate);
            for (var i = 0; i < 40; i++)
                await gate.Http.GetAsync("/.well-known/oauth-authorization-server", TestContext.Current.CancellationToken);
        }
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Time = time, Journal = new() { SegmentBytes = 2_000 }, Services = services => services.AddSingleton(new ReadBackLimits(Events: 20)) }, withUser: false))
        {
            await ReplayAsync(gate);
            Assert.Single(await FindingsAsync(gate));
        }
        // Two days later it is said.
        time.Advance(TimeSpan.FromDays(2));
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Time = time, Services = services => services.AddSingleton(new ReadBackLimits(Events: 20)) }, withUser: false))
        {
            await ReplayAsync(gate);
            Assert.Equal(2, (await FindingsAsync(gate)).Count);
        }

        async Task ReplayAsync(TestGate gate)
        {
            for (var i = 0; i < 20; i++)
            {
                Assert.Equal(Reason.TokenExpired, gate.EventOf<AccessRefused>(await gate.PostMcpAsync(token, Messages.Call(1, "echo"))).Reason);
                time.Advance(TimeSpan.FromSeconds(10));
            }
        }
    }

    [Fact]
    public async Task What_happened_just_before_the_end_is_found_before_it()
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
            await ReuseAsync(gate);

        var events = JournalFiles.ReadAll(Path.Combine(data.Root, "log")).Select(leaf => leaf.Event).ToList();
        Assert.Single(events.OfType<FindingRaised>());
        Assert.IsType<Stopped>(events[^1]);
    }

    [Fact]
    public async Task A_finding_decides_no_claim()
    {
        await using var gate = await TestGate.StartAsync();
        await ReuseAsync(gate);
        var finding = await FindingAsync(gate);
        var judge = new ClaimJudge();
        foreach (var (index, next) in gate.Events().Index())
            judge.Observe(index, next);
        var without = new ClaimJudge();
        foreach (var (index, next) in gate.Events().Where(next => next.Id != finding.Id).Index())
            without.Observe(index, next);

        Assert.Equal(
            without.Conclude(new()).Claims.Select(claim => (claim.Claim, claim.Status, claim.FindingCount)),
            judge.Conclude(new()).Claims.Select(claim => (claim.Claim, claim.Status, claim.FindingCount)));
    }

    /// <summary>The grant whose refresh token came again.</summary>
    internal static async Task<string> ReuseAsync(TestGate gate)
    {
        var client = await TestClient.RegisterAsync(gate);
        var first = await client.TokensAsync();
        await client.RefreshAsync(first.RefreshToken!);
        gate.Time.Advance(TimeSpan.FromSeconds(31));
        return gate.EventOf<TokenRefused>(await client.RefreshAsync(first.RefreshToken!)).Grant!;
    }

    /// <summary>The first one, when it has come.</summary>
    internal static async Task<FindingRaised> FindingAsync(TestGate gate)
    {
        for (var begun = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(30);)
        {
            if (gate.Events<FindingRaised>().FirstOrDefault() is { } found)
                return found;
            await RoundAsync(gate);
        }
        throw new TimeoutException("no finding has come");
    }

    /// <summary>All that the gate finds in what its log has now.</summary>
    internal static async Task<IReadOnlyList<FindingRaised>> FindingsAsync(TestGate gate)
    {
        var service = gate.Services.GetServices<IHostedService>().OfType<FindingsService>().Single();
        while (service.Read < gate.Services.GetRequiredService<AuditLog>().Length)
            await RoundAsync(gate);
        return gate.Events<FindingRaised>();
    }

    internal static async Task RoundAsync(TestGate gate)
    {
        gate.Time.Advance(TimeSpan.FromSeconds(1));
        await gate.Services.GetRequiredService<AuditLog>().SyncAsync();
    }
}
