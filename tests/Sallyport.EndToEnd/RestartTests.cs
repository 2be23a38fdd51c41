using System.Net;
using System.Security.Cryptography;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>What a gate gave is good after its end, whatever ended it, and nothing that it answered is missing from the log.</summary>
public sealed class RestartTests
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_restart_loses_no_grant(bool killed)
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        await Executable.AddUserAsync(data, UserName, Password);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var used = await client.SignInAsync(UserName, Password);
        using var refreshed = await client.RefreshAsync(used.RefreshToken);
        var tokens = await client.ReadTokensAsync(refreshed);
        var code = await client.AuthorizeAsync(UserName, Password);

        await (killed ? gate.KillAsync() : gate.StopAsync());
        await using var next = await GateProcess.StartAsync(data, gate.Port);

        Assert.Equal("still here", await client.EchoAsync(used.AccessToken, "still here"));
        Assert.Equal("still here", await client.EchoAsync(tokens.AccessToken, "still here"));
        using var refreshedAfterwards = await client.RefreshAsync(tokens.RefreshToken);
        Assert.True(await client.IsAcceptedAsync((await client.ReadTokensAsync(refreshedAfterwards)).AccessToken));
        using var redeemed = await client.RedeemAsync(code!);
        Assert.True(await client.IsAcceptedAsync((await client.ReadTokensAsync(redeemed)).AccessToken));
        await next.StopAsync();
        var starts = (await data.ReadLogAsync()).All<Started>().ToList();
        Assert.Equal([true, !killed], starts.Select(start => start.AfterCleanStop));
    }

    [Fact]
    public async Task A_restart_after_a_kill_brings_back_nothing_that_was_revoked()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        await Executable.AddUserAsync(data, UserName, Password);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var code = await client.AuthorizeAsync(UserName, Password);
        using var redeemed = await client.RedeemAsync(code!);
        var tokens = await client.ReadTokensAsync(redeemed);
        using var redeemedAgain = await client.RedeemAsync(code!);
        Assert.Equal(HttpStatusCode.BadRequest, redeemedAgain.StatusCode);

        await gate.KillAsync();
        await using var next = await GateProcess.StartAsync(data, gate.Port);

        Assert.False(await client.IsAcceptedAsync(tokens.AccessToken));
        using var refreshed = await client.RefreshAsync(tokens.RefreshToken);
        Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(refreshed));
    }

    [Fact]
    public async Task A_kill_under_load_loses_nothing_that_was_answered()
    {
        const int Rounds = 5;
        const int Clients = 4;

        using var data = new DataFolder();
        var port = Ports.Free();
        var answered = new List<string>();
        var starts = 0;
        await using (var first = await GateProcess.StartAsync(data, port))
        {
            await Executable.AddUserAsync(data, UserName, Password);
            await first.StopAsync();
            starts++;
        }

        for (var round = 0; round < Rounds; round++)
        {
            var received = new List<Tokens>();
            var clients = new List<GateClient>();
            await using (var gate = await GateProcess.StartAsync(data, port))
            {
                starts++;
                for (var i = 0; i < Clients; i++)
                    clients.Add(await GateClient.RegisterAsync(gate.Origin, answered));

                // Every moment of the clients' work has the same chance to be the last one.
                var enough = RandomNumberGenerator.GetInt32(1, 40);
                var reached = new TaskCompletionSource();
                var work = clients.Select(client => Task.Run(() => WorkUntilCutOffAsync(client, received, () =>
                {
                    if (Interlocked.Decrement(ref enough) == 0)
                        reached.SetResult();
                }))).ToList();
                await Task.WhenAny([reached.Task, .. work]);
                await gate.KillAsync();
                await Task.WhenAll(work);
                Assert.True(reached.Task.IsCompleted, "The clients were cut off before the gate was");
            }

            await using (var next = await GateProcess.StartAsync(data, port))
            {
                starts++;
                foreach (var tokens in received)
                    Assert.True(await clients[0].IsAcceptedAsync(tokens.AccessToken));
                foreach (var client in clients)
                {
                    if (client.Newest is not { } newest)
                        continue;
                    using var refreshed = await client.RefreshAsync(newest.RefreshToken);
                    Assert.Equal("after", await client.EchoAsync((await client.ReadTokensAsync(refreshed)).AccessToken, "after"));
                }
                await next.StopAsync();
            }
            clients.ForEach(client => client.Dispose());

            var log = await data.ReadLogAsync();
            Assert.All(answered, id => Assert.True(log.Contains(id), $"The log lacks {id}, which was answered"));
            var started = log.All<Started>().ToList();
            Assert.Equal(starts, started.Count);
            Assert.False(started[^1].AfterCleanStop);
            Assert.True(started[^2].AfterCleanStop);
        }
    }

    /// <summary>Signs in, calls and refreshes, again and again, until the gate is gone.</summary>
    private static async Task WorkUntilCutOffAsync(GateClient client, List<Tokens> received, Action answered)
    {
        try
        {
            while (true)
            {
                var tokens = Note(await client.SignInAsync(UserName, Password));
                await client.EchoAsync(tokens.AccessToken, "before");
                answered();
                for (var i = 0; i < 3; i++)
                {
                    using var refreshed = await client.RefreshAsync(tokens.RefreshToken);
                    tokens = Note(await client.ReadTokensAsync(refreshed));
                    await client.EchoAsync(tokens.AccessToken, "before");
                    answered();
                }
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // The gate was killed in the middle of an answer.
        }

        Tokens Note(Tokens tokens)
        {
            lock (received)
                received.Add(tokens);
            answered();
            return tokens;
        }
    }
}
