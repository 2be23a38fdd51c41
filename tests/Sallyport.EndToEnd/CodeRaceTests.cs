using System.Net;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>One code in several hands at once.</summary>
public sealed class CodeRaceTests
{
    [Fact]
    public async Task A_code_redeemed_12_times_at_once_gives_one_success_and_what_it_gave_is_revoked()
    {
        const int Attempts = 12;

        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        await Executable.AddUserAsync(data, "alice", "correct horse");
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var code = await client.AuthorizeAsync("alice", "correct horse");

        // The client's connections are opened as they are needed: each attempt has one of its own.
        using var barrier = new Barrier(Attempts);
        var responses = await Task.WhenAll(Enumerable.Range(0, Attempts).Select(_ => Task.Factory.StartNew(() =>
        {
            barrier.SignalAndWait(TestContext.Current.CancellationToken);
            return client.RedeemAsync(code!);
        }, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));

        var success = Assert.Single(responses, response => response.StatusCode == HttpStatusCode.OK);
        foreach (var refused in responses.Where(response => response != success))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(refused));
        }
        var tokens = await client.ReadTokensAsync(success);
        Assert.False(await client.IsAcceptedAsync(tokens.AccessToken));
        using var refreshed = await client.RefreshAsync(tokens.RefreshToken);
        Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(refreshed));

        await gate.StopAsync();
        var log = await data.ReadLogAsync();
        var issued = log.Single<TokenIssued>();
        var revoked = log.Single<TokenRevoked>();
        Assert.Equal((Reason.CodeReused, issued.Grant), (revoked.Reason, revoked.Grant));
        log.AssertInOrder(issued, revoked);
        Assert.Equal(Attempts - 1, log.All<TokenRefused>().Count(refused => refused.Reason == Reason.CodeReused && refused.Presented == issued.Parent));
    }
}
