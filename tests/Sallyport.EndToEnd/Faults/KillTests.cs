using System.Net;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary><c>kill -9</c> at random moments (STORE-01, AUD-13): 25 of them, or 500 in <c>./test soak</c>.</summary>
public sealed class KillTests
{
    private const int KillsUnderLoad = 17;
    private const int KillsOfRedemptions = 8;
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    public static TheoryData<int> Runs => Soak.Runs;

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task STORE_01_AUD_13_A_gate_killed_under_load_has_let_nothing_through_unrecorded_and_loses_nothing_that_was_answered(int run)
    {
        var dice = new Dice();
        await using var upstream = await NotingUpstream.StartAsync();
        using var data = new DataFolder();
        var port = Ports.Free();
        var gate = await GateProcess.StartAsync(data, port, "--upstream", upstream.Url);
        try
        {
            await Load.AddUserAsync(data);
            for (var kill = 1; kill <= KillsUnderLoad; kill++)
            {
                using var load = new Load($"{run}-{kill}", gate, upstream);
                await load.RunAsync((Moment)dice.Throw(0, 2), dice.Throw(1, 200), gate.KillAsync);
                var reached = upstream.Calls;
                gate = await GateProcess.StartAsync(data, port, "--upstream", upstream.Url);
                await load.AssertInForceAsync();

                var log = await Verification.VerifyAsync(data, lacksNothing: true);
                var allowed = log.All<AccessAllowed>().Select(access => access.Name).ToHashSet();
                Assert.All(reached, tool => Assert.Contains(tool, allowed));
                Assert.All(load.AnsweredEvents, id => Assert.True(log.Contains(id), $"The log lacks {id}, which was answered"));
                Assert.Equal(kill, log.All<Started>().Count(started => !started.AfterCleanStop));
            }
        }
        finally
        {
            await gate.DisposeAsync();
        }
        Assert.NotEmpty(upstream.Calls);
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task STORE_01_A_code_whose_redemption_a_kill_cut_off_is_used_up_with_its_tokens_recorded_or_as_good_as_new(int run)
    {
        const int Codes = 6;

        TestContext.Current.TestOutputHelper?.WriteLine($"Run {run}");
        var dice = new Dice();
        using var data = new DataFolder();
        var port = Ports.Free();
        var gate = await GateProcess.StartAsync(data, port);
        try
        {
            await Executable.AddUserAsync(data, UserName, Password);
            for (var kill = 1; kill <= KillsOfRedemptions; kill++)
            {
                using var client = await GateClient.RegisterAsync(gate.Origin);
                var codes = new List<string>();
                for (var i = 0; i < Codes; i++)
                    codes.Add((await client.AuthorizeAsync(UserName, Password))!);

                // Neither the first request sent nor the last answer is more likely to be the last moment than any other.
                var left = dice.Throw(1, 2 * Codes);
                var due = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                var redemptions = codes.Select(code => Task.Run(() => RedeemUntilCutOffAsync(client, code, () =>
                {
                    if (Interlocked.Decrement(ref left) == 0)
                        due.SetResult();
                }))).ToList();
                await due.Task.WaitAsync(TestContext.Current.CancellationToken);
                await gate.KillAsync();
                var answers = await Task.WhenAll(redemptions);
                gate = await GateProcess.StartAsync(data, port);

                for (var i = 0; i < Codes; i++)
                {
                    if (answers[i] is { } tokens)
                        Assert.True(await client.IsAcceptedAsync(tokens.AccessToken));
                    using var again = await client.RedeemAsync(codes[i]);
                    if (answers[i] is not null || again.StatusCode != HttpStatusCode.OK)
                        Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(again));
                }
                var log = await Verification.VerifyAsync(data, lacksNothing: true);
                // Verified: no code was exchanged twice. And none has gone without its tokens' record.
                var exchanged = log.All<TokenIssued>().Select(issued => issued.Parent);
                Assert.Equal(log.All<CodeIssued>().Select(code => code.Code).Order(), exchanged.Order());
            }
        }
        finally
        {
            await gate.DisposeAsync();
        }
    }

    private static async Task<Tokens?> RedeemUntilCutOffAsync(GateClient client, string code, Action moment)
    {
        try
        {
            var asked = client.RedeemAsync(code);
            moment();
            using var answered = await asked;
            var tokens = await GateClient.ReadTokensAsync(answered);
            moment();
            return tokens;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return null;
        }
    }
}
