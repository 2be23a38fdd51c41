using System.Net;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>What a gate gave is good after its end, whatever ended it, whether it was stopped or killed. KillTests kill it under load.</summary>
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
        var tokens = await GateClient.ReadTokensAsync(refreshed);
        var code = await client.AuthorizeAsync(UserName, Password);

        await (killed ? gate.KillAsync() : gate.StopAsync());
        await using var next = await GateProcess.StartAsync(data, gate.Port);

        Assert.Equal("still here", await client.EchoAsync(used.AccessToken, "still here"));
        Assert.Equal("still here", await client.EchoAsync(tokens.AccessToken, "still here"));
        using var refreshedAfterwards = await client.RefreshAsync(tokens.RefreshToken);
        Assert.True(await client.IsAcceptedAsync((await GateClient.ReadTokensAsync(refreshedAfterwards)).AccessToken));
        using var redeemed = await client.RedeemAsync(code!);
        Assert.True(await client.IsAcceptedAsync((await GateClient.ReadTokensAsync(redeemed)).AccessToken));
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
        var tokens = await GateClient.ReadTokensAsync(redeemed);
        using var redeemedAgain = await client.RedeemAsync(code!);
        Assert.Equal(HttpStatusCode.BadRequest, redeemedAgain.StatusCode);

        await gate.KillAsync();
        await using var next = await GateProcess.StartAsync(data, gate.Port);

        Assert.False(await client.IsAcceptedAsync(tokens.AccessToken));
        using var refreshed = await client.RefreshAsync(tokens.RefreshToken);
        Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(refreshed));
    }
}
