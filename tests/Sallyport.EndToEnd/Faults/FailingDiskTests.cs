using System.Net;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>A disk that fails while the gate runs, for the log and the database alike (AUD-20).</summary>
public sealed class FailingDiskTests
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    [Theory]
    [InlineData(5)] // EIO
    [InlineData(28)] // ENOSPC
    [InlineData(30)] // EROFS: what a disk becomes that the system no longer trusts
    public async Task AUD_20_While_the_disk_fails_everything_is_answered_503_and_nothing_gets_through(int error)
    {
        await using var upstream = await NotingUpstream.StartAsync();
        using var disk = await ForgetfulDisk.CreateAsync();
        var port = Ports.Free();
        await using var gate = await GateProcess.StartAsync(disk.Data, port, disk.Environment, "--upstream", upstream.Url);
        await Executable.AddUserAsync(disk.Data, UserName, Password);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var tokens = await client.SignInAsync(UserName, Password);
        var code = await client.AuthorizeAsync(UserName, Password);

        disk.Fail(error);
        // The changes first: the log is still open, and it is the database that cannot be written.
        using var redeemed = await client.RedeemAsync(code!);
        using var refreshed = await client.RefreshAsync(tokens.RefreshToken);
        using var revoked = await client.RevokeAsync(tokens.RefreshToken);
        using var called = await client.CallAsync(tokens.AccessToken, "during");
        using var calledAgain = await client.CallAsync(tokens.AccessToken, "during");

        Assert.All([redeemed, refreshed, revoked, called, calledAgain], answer => Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode));
        Assert.Empty(upstream.Calls);
        disk.Heal();
        await gate.KillAsync();
        await using var next = await GateProcess.StartAsync(disk.Data, port, disk.Environment, "--upstream", upstream.Url);
        using var calledAfterwards = await client.CallAsync(tokens.AccessToken, "after");
        Assert.Equal(HttpStatusCode.OK, calledAfterwards.StatusCode);
        using var redeemedAfterwards = await client.RedeemAsync(code!);
        await GateClient.ReadTokensAsync(redeemedAfterwards);
        using var refreshedAfterwards = await client.RefreshAsync(tokens.RefreshToken);
        await GateClient.ReadTokensAsync(refreshedAfterwards);
        Assert.Equal(["after"], upstream.Calls);
        var log = await Verification.VerifyAsync(disk.Data);
        Assert.Equal(["after"], log.All<AccessAllowed>().Select(access => access.Name));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(30)]
    public async Task A_gate_does_not_start_on_a_disk_that_fails_and_says_why(int error)
    {
        using var disk = await ForgetfulDisk.CreateAsync();
        await using (var gate = await GateProcess.StartAsync(disk.Data, Ports.Free(), disk.Environment))
            await gate.StopAsync();

        disk.Fail(error);
        await using var process = ChildProcess.Start(
            "dotnet", [Executable.Path, "serve", "--urls", GateProcess.OriginOf(Ports.Free()), "--data", disk.Data.Path], environment: disk.Environment);
        var finished = await process.WaitAsync();
        Faults.Assert(finished, ExitCode.Unavailable);
        Assert.DoesNotContain("Another process", finished.Error, StringComparison.Ordinal);

        disk.Heal();
        await using var next = await GateProcess.StartAsync(disk.Data, Ports.Free(), disk.Environment);
    }
}
