using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

/// <summary>What the log says became of a message, whatever the server and the caller do meanwhile: what may have arrived is never said not to have.</summary>
public class OutcomeTests
{
    /// <summary>A server of HTTP+SSE that does with calls what the test says.</summary>
    private static Task<HttpServer> SseAsync(Func<HttpContext, SseServer, Task> call)
    {
        var server = new SseServer(id => "/post?s=" + id);
        return HttpServer.StartAsync(async context =>
        {
            context.Request.EnableBuffering();
            var body = await new StreamReader(context.Request.Body, Encoding.UTF8).ReadToEndAsync();
            context.Request.Body.Position = 0;
            await (body.Contains("tools/call", StringComparison.Ordinal) ? call(context, server) : server.HandleAsync(context));
        });
    }

    private static async Task<string> OpenAsync(TestGate gate, string token)
    {
        var opened = await gate.PostMcpAsync(token, Messages.Initialize);
        await opened.TextAsync();
        return opened.Headers.GetValues("Mcp-Session-Id").Single();
    }

    /// <summary>The access of the call, what it was said not to be forwarded for, and why it was not answered.</summary>
    private static (bool IsForwarded, Reason? NotForwarded, Reason? Unanswered) OutcomeOfCall(TestGate gate, string? method = "tools/call")
    {
        var access = gate.Events<AccessAllowed>().Single(access => access.Method == method).Id;
        var outcomes = gate.Events<AccessOutcome>();
        return (
            outcomes.Any(outcome => outcome.Forwarded.Contains(access)),
            outcomes.SelectMany(outcome => outcome.NotForwarded).SingleOrDefault(failure => failure.Access == access)?.Reason,
            outcomes.SelectMany(outcome => outcome.Unanswered).SingleOrDefault(failure => failure.Access == access)?.Reason);
    }

    [Theory]
    [InlineData(true, Reason.UpstreamFailed)]
    [InlineData(false, Reason.UpstreamTimeout)]
    public async Task What_a_server_of_SSE_took_before_it_failed_was_forwarded(bool answers, Reason reason)
    {
        var reached = new TaskCompletionSource();
        await using var upstream = await SseAsync(async (context, _) =>
        {
            reached.SetResult();
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
            if (!answers)
                await context.LeftAsync();
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;
        var session = await OpenAsync(gate, token);

        var posting = gate.PostMcpAsync(token, Messages.Call(1, "x"), session: session);
        await reached.Task.WaitAsync(TestContext.Current.CancellationToken);
        if (!answers)
            gate.Time.Advance(TimeSpan.FromMinutes(5));

        Assert.Equal(HttpStatusCode.BadGateway, (await posting).StatusCode);
        await gate.StopAsync();
        Assert.Equal((true, null, reason), OutcomeOfCall(gate));
    }

    [Fact]
    public async Task What_was_sent_before_its_caller_left_was_forwarded()
    {
        var reached = new TaskCompletionSource();
        await using var upstream = await SseAsync(async (context, _) =>
        {
            reached.SetResult();
            await context.LeftAsync();
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;
        var session = await OpenAsync(gate, token);
        using var leaving = new CancellationTokenSource();

        var posting = gate.Http.SendAsync(gate.McpRequest(token, Messages.Call(1, "x"), session: session), leaving.Token);
        await reached.Task.WaitAsync(TestContext.Current.CancellationToken);
        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => posting);
        await gate.StopAsync();
        Assert.Equal((true, null, Reason.CallerLeft), OutcomeOfCall(gate));
    }

    [Fact]
    public async Task A_caller_of_SSE_that_leaves_its_post_is_answered_over_the_stream_and_the_log_says_no_less()
    {
        var goOn = new TaskCompletionSource();
        await using var upstream = await SseAsync(async (context, server) =>
        {
            await server.HandleAsync(context);
            await goOn.Task;
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;
        using var stream = await EventBlocks.OpenSseAsync(gate, token);
        var endpoint = await stream.EndpointAsync();
        using var leaving = new CancellationTokenSource();

        var posting = gate.Http.SendAsync(gate.McpRequest(token, Messages.Call(7, "x"), endpoint), leaving.Token);
        await stream.NextMessageAsync();
        Assert.Equal(7, (await stream.NextMessageAsync()).GetProperty("id").GetInt32());
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => posting);

        var stopping = gate.StopAsync();
        goOn.SetResult();
        await stopping;
        Assert.Equal((true, null, null), OutcomeOfCall(gate));
    }

    [Fact]
    public async Task What_is_said_not_to_have_been_sent_when_its_caller_left_is_not_sent_later()
    {
        var server = new StreamableServer((context, _) => context.AnswerAsync("{}"));
        var upstream = await HttpServer.StartAsync(server.HandleAsync);
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;
        using var stream = await EventBlocks.OpenSseAsync(gate, token);
        var endpoint = await stream.EndpointAsync();
        await upstream.DisposeAsync();
        // It has room for one connection that nobody accepts; further ones are being made as long as it is there.
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, new Uri(upstream.Url).Port));
        listener.Listen(0);
        using var filler = new TcpClient();
        await filler.ConnectAsync((IPEndPoint)listener.LocalEndPoint!, TestContext.Current.CancellationToken);
        using var leaving = new CancellationTokenSource();

        var posting = gate.Http.SendAsync(gate.McpRequest(token, Messages.Call(7, "x"), endpoint), leaving.Token);
        await gate.EventAsync<AccessAllowed>(access => access.Method == "tools/call");
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => posting);
        // Its connection is asked for behind that one's.
        var next = gate.PostMcpAsync(token, Messages.Initialized, endpoint);
        await gate.EventAsync<AccessAllowed>(access => access.Method == "notifications/initialized");
        var received = await ReceiveAsync(listener, "notifications/initialized");

        Assert.DoesNotContain("tools/call", received, StringComparison.Ordinal);
        stream.Dispose();
        await next;
        await gate.StopAsync();
        Assert.Equal((false, Reason.CallerLeft, null), OutcomeOfCall(gate));
    }

    /// <summary>What comes over all connections, until that has come.</summary>
    private static async Task<string> ReceiveAsync(Socket listener, string last)
    {
        var received = new StringBuilder();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = AcceptAsync();
        await done.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        lock (received)
            return received.ToString();

        async Task AcceptAsync()
        {
            while (true)
                _ = ReadAsync(await listener.AcceptAsync(TestContext.Current.CancellationToken));
        }

        async Task ReadAsync(Socket connection)
        {
            var buffer = new byte[4096];
            while (await connection.ReceiveAsync(buffer, TestContext.Current.CancellationToken) is > 0 and var read)
            {
                lock (received)
                {
                    received.Append(Encoding.UTF8.GetString(buffer, 0, read));
                    if (received.ToString().Contains(last, StringComparison.Ordinal))
                        done.TrySetResult();
                }
            }
        }
    }

    [Theory]
    [InlineData(302, Reason.UpstreamRedirected)]
    [InlineData(401, Reason.UpstreamRefused)]
    [InlineData(429, Reason.UpstreamFailed)]
    [InlineData(500, Reason.UpstreamFailed)]
    public async Task Why_a_Streamable_HTTP_server_gave_a_client_of_SSE_no_answer_is_in_the_log(int status, Reason reason)
    {
        var server = new StreamableServer((context, _) =>
        {
            context.Response.StatusCode = status;
            return context.Response.WriteAsync("its own words");
        });
        await using var upstream = await HttpServer.StartAsync(server.HandleAsync);
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;
        using var stream = await EventBlocks.OpenSseAsync(gate, token);
        var endpoint = await stream.EndpointAsync();

        await gate.PostMcpAsync(token, Messages.Call(7, "x"), endpoint);
        var told = await gate.PostMcpAsync(token, """{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}""", endpoint);

        // The post of the call is told, or its stream, whichever is the sooner.
        Assert.Equal(HttpStatusCode.BadGateway, told.StatusCode);
        await gate.StopAsync();
        Assert.Equal((true, null, reason), OutcomeOfCall(gate));
        Assert.Equal((true, null, reason), OutcomeOfCall(gate, "notifications/roots/list_changed"));
    }

    [Fact]
    public async Task An_answer_that_fails_after_its_post_was_accepted_is_an_error_on_the_stream_and_its_reason_in_the_log()
    {
        var goOn = new TaskCompletionSource();
        var server = new StreamableServer(async (context, _) =>
        {
            await goOn.Task;
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        });
        await using var upstream = await HttpServer.StartAsync(server.HandleAsync);
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;
        using var stream = await EventBlocks.OpenSseAsync(gate, token);
        var endpoint = await stream.EndpointAsync();

        Assert.Equal(HttpStatusCode.Accepted, (await gate.PostMcpAsync(token, Messages.Call(7, "x"), endpoint)).StatusCode);
        goOn.SetResult();
        var error = await stream.NextMessageAsync();

        Assert.Equal((7, -32000), (error.GetProperty("id").GetInt32(), error.GetProperty("error").GetProperty("code").GetInt32()));
        await gate.StopAsync();
        Assert.Equal((true, null, Reason.UpstreamFailed), OutcomeOfCall(gate));
    }
}
