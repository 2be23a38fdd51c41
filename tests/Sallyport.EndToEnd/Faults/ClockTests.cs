using System.Net;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>The machine's clock jumps under a gate that runs (DOS-14, AUD-17): libfaketime, which leaves the monotonic one alone.</summary>
public sealed class ClockTests
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    [Fact]
    public async Task DOS_14_AUD_17_A_gate_whose_clock_jumps_an_hour_each_way_goes_on_and_ends_tokens_by_that_clock()
    {
        using var clock = new TempClock();
        await using var upstream = await NotingUpstream.StartAsync();
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data, Ports.Free(), clock.Environment, "--upstream", upstream.Url);
        await Executable.AddUserAsync(data, UserName, Password);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var tokens = await client.SignInAsync(UserName, Password);
        Assert.Equal(HttpStatusCode.OK, await CallAsync("now"));

        clock.Set("+2h");
        Assert.Equal(HttpStatusCode.Unauthorized, await CallAsync("in two hours"));
        using (var refreshed = await client.RefreshAsync(tokens.RefreshToken))
            tokens = await GateClient.ReadTokensAsync(refreshed);
        Assert.Equal(HttpStatusCode.OK, await CallAsync("in two hours, refreshed"));

        clock.Set("-1h");
        Assert.Equal(HttpStatusCode.OK, await CallAsync("an hour ago"));
        using (var refreshed = await client.RefreshAsync(tokens.RefreshToken))
            tokens = await GateClient.ReadTokensAsync(refreshed);
        // From an hour ago its hour ends about now.
        clock.Set("+1m");
        Assert.Equal(HttpStatusCode.Unauthorized, await CallAsync("now again"));

        // Under libfaketime waits that are limited end at once, the one for an orderly stop among them.
        await gate.KillAsync();
        Assert.Equal(["now", "in two hours, refreshed", "an hour ago"], upstream.Calls);
        var log = await Verification.VerifyAsync(data);
        var times = log.All<AccessAllowed>().Select(access => access.Time).ToList();
        Assert.True(times[2] < times[1], "The clock of the gate did not go back");

        async Task<HttpStatusCode> CallAsync(string tool)
        {
            using var answer = await client.CallAsync(tokens.AccessToken, tool);
            return answer.StatusCode;
        }
    }
}
