using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

/// <summary>Calls that are being answered when the token ends or the gate stops: nobody is left to wait.</summary>
public class CutAnswerTests
{
    private const string Progress = """{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}""";

    private static async Task<(TestGate Gate, TestClient Client, Tokens Tokens)> GateAsync(string upstream)
    {
        var gate = await TestGate.StartAsync(new() { Settings = s => (s.Upstreams, s.AccessTokenSeconds) = ([upstream], 60) });
        var client = await TestClient.RegisterAsync(gate);
        return (gate, client, await client.TokensAsync());
    }

    /// <summary>What cuts an answer; gives the gate's end, where it is stopped.</summary>
    private static async Task<Task> CutAsync(string how, TestGate gate, TestClient client, Tokens tokens)
    {
        switch (how)
        {
            case "expired":
                gate.Time.Advance(TimeSpan.FromSeconds(60));
                return Task.CompletedTask;
            case "revoked":
                await client.RevokeAsync(tokens.RefreshToken!);
                return Task.CompletedTask;
            default:
                var timers = gate.Time.Timers;
                var stopping = gate.StopAsync();
                gate.Time.Advance(await gate.Time.NextTimerAsync(timers, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(10)));
                return stopping;
        }
    }

    [Theory]
    [InlineData("expired")]
    [InlineData("revoked")]
    [InlineData("stopped")]
    public async Task A_relayed_stream_ends_with_an_error_for_what_it_does_not_answer_any_more(string how)
    {
        var left = new TaskCompletionSource();
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            await context.SayAsync($"data: {Progress}\n\n");
            await context.LeftAsync();
            left.SetResult();
        });
        var (gate, client, tokens) = await GateAsync(upstream.Url);
        await using var _ = gate;
        using var events = await EventBlocks.OfAsync(await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x")));
        await events.NextMessageAsync();

        var stopping = await CutAsync(how, gate, client, tokens);
        var error = await events.NextMessageAsync();

        Assert.Equal((1, -32000), (error.GetProperty("id").GetInt32(), error.GetProperty("error").GetProperty("code").GetInt32()));
        Assert.Null(await events.NextAsync());
        await left.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        await stopping;
    }

    [Fact]
    public async Task A_relayed_stream_that_can_be_gone_on_with_by_a_newer_token_ends_without_an_error()
    {
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            await context.SayAsync($"id: 1\ndata: {Progress}\n\n");
            await context.LeftAsync();
        });
        var (gate, client, tokens) = await GateAsync(upstream.Url);
        await using var _ = gate;
        using var events = await EventBlocks.OfAsync(await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x")));
        await events.NextMessageAsync();

        await CutAsync("expired", gate, client, tokens);

        string? block;
        do
            block = await events.NextAsync();
        while (block == ": ");
        Assert.Null(block);
    }

    [Theory]
    [InlineData("expired", Reason.TokenExpired)]
    [InlineData("revoked", Reason.TokenRevoked)]
    [InlineData("stopped", Reason.ClosedGateStopping)]
    public async Task The_stream_of_SSE_ends_with_an_error_for_what_it_does_not_answer_any_more(string how, Reason reason)
    {
        var reached = new TaskCompletionSource();
        var server = new StreamableServer((context, _) =>
        {
            reached.SetResult();
            return context.LeftAsync();
        });
        await using var upstream = await HttpServer.StartAsync(server.HandleAsync);
        var (gate, client, tokens) = await GateAsync(upstream.Url);
        await using var _ = gate;
        using var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken);
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(7, "x"), await stream.EndpointAsync());
        await reached.Task.WaitAsync(TestContext.Current.CancellationToken);

        var stopping = await CutAsync(how, gate, client, tokens);
        var error = await stream.NextMessageAsync();

        Assert.Equal((7, -32000), (error.GetProperty("id").GetInt32(), error.GetProperty("error").GetProperty("code").GetInt32()));
        Assert.Null(await stream.NextAsync());
        await stopping;
        if (how != "stopped")
            await gate.StopAsync();
        Assert.Equal(reason, gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Single().Reason);
        Assert.Equal(reason, gate.Events<SessionClosed>().Single().Reason);
    }

    [Fact]
    public async Task A_gate_that_stops_lets_calls_over_SSE_end_for_a_while_and_their_stream_with_them()
    {
        var (reached, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        var server = new StreamableServer(async (context, _) =>
        {
            reached.SetResult();
            await goOn.Task;
            await context.AnswerAsync(StreamableServer.Answer(7));
        });
        await using var upstream = await HttpServer.StartAsync(server.HandleAsync);
        var (gate, _, tokens) = await GateAsync(upstream.Url);
        await using var _ = gate;
        using var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken);
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(7, "x"), await stream.EndpointAsync());
        await reached.Task.WaitAsync(TestContext.Current.CancellationToken);

        var timers = gate.Time.Timers;
        var stopping = gate.StopAsync();
        await gate.Time.NextTimerAsync(timers, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(10));
        goOn.SetResult();

        Assert.True((await stream.NextMessageAsync()).TryGetProperty("result", out var _));
        Assert.Null(await stream.NextAsync());
        await stopping;
        Assert.Empty(gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered));
        Assert.Equal(Reason.ClosedGateStopping, gate.Events<SessionClosed>().Single().Reason);
    }

    [Theory]
    [InlineData(true, "expired")]
    [InlineData(true, "revoked")]
    [InlineData(false, "expired")]
    [InlineData(false, "revoked")]
    public async Task A_token_that_ends_before_the_answer_is_answered_with_the_challenge(bool isRelayed, string how)
    {
        var reached = new TaskCompletionSource();
        var server = new SseServer(id => "/post?s=" + id);
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            if (!isRelayed && context.Request.Headers.ContentLength != Messages.Call(1, "x").Length)
            {
                await server.HandleAsync(context);
                return;
            }
            reached.TrySetResult();
            await context.LeftAsync();
        });
        var (gate, client, tokens) = await GateAsync(upstream.Url);
        await using var _ = gate;
        string? session = null;
        if (!isRelayed)
        {
            var opened = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
            await opened.TextAsync();
            session = opened.Headers.GetValues("Mcp-Session-Id").Single();
        }

        var posting = gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x"), session: session);
        await reached.Task.WaitAsync(TestContext.Current.CancellationToken);
        await CutAsync(how, gate, client, tokens);
        var response = await posting;

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        var challenge = Assert.Single(response.Headers.WwwAuthenticate);
        Assert.Equal("Bearer", challenge.Scheme);
        Assert.Contains("resource_metadata=\"http://localhost:5000/.well-known/oauth-protected-resource/mcp\"", challenge.Parameter);
        Assert.Contains("error=\"invalid_token\"", challenge.Parameter);
        Assert.Equal(how == "expired" ? Reason.TokenExpired : Reason.TokenRevoked, gate.EventOf<AccessRefused>(response).Reason);
    }

    [Fact]
    public async Task A_gate_that_stops_lets_calls_end_for_a_while()
    {
        var (reached, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            reached.TrySetResult();
            await goOn.Task;
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync("""{"jsonrpc":"2.0","id":1,"result":{}}""");
        });
        var (gate, _, tokens) = await GateAsync(upstream.Url);
        await using var _ = gate;

        var posting = gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x"));
        await reached.Task.WaitAsync(TestContext.Current.CancellationToken);
        var stopping = gate.StopAsync();
        await gate.Time.TimersAsync(TimeSpan.FromSeconds(10), 1);
        goOn.SetResult();

        Assert.Equal(HttpStatusCode.OK, (await posting).StatusCode);
        await stopping;
    }

    [Fact]
    public async Task A_gate_that_stops_does_not_wait_for_calls_for_ever()
    {
        await using var upstream = new CountingUpstream();
        var (gate, _, tokens) = await GateAsync(upstream.Url);
        await using var _ = gate;

        var posting = gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x"));
        await upstream.Touched.WaitAsync(TestContext.Current.CancellationToken);
        var stopping = gate.StopAsync();
        await gate.Time.TimersAsync(TimeSpan.FromSeconds(10), 1);
        gate.Time.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal(HttpStatusCode.BadGateway, (await posting).StatusCode);
        await stopping.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal(Reason.ClosedGateStopping, gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Single().Reason);
    }
}
