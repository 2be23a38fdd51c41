using System.Net;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>Disks that are full, and disks that are read-only, from the system itself (STORE-04, AUD-20).</summary>
public sealed class FullDiskTests
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    [Fact]
    public async Task STORE_04_On_a_full_disk_nothing_is_issued_and_nothing_gets_through_unrecorded_and_with_room_again_all_is_well()
    {
        const int Callers = 4;
        const int CallsBefore = 20;

        await using var upstream = await NotingUpstream.StartAsync();
        await using var disk = await SmallDisk.MountAsync();
        var port = Ports.Free();
        var gate = await GateProcess.StartAsync(disk.Data, port, "--upstream", upstream.Url);
        try
        {
            await Executable.AddUserAsync(disk.Data, UserName, Password);
            using var client = await GateClient.RegisterAsync(gate.Origin);
            var tokens = await client.SignInAsync(UserName, Password);
            var code = await client.AuthorizeAsync(UserName, Password);

            // The disk fills up while all of them call and one of them refreshes; each goes on until it is told 503.
            var newest = tokens;
            var enough = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            List<Task> work = [.. Enumerable.Range(0, Callers).Select(CallUntilRefusedAsync), RefreshUntilRefusedAsync()];
            await enough.Task.WaitAsync(TestContext.Current.CancellationToken);
            disk.Fill();
            await Task.WhenAll(work);

            async Task CallUntilRefusedAsync(int caller)
            {
                for (var call = 0; ; call++)
                {
                    using var answer = await client.CallAsync(tokens.AccessToken, $"{caller}-{call}");
                    if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
                        return;
                    Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                    if (call == CallsBefore)
                        enough.TrySetResult();
                }
            }
            async Task RefreshUntilRefusedAsync()
            {
                while (true)
                {
                    using var answer = await client.RefreshAsync(newest.RefreshToken);
                    if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
                        return;
                    newest = await GateClient.ReadTokensAsync(answer);
                }
            }

            // While it is full.
            var reached = upstream.Calls;
            using var redeemed = await client.RedeemAsync(code!);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, redeemed.StatusCode);
            Assert.DoesNotContain("sp_at_", await redeemed.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
            using var called = await client.CallAsync(tokens.AccessToken, "while full");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, called.StatusCode);
            Assert.Equal(reached, upstream.Calls);

            disk.Free();
            await HealedAsync(gate, client, tokens);

            Assert.Equal(HttpStatusCode.OK, (await client.CallAsync(newest.AccessToken, "afterwards")).StatusCode);
            using var refreshed = await client.RefreshAsync(newest.RefreshToken);
            await GateClient.ReadTokensAsync(refreshed);
            using var redeemedAfterwards = await client.RedeemAsync(code!);
            await GateClient.ReadTokensAsync(redeemedAfterwards);
            var log = await Verification.VerifyAsync(disk.Data);
            var allowed = log.All<AccessAllowed>().Select(access => access.Name).ToHashSet();
            Assert.All(upstream.Calls, tool => Assert.Contains(tool, allowed));
        }
        finally
        {
            await gate.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_gate_does_not_start_on_a_full_disk_and_says_why_and_starts_when_there_is_room()
    {
        await using var disk = await SmallDisk.MountAsync();
        await using (var gate = await GateProcess.StartAsync(disk.Data))
            await gate.StopAsync();

        disk.Fill();
        Faults.Assert(await Executable.RunAsync("serve", "--urls", GateProcess.OriginOf(Ports.Free()), "--data", disk.Data.Path), ExitCode.Unavailable);

        disk.Free();
        await using var next = await GateProcess.StartAsync(disk.Data);
        await Verification.VerifyAsync(disk.Data);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_gate_does_not_start_on_a_read_only_disk_and_says_why(bool withData)
    {
        await using var disk = await SmallDisk.MountAsync();
        if (withData)
        {
            await using var gate = await GateProcess.StartAsync(disk.Data);
            await gate.StopAsync();
        }

        await disk.MakeReadOnlyAsync();
        var finished = await Executable.RunAsync("serve", "--urls", GateProcess.OriginOf(Ports.Free()), "--data", disk.Data.Path);

        Faults.Assert(finished, ExitCode.Unavailable);
        // What is there can be read all the same.
        if (withData)
            Assert.NotEmpty((await disk.Data.ReadLogAsync()).Events);
        await disk.MakeWritableAsync();
        await using var next = await GateProcess.StartAsync(disk.Data);
    }

    /// <summary>The gate notices by itself that there is room again.</summary>
    private static async Task HealedAsync(GateProcess gate, GateClient client, Tokens tokens)
    {
        Assert.True(await gate.Process.WritesAsync(() => gate.Error.Contains("has room again", StringComparison.Ordinal)), $"The gate has ended: {gate.Error}");
        using var answer = await client.CallAsync(tokens.AccessToken, "healed");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }
}
