using System.Globalization;
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
    /// <summary>A step of the output that stands in the recorded session too.</summary>
    [GeneratedRegex(@"^ *\d+\. \* (?<method>\S+) +(?<path>\S+) +(?<status>\d{3})  event (?<event>\d+) +(?<meaning>.*)$", RegexOptions.Multiline)]
    private static partial Regex Step();

    /// <summary>A line of the recorded session.</summary>
    [GeneratedRegex(@"(?<method>GET|POST) (?<path>[^ ?]+)\S* HTTP/1.1"" (?<status>\d{3})")]
    private static partial Regex RecordedRequest();

    /// <summary>
    /// The recorded session as steps. Registration was logged in words, and each request of MCP when it was processed; the callback
    /// is an identity provider's.
    /// </summary>
    private static IEnumerable<string> RecordedSteps(bool byProvider)
    {
        foreach (var line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "chatgpt-session.log")))
        {
            var request = RecordedRequest().Match(line);
            if (line.Contains("Registering OAuth client", StringComparison.Ordinal))
                yield return "POST /register 201";
            else if (line.Contains("ListToolsRequest", StringComparison.Ordinal) || line.Contains("CallToolRequest", StringComparison.Ordinal))
                yield return "POST /messages/ 202";
            else if (byProvider || request.Groups["path"].Value != "/oauth/callback")
                yield return $"{request.Groups["method"]} {request.Groups["path"]} {request.Groups["status"]}";
        }
    }

    [Fact]
    public async Task It_plays_the_recorded_session_in_order_and_numbers_each_step()
    {
        var finished = await Executable.RunAsync(["try"]);

        AssertPlayed(finished, byProvider: false);
    }

    [Fact]
    public async Task It_plays_the_recorded_session_with_its_callback_by_a_real_provider()
    {
        var port = Ports.Free().ToString(CultureInfo.InvariantCulture);
        await using var provider = await OidcProvider.StartAsync($"http://localhost:{port}/oauth/callback");

        await using var process = ChildProcess.Start(
            "dotnet",
            [Executable.Path, "try", "--provider", provider.Issuer, "--client-id", OidcProvider.ClientId, "--client-secret-env", "TRY_SECRET", "--port", port],
            environment: new Dictionary<string, string> { ["TRY_SECRET"] = OidcProvider.ClientSecret });

        AssertPlayed(await process.WaitAsync(), byProvider: true);
    }

    private static void AssertPlayed(Finished finished, bool byProvider)
    {
        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        Assert.Equal("", finished.Error);
        var steps = Step().Matches(finished.Output);
        Assert.Equal(RecordedSteps(byProvider), steps.Select(step => $"{step.Groups["method"]} {step.Groups["path"]} {step.Groups["status"]}"));
        Assert.Contains(steps, step => step.Groups["meaning"].Value.StartsWith("ListToolsRequest", StringComparison.Ordinal));
        Assert.Contains(steps, step => step.Groups["meaning"].Value.StartsWith("CallToolRequest", StringComparison.Ordinal));
        var events = steps.Select(step => int.Parse(step.Groups["event"].Value)).ToList();
        Assert.Equal(events.Order().Distinct(), events);
        Assert.Contains("OAuth was enforced: ", finished.Output);
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
