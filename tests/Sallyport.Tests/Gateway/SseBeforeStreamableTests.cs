using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

/// <summary>A client of HTTP+SSE before a Streamable HTTP server: each of its messages is a POST, and all that comes back is one stream.</summary>
public sealed class SseBeforeStreamableTests : IAsyncDisposable
{
    private const string ListChanged = """{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}""";

    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    private readonly SemaphoreSlim _listened = new(0);
    private HttpServer? _upstream;
    private TestGate? _gate;
    private EventBlocks? _stream;
    private string _token = "", _endpoint = "";

    private TestGate Gate => _gate!;

    private async Task<EventBlocks> OpenAsync(StreamableServer server)
    {
        _upstream = await HttpServer.StartAsync(server.HandleAsync);
        _gate = await TestGate.StartAsync(new() { Settings = s => (s.Upstreams, s.AccessTokenSeconds) = ([_upstream.Url], 86_400) });
        _token = (await (await TestClient.RegisterAsync(Gate)).TokensAsync()).AccessToken;
        _stream = await EventBlocks.OpenSseAsync(Gate, _token);
        _endpoint = await _stream.EndpointAsync();
        await PostAsync(Messages.Initialize);
        Assert.Equal(0, (await _stream.NextMessageAsync()).GetProperty("id").GetInt32());
        return _stream;
    }

    /// <summary>Lets time pass until the server is listened to again.</summary>
    private async Task ListenedAsync()
    {
        while (!await _listened.WaitAsync(TimeSpan.FromMilliseconds(50), TestContext.Current.CancellationToken))
            Gate.Time.Advance(TimeSpan.FromSeconds(1));
    }

    private Task<HttpResponseMessage> PostAsync(string message) => Gate.PostMcpAsync(_token, message, _endpoint);

    public async ValueTask DisposeAsync()
    {
        _stream?.Dispose();
        _listened.Dispose();
        if (_gate is not null)
            await _gate.DisposeAsync();
        if (_upstream is not null)
            await _upstream.DisposeAsync();
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    [InlineData("\r")]
    public async Task Indented_JSON_is_one_event(string lineEnd)
    {
        var answer = new { jsonrpc = "2.0", id = 1, result = new { text = "a\nb", list = new[] { 1, 2 } } };
        string Indented(string json) => JsonNode.Parse(json)!.ToJsonString(s_indented).ReplaceLineEndings(lineEnd);
        var stream = await OpenAsync(new((context, _) => context.AnswerAsync(Indented(JsonSerializer.Serialize(answer)))) { Written = Indented });

        await PostAsync(Messages.Call(1, "x"));

        Assert.Equal("a\nb", (await stream.NextMessageAsync()).GetProperty("result").GetProperty("text").GetString());
    }

    [Fact]
    public async Task The_gate_goes_on_listening_after_a_break_and_after_a_fault_and_waits_as_at_first_when_something_came()
    {
        var listened = 0;
        var stream = await OpenAsync(new((_, _) => Task.CompletedTask)
        {
            Listens = async context =>
            {
                _listened.Release();
                if (++listened is 2 or 3 or 4)
                {
                    context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                    return;
                }
                await context.SayAsync($"data: {ListChanged}\n\n");
                // Without an event's id, and in the middle of an event.
                await context.SayAsync("data: {");
                context.Abort();
            },
        });

        await PostAsync(Messages.Initialized);
        for (var i = 1; i <= 7; i++)
        {
            await ListenedAsync();
            if (i is not (2 or 3 or 4))
                Assert.Equal("notifications/tools/list_changed", (await stream.NextMessageAsync()).GetProperty("method").GetString());
        }

        await Gate.Time.TimersAsync(TimeSpan.FromSeconds(4), 1);
        await Gate.Time.TimersAsync(TimeSpan.FromSeconds(8), 1);
        Assert.False(Gate.Time.TimersAsync(TimeSpan.FromSeconds(16), 1).IsCompleted);
        Assert.Equal(7, Gate.Events<GateActed>().Count(act => act.Act == GateAct.Listening));
    }

    [Fact]
    public async Task A_server_that_offers_no_stream_is_not_asked_again()
    {
        var asked = new TaskCompletionSource();
        var stream = await OpenAsync(new((context, _) => context.AnswerAsync(StreamableServer.Answer(1)))
        {
            Listens = context =>
            {
                asked.TrySetResult();
                context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
                return Task.CompletedTask;
            },
        });

        await PostAsync(Messages.Initialized);
        await asked.Task.WaitAsync(TestContext.Current.CancellationToken);
        await PostAsync(Messages.Call(1, "x"));
        await stream.NextMessageAsync();
        Gate.Time.Advance(TimeSpan.FromMinutes(10));
        await PostAsync(Messages.Call(1, "x"));
        await stream.NextMessageAsync();

        Assert.Single(Gate.Events<GateActed>(), act => act.Act == GateAct.Listening);
    }

    [Fact]
    public async Task An_answer_is_gone_on_with_as_long_as_something_comes()
    {
        var asked = new List<string>();
        var stream = await OpenAsync(new((context, _) => context.SayAsync("id: e0\ndata:\n\n"))
        {
            Listens = context =>
            {
                asked.Add(context.Request.Headers["Last-Event-ID"].ToString());
                _listened.Release();
                return context.SayAsync(asked.Count < 10 ? $"id: e{asked.Count}\ndata:\n\n" : $"id: e10\ndata: {StreamableServer.Answer(1)}\n\n");
            },
        });

        await PostAsync(Messages.Call(1, "x"));
        for (var i = 0; i < 10; i++)
            await ListenedAsync();

        Assert.Equal(1, (await stream.NextMessageAsync()).GetProperty("id").GetInt32());
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"e{i}"), asked);
    }

    [Fact]
    public async Task An_answer_is_gone_on_with_when_the_server_says_and_given_up_when_nothing_comes()
    {
        var stream = await OpenAsync(new((context, body) => context.SayAsync(body.Contains("\"id\":1", StringComparison.Ordinal) ? "id: e1\nretry: 60000\ndata:\n\n" : "id: e2\ndata:\n\n"))
        {
            Listens = context =>
            {
                if (context.Request.Headers["Last-Event-ID"] == "e1")
                    return context.SayAsync($"data: {StreamableServer.Answer(1)}\n\n");
                _listened.Release();
                return Task.CompletedTask;
            },
        });

        var timers = Gate.Time.Timers;
        await PostAsync(Messages.Call(1, "x"));
        Gate.Time.Advance(await Gate.Time.NextTimerAsync(timers, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(60)));
        var answer = await stream.NextMessageAsync();
        await PostAsync(Messages.Call(2, "x"));
        for (var i = 0; i < 6; i++)
            await ListenedAsync();
        var error = await stream.NextMessageAsync();

        Assert.True(answer.TryGetProperty("result", out var _));
        Assert.Equal((2, -32000), (error.GetProperty("id").GetInt32(), error.GetProperty("error").GetProperty("code").GetInt32()));
        Assert.Equal(0, _listened.CurrentCount);
    }

    [Theory]
    [InlineData(400, """{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"theirs"}}""")]
    [InlineData(400, """{"jsonrpc":"2.0","error":{"code":-32602,"message":"theirs"},"id":null}""")]
    [InlineData(404, """{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"theirs"}}""")]
    [InlineData(429, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"theirs\"}}\n\n")]
    public async Task An_error_of_the_servers_gets_to_its_client_and_the_session_lives(int status, string said)
    {
        var stream = await OpenAsync(new(async (context, body) =>
        {
            if (!body.Contains("\"id\":1", StringComparison.Ordinal))
            {
                await context.AnswerAsync(StreamableServer.Answer(2));
                return;
            }
            context.Response.StatusCode = status;
            context.Response.ContentType = said[0] == '{' ? "application/json" : "text/event-stream";
            await context.Response.WriteAsync(said);
        }));

        await PostAsync(Messages.Call(1, "x"));
        var error = await stream.NextMessageAsync();
        await PostAsync(Messages.Call(2, "x"));
        var answer = await stream.NextMessageAsync();

        Assert.Equal((1, "theirs"), (error.GetProperty("id").GetInt32(), error.GetProperty("error").GetProperty("message").GetString()));
        Assert.Equal(2, answer.GetProperty("id").GetInt32());
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}""")]
    [InlineData("""{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}""")]
    [InlineData("Not Found")]
    public async Task A_server_that_knows_the_session_no_more_ends_it(string said)
    {
        var stream = await OpenAsync(new((context, _) => context.AnswerAsync(said, status: 404)));

        await PostAsync(Messages.Call(1, "x"));

        var error = await stream.NextMessageAsync();
        Assert.Equal((1, -32000), (error.GetProperty("id").GetInt32(), error.GetProperty("error").GetProperty("code").GetInt32()));
        Assert.Null(await stream.NextAsync());
        Assert.Equal(Reason.UpstreamEnded, (await Gate.EventAsync<SessionClosed>()).Reason);
    }
}
