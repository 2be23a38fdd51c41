using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Tests.Pipeline;

/// <summary>How often anybody may guess, and where a request is held to come from.</summary>
public class RequestLimitsTests
{
    private const string Elsewhere = "192.0.2.7";

    [Fact]
    public async Task A_flood_of_wrong_passwords_locks_out_its_source_and_nobody_else()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var guesser = new TestBrowser(gate);
        await guesser.OpenAsync(client.AuthorizeUrl());
        for (var i = 0; i < 10; i++)
            Assert.Equal(HttpStatusCode.Unauthorized, (await guesser.SubmitAsync(("username", TestGate.UserName), ("password", $"wrong {i}"))).StatusCode);

        await guesser.OpenAsync(client.AuthorizeUrl());
        var form = await guesser.FormAsync();
        var locked = await guesser.SubmitAsync(("username", TestGate.UserName.ToUpperInvariant()), ("password", TestGate.Password));
        var owner = new TestBrowser(gate, from: Elsewhere);
        var redirect = await owner.AuthorizeAsync(client.AuthorizeUrl());

        Assert.NotNull(form);
        Assert.Equal(HttpStatusCode.TooManyRequests, locked.StatusCode);
        Assert.NotNull(locked.Headers.RetryAfter);
        Assert.Equal(Reason.LimitAccount, gate.EventOf<RequestsLimited>(locked).Reason);
        Assert.NotNull(redirect.Query("code"));
    }

    [Fact]
    public async Task DOS_07_guesses_at_once_are_limited_like_guesses_in_turn()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var guesser = new TestBrowser(gate);
        await guesser.OpenAsync(client.AuthorizeUrl());

        var form = await guesser.FormAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => guesser.SubmitAsync(form, ("username", TestGate.UserName), ("password", $"wrong {i}"))));

        Assert.Equal(10, answers.Count(answer => answer.StatusCode == HttpStatusCode.Unauthorized));
        Assert.Equal(40, answers.Count(answer => answer.StatusCode == HttpStatusCode.TooManyRequests));
        Assert.Equal(10, gate.Events<UserRefused>().Count(refused => refused.Reason == Reason.CredentialsWrong));
    }

    [Fact]
    public async Task DOS_07_passwords_are_looked_at_one_at_a_time_for_each_source_and_few_wait()
    {
        await using var turns = new PasswordTurns();
        var cancellationToken = TestContext.Current.CancellationToken;
        var first = await turns.WaitAsync("one", cancellationToken);

        var waiting = Enumerable.Range(0, 60).Select(_ => turns.WaitAsync("one", cancellationToken)).ToList();
        var tooMany = await turns.WaitAsync("one", cancellationToken);
        Assert.All(waiting, wait => Assert.False(wait.IsCompleted));
        first!.Dispose();
        var next = await waiting[0];

        Assert.Null(tooMany);
        Assert.NotNull(next);
        Assert.All(waiting.Skip(1), wait => Assert.False(wait.IsCompleted));
        next.Dispose();
        foreach (var wait in waiting.Skip(1))
            (await wait)!.Dispose();
    }

    [Fact]
    public async Task DOS_07_a_source_that_floods_is_one_among_those_that_wait()
    {
        await using var turns = new PasswordTurns();
        var cancellationToken = TestContext.Current.CancellationToken;
        // As many as are looked at together, each of another source.
        var held = new List<IDisposable?>();
        for (var i = 0; i < Math.Max(1, Environment.ProcessorCount - 1); i++)
            held.Add(await turns.WaitAsync($"{i}", cancellationToken));
        var flood = Enumerable.Range(0, 40).Select(_ => turns.WaitAsync("flood", cancellationToken)).ToList();
        var owner = turns.WaitAsync("owner", cancellationToken);

        held[0]!.Dispose();
        var one = await flood[0];
        Assert.False(owner.IsCompleted);
        one!.Dispose();

        // Before the flood's second.
        Assert.NotNull(await owner);
        Assert.False(flood[1].IsCompleted);
    }

    [Fact]
    public async Task Guessing_at_a_name_that_there_is_none_of_looks_the_same()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        async Task<List<(HttpStatusCode, int)>> GuessAsync(string name)
        {
            var answers = new List<(HttpStatusCode, int)>();
            for (var i = 0; i < 12; i++)
            {
                var guesser = new TestBrowser(gate);
                await guesser.OpenAsync(client.AuthorizeUrl());
                var answer = await guesser.SubmitAsync(("username", name), ("password", "wrong"));
                answers.Add((answer.StatusCode, (await answer.TextAsync()).Split('\n').Length));
            }
            return answers;
        }

        Assert.Equal(await GuessAsync(TestGate.UserName), await GuessAsync("nobody"));
    }

    [Fact]
    public async Task DOS_13_a_flood_without_a_token_is_refused_like_any_other_and_counted_exactly_by_few_events()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        const int More = 200;
        HttpResponseMessage last;
        var i = 0;
        do
        {
            last = await gate.Http.GetAsync($"/mcp?{i}", TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.Unauthorized, last.StatusCode);
        }
        while (++i < Limits.RefusalsPerSource + More);
        for (var path = 0; path < More; path++)
            await gate.Http.GetAsync($"/{path}", TestContext.Current.CancellationToken);
        using var elsewhere = await gate.NewClient(from: "198.51.100.4").GetAsync("/mcp", TestContext.Current.CancellationToken);

        Assert.Equal(Reason.TokenMissing, gate.EventOf<RequestsLimited>(last).Reason);
        Assert.Equal(Reason.TokenMissing, gate.EventOf<AccessRefused>(elsewhere).Reason);
        await gate.StopAsync();
        Assert.Equal(Limits.RefusalsPerSource + 1, gate.Events<AccessRefused>().Count);
        Assert.Equal([("*", 1), ("*", More - 1), ("/mcp", 1), ("/mcp", More - 1)], gate.Events<RequestsLimited>().Select(limited => (limited.Path, (int)limited.Count)).Order());
    }

    [Fact]
    public async Task Right_passwords_do_not_count()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        for (var i = 0; i < 100; i++)
            await client.CodeAsync();

        Assert.Empty(gate.Events<RequestsLimited>());
    }

    [Fact]
    public async Task TOK_19_guesses_at_a_secret_are_limited_and_the_right_one_is_good_again_later()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, "client_secret_post");
        var tokens = await client.TokensAsync();
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 500; i++)
            statuses.Add((await client.RefreshAsync(tokens.RefreshToken!, ("client_secret", $"wrong {i}"))).StatusCode);

        var locked = await client.RefreshAsync(tokens.RefreshToken!);
        gate.Time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(20, statuses.Count(status => status == HttpStatusCode.Unauthorized));
        Assert.Equal(480, statuses.Count(status => status == HttpStatusCode.TooManyRequests));
        Assert.Equal(HttpStatusCode.TooManyRequests, locked.StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(tokens.RefreshToken!)).StatusCode);
    }

    [Theory]
    // Reached directly: the peer, whatever is said.
    [InlineData("", "http://localhost:5000", "192.0.2.7", "203.0.113.9", "192.0.2.7")]
    // Behind a proxy that is not named: unknown.
    [InlineData("", "https://mcp.example", "192.0.2.7", "203.0.113.9", null)]
    // Behind one that is: what it says, and what it was told counts for nothing.
    [InlineData("192.0.2.7", "https://mcp.example", "192.0.2.7", "198.51.100.1, 203.0.113.9", "203.0.113.9")]
    [InlineData("192.0.2.0/24;203.0.113.9", "https://mcp.example", "192.0.2.7", "198.51.100.1, 203.0.113.9:4711", "198.51.100.1")]
    [InlineData("192.0.2.7", "https://mcp.example", "192.0.2.7", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64")]
    // Not through it, or it says nothing that is an address.
    [InlineData("192.0.2.8", "https://mcp.example", "192.0.2.7", "203.0.113.9", null)]
    [InlineData("192.0.2.7", "https://mcp.example", "192.0.2.7", "unknown", null)]
    [InlineData("192.0.2.7", "https://mcp.example", "192.0.2.7", "", null)]
    public async Task DOS_10_a_source_is_the_peer_or_what_a_trusted_proxy_says(string behind, string publicUrl, string peer, string forwarded, string? expected)
    {
        await using var gate = await TestGate.StartAsync(new()
        {
            Settings = settings =>
            {
                settings.Behind = behind.Split(';', StringSplitOptions.RemoveEmptyEntries);
                settings.PublicUrl = publicUrl;
                settings.Hosts = ["localhost:5000"];
            },
        }, withUser: false);
        var context = new Microsoft.AspNetCore.Http.DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Parse(peer);
        if (forwarded.Length > 0)
            context.Request.Headers["X-Forwarded-For"] = forwarded;

        var source = gate.Services.GetRequiredService<RequestSource>().Of(context);

        Assert.Equal(expected, source is null ? null : Attribution.Text(source));
    }

    [Fact]
    public void DOS_11_the_counters_do_not_grow_without_bound()
    {
        var clock = new TestClock();
        var counters = new RateCounters(clock);

        for (var i = 0; i < RateCounters.Most + 10; i++)
            Assert.Null(counters.Take($"{i}", 1));

        Assert.InRange(counters.Count, 1, RateCounters.Most);
        Assert.NotNull(counters.Take($"{RateCounters.Most + 9}", 1));
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(counters.Take($"{RateCounters.Most + 9}", 1));
    }
}
