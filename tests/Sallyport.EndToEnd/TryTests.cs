using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Sallyport.Demonstration;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>The demonstration: it shows the recorded session on a real gate, and can't be fooled by one that lets too much through.</summary>
public sealed partial class TryTests
{
    [GeneratedRegex(@"^ *\d+\. \* (?<step>\S+ +\S+) +(?<status>\d{3})  event (?<event>\d+) ", RegexOptions.Multiline)]
    private static partial Regex RecordedStep();

    [Fact]
    public async Task It_plays_the_recorded_session_in_order_and_numbers_each_step()
    {
        var finished = await Executable.RunAsync(["try"]);

        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        Assert.Equal("", finished.Error);
        var steps = RecordedStep().Matches(finished.Output);
        Assert.Equal(
            ["POST /register 201", "GET /authorize 302", "POST /token 200", "GET /sse 200", "POST /messages/ 202", "POST /messages/ 202", "POST /messages/ 202", "GET /sse 401", "GET /messages/ 401"],
            steps.Select(step => Regex.Replace(step.Groups["step"].Value, " +", " ") + " " + step.Groups["status"].Value));
        var events = steps.Select(step => int.Parse(step.Groups["event"].Value)).ToList();
        Assert.Equal(events.Order().Distinct(), events);
        Assert.Contains("Allowed: ", finished.Output);
        Assert.Contains("Refused: ", finished.Output);
    }

    [Theory]
    [InlineData(200, 2)]
    [InlineData(401, 0)]
    [InlineData(500, 0)]
    public async Task It_ends_at_the_first_answer_that_is_not_the_right_one(int status, int rightBefore)
    {
        var port = Ports.Free();
        await using var gate = await StartAsync(port, status);
        var shown = new List<string>();
        using var witness = new Witness(_ => "-", (step, _) => shown.Add(step.Path));
        var story = new Demonstration.Story(GateProcess.OriginOf(port), witness, _ => { });

        await Assert.ThrowsAsync<UnexpectedAnswerException>(() => story.PlayAsync(GateProcess.OriginOf(port) + "/enrol", TestContext.Current.CancellationToken));

        Assert.Equal(rightBefore, shown.Count);
    }

    [Fact]
    public void An_expectation_that_was_not_met_is_not_forgotten()
    {
        using var witness = new Witness(_ => "-", (_, _) => { });
        witness.Expect(new Expectation(HttpMethod.Get, "/sse", HttpStatusCode.Unauthorized, "never sent"));

        Assert.Throws<UnexpectedAnswerException>(witness.EnsureAllSeen);
    }

    /// <summary>What calls itself a gate and answers everything alike.</summary>
    private static async Task<WebApplication> StartAsync(int port, int status)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port));
        var application = builder.Build();
        application.Run(context =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = "text/html";
            return context.Response.WriteAsync("""<form method="post" action="/enrol"><input type="hidden" name="a" value="b"></form>""");
        });
        await application.StartAsync(TestContext.Current.CancellationToken);
        return application;
    }
}
