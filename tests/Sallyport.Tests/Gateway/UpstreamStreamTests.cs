using System.Text;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

/// <summary>Streams of upstreams: that break, that last, that flood; and clients that leave or do not read.</summary>
public class UpstreamStreamTests
{
    private const string Answer = """{"jsonrpc":"2.0","id":1,"result":{}}""";

    [Fact]
    public async Task A_stream_is_not_cut_by_the_limit_and_carries_comments()
    {
        var goOn = new TaskCompletionSource();
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.Body.FlushAsync();
            await goOn.Task;
            await context.Response.WriteAsync($"data: {Answer}\n\n");
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        using var events = await EventBlocks.OfAsync(await gate.PostMcpAsync(token, Messages.Call(1, "x")));
        Assert.Equal(": sallyport", await events.NextAsync());
        for (var i = 1; i <= 30; i++)
        {
            await gate.Time.TimersAsync(TimeSpan.FromSeconds(15), i);
            gate.Time.Advance(TimeSpan.FromSeconds(15));
            Assert.Equal(": ", await events.NextAsync());
        }
        goOn.SetResult();

        Assert.Equal(1, (await events.NextMessageAsync()).GetProperty("id").GetInt32());
    }

    [Theory]
    [InlineData("")]
    [InlineData("data: <h1>theirs</h1>\n\n")]
    [InlineData("event: forged\ndata: {}\n\n")]
    public async Task A_stream_that_ends_without_the_answer_ends_with_an_error_of_the_gates(string written)
    {
        await using var upstream = await HttpServer.AnsweringAsync(200, "text/event-stream", written);
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        using var events = await EventBlocks.OfAsync(await gate.PostMcpAsync(token, Messages.Call(1, "x")));
        await events.NextAsync();
        var last = await events.NextMessageAsync();

        Assert.Equal((1, -32000), (last.GetProperty("id").GetInt32(), last.GetProperty("error").GetProperty("code").GetInt32()));
        Assert.Null(await events.NextAsync());
    }

    [Fact]
    public async Task Lines_of_an_event_become_one_and_none_is_forged()
    {
        await using var upstream = await HttpServer.AnsweringAsync(200, "text/event-stream",
            ": comment\r\nid: a\revent: message\r\nretry: 10\r\nx: y\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: \"id\":1,\r\ndata:\"result\":{\"text\":\"a\\r\\nevent: forged\\ndata: \u2028\"}}\r\n\r\n");
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        using var events = await EventBlocks.OfAsync(await gate.PostMcpAsync(token, Messages.Call(1, "x")));
        await events.NextAsync();
        var block = (await events.NextAsync())!.Split('\n');

        Assert.Equal(["retry: 10", "event: message", "data: {\"jsonrpc\":\"2.0\", \"id\":1, \"result\":{\"text\":\"a\\r\\nevent: forged\\ndata: \u2028\"}}"], block[1..]);
        Assert.Matches("^id: [0-9a-f]{32}a$", block[0]);
        Assert.Null(await events.NextAsync());
    }

    [Fact]
    public async Task A_stream_is_gone_on_with_by_its_own_client_only()
    {
        var asked = new List<string>();
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            context.Response.Headers["Mcp-Session-Id"] = "s" + context.Request.Headers.Authorization;
            asked.Add(context.Request.Headers["Last-Event-ID"].ToString());
            context.Response.ContentType = "text/event-stream";
            return context.Response.WriteAsync(HttpMethods.IsGet(context.Request.Method) ? $"id: e2\ndata: {Answer}\n\n" : "id: e1\ndata:\n\n");
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;
        async Task<string> OpenAsync() => (await gate.PostMcpAsync(token, Messages.Initialize)).Headers.GetValues("Mcp-Session-Id").Single();
        Task<HttpResponseMessage> GoOnAsync(string session, string id)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, "/mcp") { Headers = { { "Mcp-Session-Id", session }, { "Last-Event-ID", id } } };
            request.Headers.Authorization = new("Bearer", token);
            return gate.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        }
        var (own, other) = (await OpenAsync(), await OpenAsync());
        using var events = await EventBlocks.OfAsync(await gate.PostMcpAsync(token, Messages.Call(1, "x"), session: own));
        await events.NextAsync();
        var id = (await events.NextAsync())!.Split('\n')[0]["id: ".Length..];
        // It broke before the answer, and can be gone on with: no error is put in its place.
        Assert.Null(await events.NextAsync());
        asked.Clear();

        var foreign = await GoOnAsync(other, id);
        var guessed = await GoOnAsync(own, "e1");
        using var resumed = await EventBlocks.OfAsync(await GoOnAsync(own, id));

        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound), (foreign.StatusCode, guessed.StatusCode));
        Assert.Equal(Reason.StreamUnknown, gate.EventOf<AccessRefused>(foreign).Reason);
        Assert.Equal(1, (await resumed.NextMessageAsync()).GetProperty("id").GetInt32());
        Assert.Equal(["e1"], asked);
    }

    [Theory]
    [InlineData("/mcp")]
    [InlineData("/sse")]
    public async Task A_caller_that_leaves_is_noticed_upstream_within_a_second(string path)
    {
        var left = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var stream = new SseServer(id => "/post?s=" + id);
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            if (path == "/sse")
            {
                await stream.HandleAsync(context);
                return;
            }
            reached.TrySetResult();
            await context.LeftAsync();
            left.TrySetResult(TimeProvider.System.GetTimestamp());
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;
        using var leaving = new CancellationTokenSource();
        HttpResponseMessage? open = null;
        Task? posting = null;
        if (path == "/sse")
        {
            open = await gate.GetWithTokenAsync("/sse", token);
        }
        else
        {
            posting = gate.Http.SendAsync(gate.McpRequest(token, Messages.Call(1, "x")), leaving.Token);
            await reached.Task.WaitAsync(TestContext.Current.CancellationToken);
        }

        var gone = TimeProvider.System.GetTimestamp();
        await leaving.CancelAsync();
        open?.Dispose();

        await (path == "/sse" ? stream.Closed : left.Task).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.InRange(TimeProvider.System.GetElapsedTime(gone).TotalSeconds, 0, 1);
        if (posting is not null)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => posting);
    }

    [Fact]
    public async Task An_upstream_that_floods_a_client_that_reads_nothing_has_to_wait()
    {
        const int Most = 64 * 1024 * 1024;
        var message = $$$"""{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"{{{new string('x', 60_000)}}}"}}""";
        var written = 0L;
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            if (HttpMethods.IsPost(context.Request.Method))
            {
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync(Answer);
                return;
            }
            context.Response.ContentType = "text/event-stream";
            while (Interlocked.Read(ref written) < Most)
            {
                await context.Response.WriteAsync($"data: {message}\n\n", context.RequestAborted);
                Interlocked.Add(ref written, message.Length);
            }
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        using var response = await gate.GetWithTokenAsync("/mcp", token);
        // It is held when the gate has answered others a hundred times and taken nothing more of it.
        long before;
        do
        {
            before = Interlocked.Read(ref written);
            for (var i = 0; i < 100; i++)
                Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(token, Messages.Call(1, "x"))).StatusCode);
        }
        while (before == 0 || before != Interlocked.Read(ref written));

        Assert.InRange(written, 1, Most / 2);
    }

    [Theory]
    [InlineData("GET", false)]
    [InlineData("GET", true)]
    [InlineData("POST", false)]
    [InlineData("POST, as a stream", false)]
    public async Task SSE_02_A_client_that_takes_nothing_for_half_a_minute_is_let_go_of_and_so_is_the_upstream(string way, bool overSockets)
    {
        const int Most = 64 * 1024 * 1024;
        var message = $$$"""{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"{{{new string('x', 1_000_000)}}}"}}""";
        var written = 0L;
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            if (way == "POST" || (way == "GET" && HttpMethods.IsPost(context.Request.Method)))
            {
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync($$$"""{"jsonrpc":"2.0","id":1,"result":"{{{new string('x', way == "POST" ? 4_000_000 : 0)}}}"}""");
                return;
            }
            context.Response.ContentType = "text/event-stream";
            try
            {
                while (Interlocked.Read(ref written) < Most)
                {
                    await context.Response.WriteAsync($"data: {message}\n\n", context.RequestAborted);
                    Interlocked.Add(ref written, message.Length);
                }
            }
            catch (OperationCanceledException)
            {
                left.TrySetResult();
            }
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url, overSockets);
        await using var _ = gate;

        using var response = await (way.StartsWith("POST", StringComparison.Ordinal) ? gate.PostMcpAsync(token, Messages.Call(1, "x")) : gate.GetWithTokenAsync("/mcp", token));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await gate.Time.TimersAsync(TimeSpan.FromSeconds(30), 1);
        // A socket takes a while until it is full: when the gate has answered others a hundred times and taken nothing more.
        for (var before = -1L; overSockets && before != Interlocked.Read(ref written);)
        {
            before = Interlocked.Read(ref written);
            for (var i = 0; i < 100; i++)
                Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(token, Messages.Call(1, "x"))).StatusCode);
        }
        gate.Time.Advance(TimeSpan.FromSeconds(30));
        await Assert.ThrowsAnyAsync<Exception>(() => response.TextAsync());

        if (way != "POST")
            await left.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.InRange(written, 0, Most / 2);
    }

    [Fact]
    public async Task SSE_02_A_client_that_reads_slowly_keeps_its_answer()
    {
        await using var upstream = await HttpServer.AnsweringAsync(200, "application/json", $$$"""{"jsonrpc":"2.0","id":1,"result":"{{{new string('x', 1_000_000)}}}"}""");
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        using var response = await gate.PostMcpAsync(token, Messages.Call(1, "x"));
        await using var body = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        var buffer = new byte[128 * 1024];
        var patience = TimeSpan.FromSeconds(30);
        await gate.Time.TimersAsync(patience, 1);
        for (var i = 0; i < 4; i++)
        {
            gate.Time.Advance(TimeSpan.FromSeconds(25));
            var timers = gate.Time.Timers;
            await body.ReadExactlyAsync(buffer, TestContext.Current.CancellationToken);
            // The gate has written more, and waits anew.
            await gate.Time.NextTimerAsync(timers, patience, patience);
        }
        using var rest = new MemoryStream();
        await body.CopyToAsync(rest, TestContext.Current.CancellationToken);

        Assert.EndsWith("xx\"}", Encoding.UTF8.GetString(rest.ToArray()), StringComparison.Ordinal);
    }
}
