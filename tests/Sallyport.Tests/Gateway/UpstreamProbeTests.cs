using System.Text;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

/// <summary>What an HTTP server makes of <c>server/discover</c>, which it may not know, does not keep the gate from asking it the older way.</summary>
public class UpstreamProbeTests
{
    /// <summary>A server of 2025-06-18 that does that with the first message that it does not know.</summary>
    private static Task<HttpServer> ServerAsync(Func<HttpContext, Task> discover)
    {
        var server = new StreamableServer((_, _) => Task.CompletedTask);
        return HttpServer.StartAsync(async context =>
        {
            context.Request.EnableBuffering();
            var body = await new StreamReader(context.Request.Body, Encoding.UTF8).ReadToEndAsync();
            context.Request.Body.Position = 0;
            await (body.Contains("server/discover", StringComparison.Ordinal) ? discover(context) : server.HandleAsync(context));
        });
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(302)]
    [InlineData(500)]
    public async Task One_that_refuses_it_is_asked_the_older_way(int status)
    {
        await using var upstream = await ServerAsync(context =>
        {
            context.Response.StatusCode = status;
            return Task.CompletedTask;
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        Assert.Equal(HttpStatusCode.OK, (await gate.GetWithTokenAsync("/sse", token)).StatusCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task One_that_says_nothing_to_it_is_asked_the_older_way_after_a_while(bool opensStream)
    {
        var asked = new TaskCompletionSource();
        await using var upstream = await ServerAsync(async context =>
        {
            if (opensStream)
                await context.SayAsync(": wait\n\n");
            asked.SetResult();
            await context.LeftAsync();
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        var opening = gate.GetWithTokenAsync("/sse", token);
        await asked.Task.WaitAsync(TestContext.Current.CancellationToken);
        gate.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(HttpStatusCode.OK, (await opening.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken)).StatusCode);
    }

    [Fact]
    public async Task One_that_says_nothing_at_all_is_given_up()
    {
        var silent = new List<TaskCompletionSource> { new(), new() };
        var asked = 0;
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            silent[asked++].SetResult();
            await context.LeftAsync();
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        var opening = gate.GetWithTokenAsync("/sse", token);
        await silent[0].Task.WaitAsync(TestContext.Current.CancellationToken);
        gate.Time.Advance(TimeSpan.FromSeconds(5));
        await silent[1].Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        gate.Time.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal(HttpStatusCode.BadGateway, (await opening.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken)).StatusCode);
    }
}
