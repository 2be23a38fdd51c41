using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Tests.Audit;

/// <summary>There is no gate without its log.</summary>
public class AlwaysOnTests
{
    /// <summary>From off to as little as may be.</summary>
    private static readonly string[] s_little = ["false", "0", "1", ""];

    [Fact]
    public async Task AUD_15_No_setting_turns_the_log_off_with_all_of_them_turned_down_as_far_as_they_go()
    {
        using var data = new TestData();
        var turnedDown = Setting.All
            .Select(setting => (Setting: setting, Value: s_little.FirstOrDefault(value => IsTaken(setting, value))))
            .Where(each => each.Value is not null)
            .ToList();
        HttpResponseMessage[] answers;
        await using (var gate = await TestGate.StartAsync(new()
        {
            Data = data.Root,
            Settings = settings => turnedDown.ForEach(each => each.Setting.Read(settings, [each.Value!])),
        }))
        {
            answers =
            [
                await gate.Http.GetAsync("/mcp", TestContext.Current.CancellationToken),
                await gate.PostFormAsync("/token", ("grant_type", "password"), ("client_id", "x")),
                await gate.Http.GetAsync("/authorize", TestContext.Current.CancellationToken),
                await gate.Http.PostAsync("/register", new StringContent("{}"), TestContext.Current.CancellationToken),
                await gate.PostMcpAsync("sp_at_x", Messages.Initialize),
            ];
            Assert.All(answers, answer => Assert.NotNull(gate.EventOf(answer)));
            await gate.StopAsync();
        }

        Assert.Contains(turnedDown, each => each is { Setting.Name: "heartbeatSeconds", Value: "0" });
        Assert.Contains(turnedDown, each => each is { Setting.Name: "strict", Value: "false" });
        Assert.InRange(turnedDown.Count, Setting.All.Count / 2, int.MaxValue);
        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);
        Assert.Empty(report.Faults);
        Assert.Equal(report.Length, report.SignedLength);
    }

    /// <summary>By itself, whatever the others are.</summary>
    private static bool IsTaken(Setting setting, string value)
    {
        var settings = new GateSettings { Urls = "http://localhost:5000", Data = "data" };
        return setting.Read(settings, [value]) is null && GateConfiguration.From(settings, out _) is not null;
    }
}
