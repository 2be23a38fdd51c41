using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

/// <summary>Either transport of a client in front of either transport of an HTTP server.</summary>
public class TransportTests
{
    private static Task<TestGate> GateAsync(string upstream) =>
        TestGate.StartAsync(new() { Settings = s => (s.Upstreams, s.AccessTokenSeconds) = ([upstream], 86_400) });

    private static Task<HttpServer> SseAsync(out SseServer server, Func<string, string>? endpointOf = null) =>
        HttpServer.StartAsync((server = new(endpointOf ?? (id => "/post?s=" + id))).HandleAsync);

    [Fact]
    public async Task A_client_of_Streamable_HTTP_works_in_front_of_a_server_of_SSE()
    {
        await using var upstream = await SseAsync(out var server);
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var opened = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        var session = opened.Headers.GetValues("Mcp-Session-Id").Single();
        using var openedEvents = await EventBlocks.OfAsync(opened);
        Assert.Equal("initialize", (await openedEvents.NextMessageAsync()).GetProperty("params").GetProperty("data").GetString());
        var result = (await openedEvents.NextMessageAsync()).GetProperty("result");
        var called = await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x"), session: session);
        using var calledEvents = await EventBlocks.OfAsync(called);
        await calledEvents.NextMessageAsync();
        var answer = (await calledEvents.NextMessageAsync()).GetProperty("result");

        Assert.Equal("2025-11-25", result.GetProperty("protocolVersion").GetString());
        Assert.Equal(result.GetProperty("session").GetString(), answer.GetProperty("session").GetString());
        Assert.NotEqual(session, answer.GetProperty("session").GetString());
        Assert.Equal("tools/call", gate.EventOf<AccessAllowed>(called).Method);
        Assert.Equal([GateAct.Discovery, GateAct.SessionSetUp], gate.Events<GateActed>().Select(act => act.Act));
        Assert.Equal(session, gate.Events<GateActed>()[1].Session);
        // The gate's own question and the client's message.
        Assert.Equal(["initialize", "initialize", "tools/call"], server.Seen);
    }

    [Fact]
    public async Task Two_sessions_in_front_of_a_server_of_SSE_get_their_own_answers_to_the_same_ids()
    {
        await using var upstream = await SseAsync(out _);
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        async Task<(string Session, string Theirs)> OpenAsync()
        {
            var opened = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
            using var events = await EventBlocks.OfAsync(opened);
            await events.NextMessageAsync();
            return (opened.Headers.GetValues("Mcp-Session-Id").Single(), (await events.NextMessageAsync()).GetProperty("result").GetProperty("session").GetString()!);
        }
        (string Session, string Theirs)[] sessions = [await OpenAsync(), await OpenAsync()];

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
        {
            var (session, theirs) = sessions[i % 2];
            var response = await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(i / 2, "x"), session: session);
            var isJson = response.Content.Headers.ContentType!.MediaType == "application/json";
            using var events = isJson ? null : await EventBlocks.OfAsync(response);
            // What the server says beside the answers goes to any of the streams that are open: to this one, or not.
            var message = isJson ? await response.JsonAsync() : await events!.NextMessageAsync();
            while (!message.TryGetProperty("id", out _))
                message = await events!.NextMessageAsync();
            return message.GetProperty("id").GetInt32() == i / 2 && message.GetProperty("result").GetProperty("session").GetString() == theirs;
        }));

        Assert.All(answers, Assert.True);
    }

    [Theory]
    [InlineData("/mcp")]
    [InlineData("/sse")]
    public async Task A_request_that_is_taken_back_reaches_a_server_of_SSE_within_a_second(string path)
    {
        var server = new SseServer(id => "/post?s=" + id);
        var (called, told) = (new TaskCompletionSource(), new TaskCompletionSource<long>());
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            context.Request.EnableBuffering();
            var body = await new StreamReader(context.Request.Body).ReadToEndAsync();
            context.Request.Body.Position = 0;
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            if (body.Contains("tools/call", StringComparison.Ordinal))
                called.SetResult();
            else if (body.Contains("notifications/cancelled", StringComparison.Ordinal))
                told.SetResult(TimeProvider.System.GetTimestamp());
            else
                await server.HandleAsync(context);
        });
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        string? session = null;
        using var stream = path == "/sse" ? await EventBlocks.OpenSseAsync(gate, tokens.AccessToken) : null;
        if (stream is not null)
        {
            path = await stream.EndpointAsync();
        }
        else
        {
            var opened = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
            await opened.TextAsync();
            session = opened.Headers.GetValues("Mcp-Session-Id").Single();
        }
        var calling = gate.PostMcpAsync(tokens.AccessToken, Messages.Call(42, "x"), path, session);
        await called.Task.WaitAsync(TestContext.Current.CancellationToken);

        var taken = TimeProvider.System.GetTimestamp();
        await gate.PostMcpAsync(tokens.AccessToken, """{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":42}}""", path, session);

        Assert.InRange(TimeProvider.System.GetElapsedTime(taken, await told.Task.WaitAsync(TestContext.Current.CancellationToken)).TotalSeconds, 0, 1);
        await (await calling).TextAsync();
    }

    [Fact]
    public async Task A_client_of_SSE_works_in_front_of_a_server_of_SSE_which_is_let_go_of_with_its_stream()
    {
        await using var upstream = await SseAsync(out var server);
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        using (var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken))
        {
            var endpoint = await stream.EndpointAsync();
            Assert.Equal(HttpStatusCode.Accepted, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize, endpoint)).StatusCode);
            await stream.NextMessageAsync();
            var session = (await stream.NextMessageAsync()).GetProperty("result").GetProperty("session").GetString()!;
            Assert.DoesNotContain(session, endpoint, StringComparison.Ordinal);
        }

        await server.Closed.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("http://127.0.0.1:1/post")]
    [InlineData("//evil.example/post")]
    [InlineData("javascript:alert(1)")]
    public async Task An_address_to_post_to_at_another_origin_is_refused(string endpoint)
    {
        await using var upstream = await SseAsync(out _, _ => endpoint);
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var response = await gate.GetWithTokenAsync("/sse", tokens.AccessToken);

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        await gate.StopAsync();
        Assert.Equal(Reason.UpstreamMalformed, gate.Events<AccessOutcome>().SelectMany(outcome => outcome.NotForwarded).Single().Reason);
    }

    /// <summary>A Streamable HTTP server with sessions: answers come as JSON, or for a tool "stream" as a stream with a notification first.</summary>
    private sealed class Streamable
    {
        public ConcurrentQueue<string> Seen { get; } = [];

        public TaskCompletionSource Deleted { get; } = new();

        public async Task HandleAsync(HttpContext context)
        {
            var session = context.Request.Headers["Mcp-Session-Id"].ToString();
            Seen.Enqueue($"{context.Request.Method} {session} {context.Request.Headers["MCP-Protocol-Version"]}");
            if (HttpMethods.IsGet(context.Request.Method))
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n");
                await context.Response.Body.FlushAsync();
                await context.LeftAsync();
                return;
            }
            if (HttpMethods.IsDelete(context.Request.Method))
            {
                Deleted.TrySetResult();
                return;
            }
            using var message = await JsonDocument.ParseAsync(context.Request.Body);
            var method = message.RootElement.GetProperty("method").GetString()!;
            if (method == "server/discover")
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                return;
            }
            if (!message.RootElement.TryGetProperty("id", out var id))
            {
                context.Response.StatusCode = StatusCodes.Status202Accepted;
                return;
            }
            if (method == "initialize")
                context.Response.Headers["Mcp-Session-Id"] = "theirs";
            var answer = JsonSerializer.Serialize(new { jsonrpc = "2.0", id, result = new { protocolVersion = "2025-06-18", method } });
            if (method == "tools/call")
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\ndata: " + answer + "\n\n");
            }
            else
            {
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync(answer);
            }
        }
    }

    [Fact]
    public async Task A_client_of_SSE_works_in_front_of_a_Streamable_HTTP_server_listens_there_and_ends_its_session()
    {
        var server = new Streamable();
        await using var upstream = await HttpServer.StartAsync(server.HandleAsync);
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        using (var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken))
        {
            var endpoint = await stream.EndpointAsync();
            await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize, endpoint);
            Assert.Equal("2025-06-18", (await stream.NextMessageAsync()).GetProperty("result").GetProperty("protocolVersion").GetString());
            await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialized, endpoint);
            Assert.Equal("notifications/tools/list_changed", (await stream.NextMessageAsync()).GetProperty("method").GetString());
            await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(7, "x"), endpoint);
            Assert.Equal("notifications/progress", (await stream.NextMessageAsync()).GetProperty("method").GetString());
            Assert.Equal(7, (await stream.NextMessageAsync()).GetProperty("id").GetInt32());
        }
        await server.Deleted.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        // What is not the probe's.
        Assert.Equal(["POST  ", "POST theirs 2025-06-18", "GET theirs 2025-06-18", "POST theirs 2025-06-18"], server.Seen.SkipWhile(seen => !seen.StartsWith("DELETE", StringComparison.Ordinal)).Skip(1).Take(4));
        Assert.Equal(1, gate.Events<GateActed>().Count(act => act.Act == GateAct.Listening));
    }

    [Fact]
    public async Task A_server_that_comes_up_as_one_of_SSE_later_is_found_to_be_one()
    {
        var port = TestGate.FreePort();
        await using var gate = await GateAsync($"http://127.0.0.1:{port}/mcp");
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        Assert.Equal(HttpStatusCode.BadGateway, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        await using var upstream = await HttpServer.StartAsync(new SseServer(id => "/post?s=" + id).HandleAsync, port);

        var opened = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);

        Assert.Equal(HttpStatusCode.OK, opened.StatusCode);
        Assert.Contains(gate.Log.Lines, line => line.Contains("gives no usable answer (upstream.unreachable)", StringComparison.Ordinal));
        Assert.Contains(gate.Log.Lines, line => line.Contains("answers again", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/mcp", true)]
    [InlineData("/mcp", false)]
    [InlineData("/sse", true)]
    [InlineData("/sse", false)]
    public async Task A_server_that_was_replaced_by_one_of_the_other_transport_is_found_out_by_its_answers(string path, bool wasSse)
    {
        RequestDelegate sse = new SseServer(id => "/post?s=" + id).HandleAsync, streamable = new Streamable().HandleAsync;
        var current = wasSse ? sse : streamable;
        await using var upstream = await HttpServer.StartAsync(context => current(context));
        await using var gate = await GateAsync(upstream.Url);
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        async Task<bool> OpensAsync()
        {
            if (path == "/mcp")
            {
                var opened = await gate.PostMcpAsync(token, Messages.Initialize);
                return opened.StatusCode == HttpStatusCode.OK && (await opened.TextAsync()).Contains("\"result\"", StringComparison.Ordinal);
            }
            var response = await gate.GetWithTokenAsync("/sse", token);
            if (response.StatusCode != HttpStatusCode.OK)
                return false;
            using var stream = await EventBlocks.OfAsync(response);
            if ((await gate.PostMcpAsync(token, Messages.Initialize, await stream.EndpointAsync())).StatusCode != HttpStatusCode.Accepted)
                return false;
            while (true)
            {
                var message = await stream.NextMessageAsync();
                if (message.TryGetProperty("id", out _))
                    return message.TryGetProperty("result", out _);
            }
        }

        // Twice: before a Streamable HTTP server nobody has to ask what it is until somebody comes by the other transport.
        await (await gate.PostMcpAsync(token, """{"jsonrpc":"2.0","id":7,"method":"server/discover"}""")).TextAsync();
        Assert.True(await OpensAsync());
        current = wasSse ? streamable : sse;
        Assert.False(await OpensAsync());
        // Not asked again so soon.
        Assert.False(await OpensAsync());
        gate.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.False(await OpensAsync());
        Assert.Equal(1, gate.Events<GateActed>().Count(act => act.Act == GateAct.Discovery));

        Assert.True(await OpensAsync());
        Assert.True(await OpensAsync());
        Assert.Equal(2, gate.Events<GateActed>().Count(act => act.Act == GateAct.Discovery));
    }

    [Fact]
    public async Task POST_on_sse_is_405_and_says_what_is_allowed()
    {
        await using var gate = await GateAsync("http://127.0.0.1:9/mcp");
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var response = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize, "/sse");

        Assert.Equal((HttpStatusCode.MethodNotAllowed, "GET"), (response.StatusCode, string.Join(',', response.Content.Headers.Allow)));
    }
}
