using System.Net;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>One code, or one refresh token, in several hands at once.</summary>
public sealed class CodeRaceTests
{
    private const int Rounds = 40;

    [Theory]
    [InlineData(12)]
    [InlineData(50)]
    public async Task A_code_redeemed_at_once_gives_one_success_and_what_it_gave_is_revoked(int attempts)
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        await Executable.AddUserAsync(data, "alice", "correct horse");
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var code = await client.AuthorizeAsync("alice", "correct horse");

        var answers = await AtOnceAsync(attempts, () => client.RedeemAsync(code!));

        await AssertOneGotTokensAsync(answers, client);
        await gate.StopAsync();
        var log = await data.ReadLogAsync();
        var issued = log.Single<TokenIssued>();
        var revoked = log.Single<TokenRevoked>();
        Assert.Equal((Reason.CodeReused, issued.Grant), (revoked.Reason, revoked.Grant));
        log.AssertInOrder(issued, revoked);
        Assert.Equal(attempts - 1, log.All<TokenRefused>().Count(refused => refused.Reason == Reason.CodeReused && refused.Presented == issued.Parent));
    }

    [Theory]
    [InlineData(12)]
    [InlineData(50)]
    public async Task A_refresh_token_used_at_once_gives_every_attempt_the_same_successor(int attempts)
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        await Executable.AddUserAsync(data, "alice", "correct horse");
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var tokens = await client.SignInAsync("alice", "correct horse");

        var answers = await AtOnceAsync(attempts, () => client.RefreshAsync(tokens.RefreshToken));

        await AssertOneSuccessorAsync(answers, client);
        await gate.StopAsync();
        var log = await data.ReadLogAsync();
        var grant = log.Single<CodeIssued>().Grant;
        var successor = log.Single<TokenIssued>(issued => issued.GrantType == "refresh_token");
        Assert.Equal(grant, successor.Grant);
        Assert.Equal(attempts - 1, log.All<TokenRepeated>().Count(repeated => repeated.Presented == successor.Parent));
        Assert.Empty(log.All<TokenRevoked>());
        Assert.Empty(log.All<TokenRefused>());
    }

    [Fact]
    public async Task Two_hundred_races_beside_registrations_consents_and_revocations_leave_exact_counts_and_one_family_each()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data, "--registrations-per-minute", "100000");
        await Executable.AddUserAsync(data, "alice", "correct horse");
        using var client = await GateClient.RegisterAsync(gate.Origin);

        for (var round = 0; round < Rounds; round++)
        {
            var other = LiveAsync(gate);
            foreach (var attempts in new[] { 12, 50 })
            {
                var code = await client.AuthorizeAsync("alice", "correct horse");
                await AssertOneGotTokensAsync(await AtOnceAsync(attempts, () => client.RedeemAsync(code!)), client);

                var tokens = await client.SignInAsync("alice", "correct horse");
                await AssertOneSuccessorAsync(await AtOnceAsync(attempts, () => client.RefreshAsync(tokens.RefreshToken)), client);
            }
            var ended = await client.SignInAsync("alice", "correct horse");
            await AssertEndedAsync(ended, client);
            await other;
        }

        await gate.StopAsync();
        var log = await Verification.VerifyAsync(data);
        var own = log.All<TokenIssued>().Where(issued => issued.Client == client.Id).ToList();
        Assert.Equal(Rounds * 2, log.All<TokenRevoked>().Count(revoked => revoked.Reason == Reason.CodeReused));
        Assert.Equal(Rounds * (11 + 49), log.All<TokenRefused>().Count(refused => refused.Reason == Reason.CodeReused));
        // A code is exchanged in each race and before each other one; a refresh token in its races, and where a revocation did not come first.
        Assert.Equal(Rounds * 5, own.Count(issued => issued.GrantType == "authorization_code"));
        Assert.InRange(own.Count(issued => issued.GrantType == "refresh_token"), Rounds * 2, Rounds * 3);
        Assert.Equal(Rounds * 5, own.Select(issued => issued.Grant).Distinct().Count());
        Assert.Equal(own.Count, own.Select(issued => issued.Parent).Distinct().Count());
        Assert.Equal(Rounds + 1, log.All<ClientRegistered>().Count());
        Assert.Equal(Rounds * 6, log.All<ConsentGiven>().Count());
        Assert.Equal(Rounds * 2, log.All<TokenRevoked>().Count(revoked => revoked.Reason == Reason.RevokedByClient));
        Assert.DoesNotContain(log.All<AccessRefused>(), refused => refused.Status >= 500);
    }

    /// <summary>Another client registers, is allowed something, and gives it up again.</summary>
    private static async Task LiveAsync(GateProcess gate)
    {
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var tokens = await client.SignInAsync("alice", "correct horse");
        using var revoked = await client.RevokeAsync(tokens.RefreshToken);
        Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
    }

    /// <summary>Each on a thread of its own, all let go at one moment; the client opens as many connections as it needs.</summary>
    private static Task<HttpResponseMessage[]> AtOnceAsync(int attempts, Func<Task<HttpResponseMessage>> attempt)
    {
        var barrier = new Barrier(attempts);
        return Task.WhenAll(Enumerable.Range(0, attempts).Select(_ => Task.Factory.StartNew(() =>
        {
            barrier.SignalAndWait(TestContext.Current.CancellationToken);
            return attempt();
        }, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));
    }

    /// <summary>One of the attempts at a code got tokens, and nobody has them any more.</summary>
    private static async Task AssertOneGotTokensAsync(HttpResponseMessage[] answers, GateClient client)
    {
        var success = Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.OK);
        foreach (var refused in answers.Where(answer => answer != success))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(refused));
        }
        await AssertVoidAsync(await GateClient.ReadTokensAsync(success), client);
    }

    /// <summary>All attempts at a refresh token got the same pair, and it is good.</summary>
    private static async Task AssertOneSuccessorAsync(HttpResponseMessage[] answers, GateClient client)
    {
        var successors = new HashSet<Tokens>();
        foreach (var answer in answers)
            successors.Add(await GateClient.ReadTokensAsync(answer));
        Assert.True(await client.IsAcceptedAsync(Assert.Single(successors).AccessToken));
    }

    /// <summary>A family that is refreshed eleven times and revoked at one moment is over, whoever came first.</summary>
    private static async Task AssertEndedAsync(Tokens tokens, GateClient client)
    {
        var turn = 0;
        var answers = await AtOnceAsync(12, () => Interlocked.Increment(ref turn) == 6 ? client.RevokeAsync(tokens.RefreshToken) : client.RefreshAsync(tokens.RefreshToken));

        await AssertVoidAsync(tokens, client);
        foreach (var answer in answers.Where(answer => answer.Content.Headers.ContentLength != 0))
        {
            if (answer.StatusCode == HttpStatusCode.OK)
                await AssertVoidAsync(await GateClient.ReadTokensAsync(answer), client);
            else
                Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(answer));
        }
    }

    private static async Task AssertVoidAsync(Tokens tokens, GateClient client)
    {
        Assert.False(await client.IsAcceptedAsync(tokens.AccessToken));
        using var refreshed = await client.RefreshAsync(tokens.RefreshToken);
        Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(refreshed));
    }
}
