using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>A gate that lets something through tells on itself: its report says so, and a whole gate's does not. All gates with SALLYPORT_SOAK=1, or one of them by chance.</summary>
[Collection(nameof(Mutants))]
public sealed class BypassTests(MutantSources sources)
{
    private const string Password = "correct horse battery staple";
    private const string Other = "other";
    private const string Heartbeats = "its own requests";

    private static readonly Dictionary<string, Func<Scene, Task>> s_stories = new()
    {
        ["another server"] = async scene => await scene.Alice.CallAsync(await scene.SignInAsync(), "there", $"/{Other}/mcp"),
        ["hours later"] = async scene =>
        {
            var token = await scene.SignInAsync();
            scene.Clock.Set("+2h");
            await scene.Alice.CallAsync(token, "late");
        },
        ["another's session"] = async scene =>
        {
            var session = await scene.Alice.OpenSessionAsync(await scene.SignInAsync());
            using var bob = await GateClient.RegisterAsync(scene.Gate.Origin);
            await bob.EchoAsync((await bob.SignInAsync("bob", Password)).AccessToken, session, "mine");
        },
        ["a code twice"] = async scene =>
        {
            var code = (await scene.Alice.AuthorizeAsync("alice", Password))!;
            using (await scene.Alice.RedeemAsync(code))
            using (await scene.Alice.RedeemAsync(code))
            {
            }
        },
        ["a consent withdrawn"] = async scene =>
        {
            using var notes = await GateClient.RegisterAsync(scene.Gate.Origin, redirectUrl: "https://client.example/callback");
            await notes.AuthorizeAsync("alice", Password, remember: true);
            // Not asked, and withdrawn again: it is the one before that is remembered.
            using (var redeemed = await notes.RedeemAsync((await notes.AuthorizeAsync("alice", Password))!))
            using (await notes.RevokeAsync((await GateClient.ReadTokensAsync(redeemed)).RefreshToken!))
            {
            }
            await scene.Alice.CallAsync((await notes.SignInAsync("alice", Password)).AccessToken, "mine");
        },
        [Heartbeats] = scene => FileChanges.UntilAsync(
            scene.Data.Log,
            () => Recording.ReadFiles(scene.Data).All<HeartbeatAnswered>().Select(answered => answered.Audience).Distinct().Count() == 2,
            () => "the gate has sent itself nothing: " + scene.Gate.Error),
        ["without a token"] = async scene => await scene.Alice.CallAsync("made-up", "open"),
    };

    [Fact]
    public async Task The_report_of_a_gate_with_a_check_removed_says_that_it_is_bypassed()
    {
        var bypasses = AttackFiles.Bypasses;
        if (!Soak.IsLong)
            bypasses = [bypasses[new Dice().Throw(0, bypasses.Count - 1)]];
        foreach (var bypass in bypasses)
        {
            var report = await ReportAsync(await sources.BuildWithoutAsync(bypass), bypass.Story);

            Assert.Equal(("bypassed", "refuted"), (report.GetProperty("verdict").GetString(), StatusOf(report, bypass.Claim)));
        }
    }

    [Fact]
    public async Task The_report_of_a_whole_gate_says_that_it_is_enforced_whatever_is_tried()
    {
        foreach (var story in s_stories.Keys)
        {
            var report = await ReportAsync(Executable.Path, story);

            Assert.True(report.GetProperty("verdict").GetString() == "enforced", $"{story}: {report}");
        }
    }

    private static string? StatusOf(JsonElement judgement, string claim) =>
        judgement.GetProperty("claims").EnumerateArray().Single(result => result.GetProperty("claim").GetString() == claim).GetProperty("status").GetString();

    /// <summary>What the report of a gate says at which this was done. Somebody has tried without a token too.</summary>
    private static async Task<JsonElement> ReportAsync(string program, string story)
    {
        using var data = new DataFolder();
        using var clock = new TempClock();
        await using var upstream = await NotingUpstream.StartAsync();
        // A session is the built-in server's; the others stand before a server that needs none.
        string[] options = story == "another's session" ? [] : ["--upstream", upstream.Url, "--upstream", $"{Other}={upstream.Url}"];
        await Executable.AddUserAsync(data, "alice", Password);
        await Executable.AddUserAsync(data, "bob", Password);
        // Nor do its own requests wait for anything under libfaketime.
        var environment = clock.Environment;
        if (story == Heartbeats)
            (options, environment) = ([.. options, "--heartbeat-seconds", "300"], new Dictionary<string, string>());
        await using (var gate = await GateProcess.StartAsync(data, Ports.Free(), arguments => ChildProcess.Start("dotnet", [program, .. arguments, .. options], environment: environment)))
        {
            using var alice = await GateClient.RegisterAsync(gate.Origin);
            using (await alice.CallAsync("made-up", "open", "/messages/"))
            {
            }
            await s_stories[story](new(gate, alice, clock, data));
            // Under libfaketime waits that are limited end at once, the one for an orderly stop among them.
            await gate.KillAsync();
        }
        var finished = await Executable.RunAsync("audit", "report", data.Path, "--format", "json");
        return JsonElement.Parse(finished.Output).GetProperty("judgement");
    }

    private sealed record Scene(GateProcess Gate, GateClient Alice, TempClock Clock, DataFolder Data)
    {
        public async Task<string> SignInAsync() => (await Alice.SignInAsync("alice", Password)).AccessToken;
    }
}
