using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

public class RelayTests
{
    private static string Notification(int number) => $$$"""{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"{{{number}}}"}}""";

    private static Task<TestGate> GateAsync(string upstream) => TestGate.StartAsync(new() { Settings = s => s.Upstreams = [upstream] });

    [Fact]
    public async Task The_upstream_gets_the_very_bytes_and_neither_the_token_nor_any_identity()
    {
        var (body, headers, path) = (Array.Empty<byte>(), new Dictionary<string, string>(), "");
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            using var copy = new MemoryStream();
            await context.Request.Body.CopyToAsync(copy);
            (body, path) = (copy.ToArray(), context.Request.Path + context.Request.QueryString);
            headers = context.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => header.Value.ToString());
            context.Response.Headers["Set-Cookie"] = "a=b";
            context.Response.Headers["Access-Control-Allow-Origin"] = "*";
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync("""{"jsonrpc":"2.0","id":1,"result":{"unknown":"member"}}""");
        });
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        var message = """ { "jsonrpc" : "2.0", "id" : 1, "method" : "x/unheard-of", "params" : { "_meta" : { "é" : [1.0, 1e2] }, "arguments" : { "region" : "eu" } }, "extra" : null } """;
        var request = gate.McpRequest(tokens.AccessToken, message, "/mcp?x=1");
        foreach (var name in new[] { "X-User", "X_User", "Remote-User", "X-Forwarded-User", "X-Forwarded-For", "Cookie", "Mcp-User", "Forwarded" })
            request.Headers.TryAddWithoutValidation(name, "forged");
        request.Headers.Add("MCP-Protocol-Version", "2025-11-25");
        request.Headers.Add("Mcp-Param-Region", "eu");

        var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal("""{"jsonrpc":"2.0","id":1,"result":{"unknown":"member"}}""", await response.TextAsync());
        Assert.Equal(Encoding.UTF8.GetBytes(message), body);
        Assert.Equal("/mcp", path);
        Assert.Equal(
            ["accept", "content-length", "content-type", "host", "mcp-param-region", "mcp-protocol-version"],
            headers.Keys.Order());
        Assert.DoesNotContain(headers.Values, value => value.Contains(tokens.AccessToken, StringComparison.Ordinal) || value.Contains("forged", StringComparison.Ordinal));
        Assert.False(response.Headers.Contains("Set-Cookie"));
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Equal("x/unheard-of", gate.EventOf<AccessAllowed>(response).Method);
    }

    [Theory]
    [InlineData("resources/read", "file:///etc/shadow")]
    [InlineData("tools/call", "harmless")]
    public async Task What_is_recorded_as_named_is_what_the_method_names(string method, string name)
    {
        await using var upstream = await HttpServer.StartAsync(context => context.Response.WriteAsync("{}"));
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var response = await gate.PostMcpAsync(tokens.AccessToken, $$$"""{"jsonrpc":"2.0","id":1,"method":"{{{method}}}","params":{"name":"harmless","uri":"file:///etc/shadow"}}""");

        Assert.Equal(name, gate.EventOf<AccessAllowed>(response).Name);
    }

    [Fact]
    public async Task The_upstreams_session_id_stays_behind_the_gate_and_the_gates_own_is_its_owners()
    {
        var seen = new List<string>();
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            seen.Add(context.Request.Headers["Mcp-Session-Id"].ToString());
            context.Response.Headers["Mcp-Session-Id"] = "upstream-session";
            context.Response.ContentType = "application/json";
            return context.Response.WriteAsync("""{"jsonrpc":"2.0","id":0,"result":{}}""");
        });
        await using var gate = await GateAsync(upstream.Url);
        await gate.AddUserAsync("bob");
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        var bobs = await (await TestClient.RegisterAsync(gate)).TokensAsync("bob");

        var opened = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        var session = opened.Headers.GetValues("Mcp-Session-Id").Single();
        var called = await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x"), session: session);
        var foreign = await gate.PostMcpAsync(bobs.AccessToken, Messages.Call(1, "x"), session: session);
        var listened = await gate.ListenAsync(bobs.AccessToken, session);
        var guessed = await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x"), session: "upstream-session");

        Assert.NotEqual("upstream-session", session);
        Assert.Equal(session, called.Headers.GetValues("Mcp-Session-Id").Single());
        Assert.Equal(["", "upstream-session"], seen);
        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound, HttpStatusCode.NotFound), (foreign.StatusCode, listened.StatusCode, guessed.StatusCode));
        Assert.Equal(Reason.SessionOfAnother, gate.EventOf<AccessRefused>(listened).Reason);
        Assert.Equal((Reason.SessionOfAnother, Reason.SessionUnknown), (gate.EventOf<AccessRefused>(foreign).Reason, gate.EventOf<AccessRefused>(guessed).Reason));
    }

    [Fact]
    public async Task A_session_that_idles_is_ended_upstream_too_and_one_that_its_client_ended_is_not_ended_twice()
    {
        var deleted = System.Threading.Channels.Channel.CreateUnbounded<string>();
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            if (HttpMethods.IsDelete(context.Request.Method))
            {
                await deleted.Writer.WriteAsync(context.Request.Headers["Mcp-Session-Id"].ToString());
                return;
            }
            using var message = await System.Text.Json.JsonDocument.ParseAsync(context.Request.Body);
            context.Response.Headers["Mcp-Session-Id"] = "session-" + message.RootElement.GetProperty("id").GetRawText();
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync($$$"""{"jsonrpc":"2.0","id":{{{message.RootElement.GetProperty("id").GetRawText()}}},"result":{}}""");
        });
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => (settings.Upstreams, settings.SessionIdleSeconds) = ([upstream.Url], 60) });
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var closed = await gate.PostMcpAsync(token, Messages.Initialize.Replace("\"id\":0", "\"id\":1", StringComparison.Ordinal));
        await gate.PostMcpAsync(token, Messages.Initialize.Replace("\"id\":0", "\"id\":2", StringComparison.Ordinal));

        var delete = new HttpRequestMessage(HttpMethod.Delete, "/mcp") { Headers = { { "Mcp-Session-Id", closed.Headers.GetValues("Mcp-Session-Id").Single() } } };
        delete.Headers.Authorization = new("Bearer", token);
        await gate.Http.SendAsync(delete, TestContext.Current.CancellationToken);
        await gate.Time.TimersAsync(TimeSpan.FromMinutes(1), 1);
        gate.Time.Advance(TimeSpan.FromSeconds(61));

        Assert.Equal("session-1", await deleted.Reader.ReadAsync(TestContext.Current.CancellationToken));
        Assert.Equal("session-2", await deleted.Reader.ReadAsync(TestContext.Current.CancellationToken));
        Assert.False(deleted.Reader.TryRead(out _));
        await gate.StopAsync();
        Assert.Equal([Reason.ClosedByClient, Reason.ClosedIdle], gate.Events<SessionClosed>().Select(session => session.Reason));
        Assert.Single(gate.Events<GateActed>(), act => act.Act == GateAct.Closing);
    }

    [Fact]
    public async Task SSE_03_Of_too_many_streams_at_a_time_one_more_is_refused_until_one_ends()
    {
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.Body.FlushAsync();
            var gone = new TaskCompletionSource();
            context.RequestAborted.Register(gone.SetResult);
            await gone.Task;
        });
        await using var gate = await GateAsync(upstream.Url);
        await gate.AddUserAsync("bob");
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var bobs = (await (await TestClient.RegisterAsync(gate)).TokensAsync("bob")).AccessToken;
        var streams = new List<HttpResponseMessage>();
        for (var i = 0; i < Sallyport.Server.Protocol.Limits.OpenRequestsPerPrincipal; i++)
            streams.Add(await OpenAsync(token));

        var refused = await OpenAsync(token);
        var anothers = await OpenAsync(bobs);

        Assert.All(streams, stream => Assert.Equal(HttpStatusCode.OK, stream.StatusCode));
        Assert.Equal((HttpStatusCode.TooManyRequests, HttpStatusCode.OK), (refused.StatusCode, anothers.StatusCode));
        Assert.Equal(Reason.SessionLimit, gate.EventOf<AccessRefused>(refused).Reason);
        streams[0].Dispose();
        HttpResponseMessage again;
        while ((again = await OpenAsync(token)).StatusCode == HttpStatusCode.TooManyRequests)
            again.Dispose();
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);

        Task<HttpResponseMessage> OpenAsync(string bearer)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, "/mcp") { Headers = { { "Accept", "text/event-stream" } } };
            request.Headers.Authorization = new("Bearer", bearer);
            return gate.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_stream_of_the_upstream_is_relayed_as_it_comes_and_ends_with_its_token()
    {
        var goOn = new TaskCompletionSource();
        var aborted = new TaskCompletionSource();
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync($"data: {Notification(1)}\n\n");
            await context.Response.Body.FlushAsync();
            await goOn.Task;
            await context.Response.WriteAsync($"data: {Notification(2)}\n\n");
            await context.Response.Body.FlushAsync();
            await using var registration = context.RequestAborted.Register(() => aborted.TrySetResult());
            await aborted.Task;
        });
        await using var gate = await TestGate.StartAsync(new() { Settings = s => (s.Upstreams, s.AccessTokenSeconds) = ([upstream.Url], 60) });
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var stream = await gate.GetWithTokenAsync("/mcp", tokens.AccessToken);
        using var events = await EventBlocks.OfAsync(stream);
        Assert.StartsWith(": ", await events.NextAsync());
        Assert.Equal($"event: message\ndata: {Notification(1)}", await events.NextAsync());
        goOn.SetResult();
        Assert.Equal($"event: message\ndata: {Notification(2)}", await events.NextAsync());
        Assert.Equal("no", stream.Headers.GetValues("X-Accel-Buffering").Single());

        gate.Time.Advance(TimeSpan.FromSeconds(60));

        await aborted.Task.WaitAsync(TestContext.Current.CancellationToken);
        await gate.StopAsync();
        Assert.Equal([gate.EventOf<AccessAllowed>(stream).Id], gate.Events<AccessOutcome>().SelectMany(outcome => outcome.StreamsEnded ?? []));
    }

    [Theory]
    [InlineData(302, Reason.UpstreamRedirected)]
    [InlineData(307, Reason.UpstreamRedirected)]
    [InlineData(401, Reason.UpstreamRefused)]
    [InlineData(403, Reason.UpstreamRefused)]
    public async Task An_upstream_that_redirects_or_refuses_the_gate_itself_is_not_relayed(int status, Reason reason)
    {
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.Location = "http://169.254.169.254/";
            context.Response.Headers.WWWAuthenticate = "Bearer resource_metadata=\"https://evil.example\"";
            return context.Response.WriteAsync("the upstream's own words");
        });
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var response = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Null(response.Headers.Location);
        Assert.Empty(response.Headers.WwwAuthenticate);
        Assert.DoesNotContain("own words", await response.TextAsync());
        Assert.IsType<AccessAllowed>(gate.EventOf(response));
        await gate.StopAsync();
        Assert.Equal(reason, Assert.Single(gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered)).Reason);
    }

    [Theory]
    [InlineData("websocket")]
    [InlineData("SPDY/3.1")]
    public async Task No_connection_is_upgraded_past_the_gate(string protocol)
    {
        var asked = "";
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            asked = context.Request.Headers.Upgrade.ToString() + context.Request.Headers.Connection.ToString();
            context.Response.StatusCode = StatusCodes.Status101SwitchingProtocols;
            return Task.CompletedTask;
        });
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var answer = await gate.SendRawAsync(
            $"GET /mcp HTTP/1.1\r\nHost: localhost:5000\r\nAuthorization: Bearer {tokens.AccessToken}\r\nConnection: Upgrade, close\r\nUpgrade: {protocol}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n");

        Assert.DoesNotContain("101", answer.Split('\n')[0]);
        Assert.Equal("", asked);
    }

    [Fact]
    public async Task An_answer_without_a_body_is_relayed()
    {
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        });
        await using var gate = await GateAsync(upstream.Url);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        Assert.Equal(HttpStatusCode.NoContent, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialized)).StatusCode);
    }

    [Fact]
    public async Task A_token_that_ends_before_the_answer_is_refused_so_that_the_client_refreshes()
    {
        var reached = new TaskCompletionSource();
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            reached.SetResult();
            var aborted = new TaskCompletionSource();
            await using var registration = context.RequestAborted.Register(() => aborted.TrySetResult());
            await aborted.Task;
        });
        await using var gate = await TestGate.StartAsync(new() { Settings = s => (s.Upstreams, s.AccessTokenSeconds) = ([upstream.Url], 60) });
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var posting = gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        await reached.Task.WaitAsync(TestContext.Current.CancellationToken);
        gate.Time.Advance(TimeSpan.FromSeconds(60));

        Assert.Equal(HttpStatusCode.Unauthorized, (await posting).StatusCode);
        await gate.StopAsync();
        Assert.Equal(Reason.TokenExpired, gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Single().Reason);
    }

    [Fact]
    public async Task An_upstream_that_is_down_is_502_and_the_log_says_that_it_saw_nothing()
    {
        await using var gate = await GateAsync($"http://127.0.0.1:{TestGate.FreePort()}/mcp");
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var response = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        var access = gate.EventOf<AccessAllowed>(response);
        await gate.StopAsync();
        Assert.Equal(new AccessFailure(access.Id, Reason.UpstreamUnreachable), gate.Events<AccessOutcome>().Single().NotForwarded.Single());
    }

    [Fact]
    public async Task Without_a_token_the_upstream_sees_no_byte()
    {
        await using var upstream = new CountingUpstream();
        await using var gate = await GateAsync(upstream.Url);

        foreach (var (method, path) in new[] { ("POST", "/mcp"), ("GET", "/mcp"), ("DELETE", "/mcp"), ("POST", "/"), ("GET", "/sse"), ("POST", "/messages/"), ("GET", "/anything") })
            Assert.Equal(HttpStatusCode.Unauthorized, (await gate.Http.SendAsync(new(new(method), path), TestContext.Current.CancellationToken)).StatusCode);

        Assert.Equal(0, upstream.Bytes);
    }

    [Fact]
    public async Task L1_10_ids_of_sessions_are_128_random_bits_in_visible_ASCII()
    {
        await using var gate = await TestGate.StartAsync();
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var ids = new List<string>();

        for (var i = 0; i < 50; i++)
            ids.Add((await gate.PostMcpAsync(token, Messages.Initialize)).Headers.GetValues("Mcp-Session-Id").Single());
        using var stream = await EventBlocks.OpenSseAsync(gate, token);

        Assert.All(ids, id => Assert.Matches("^[A-Za-z0-9_-]{22}$", id));
        Assert.Equal(ids.Count, ids.Distinct().Count());
        // Bytes in order would begin alike.
        Assert.InRange(ids.Select(id => id[..4]).Distinct().Count(), 45, 50);
        Assert.Matches("session_id=[0-9a-f]{32}$", await stream.EndpointAsync());
    }

    [Theory]
    [InlineData("Retry-After: 1\u00e9")]
    [InlineData("Retry-After: 1\u0001")]
    [InlineData("Retry-After: 1\rSet-Cookie: theirs=1")]
    [InlineData("MCP-Protocol-Version: 2025-11-25\u00e9")]
    [InlineData("Allow: GET\u007f")]
    public async Task PATH_13_what_a_server_says_in_headers_that_are_no_text_is_left_out(string header)
    {
        const string Answer = """{"jsonrpc":"2.0","id":1,"result":{}}""";
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var answering = Task.Run(async () =>
        {
            using var connection = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
            var buffer = new byte[4096];
            for (var got = ""; !got.EndsWith('}');)
                got += Encoding.Latin1.GetString(buffer, 0, await connection.GetStream().ReadAtLeastAsync(buffer, 1, cancellationToken: TestContext.Current.CancellationToken));
            await connection.GetStream().WriteAsync(
                Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{header}\r\nContent-Length: {Answer.Length}\r\nConnection: close\r\n\r\n{Answer}"), TestContext.Current.CancellationToken);
        }, TestContext.Current.CancellationToken);
        await using var gate = await GateAsync($"http://{listener.LocalEndpoint}/mcp");
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;

        var response = await gate.PostMcpAsync(token, Messages.Call(1, "x"));

        await answering;
        Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.BadGateway);
        Assert.False(response.Headers.Contains("Set-Cookie"));
        Assert.All(response.Headers.Concat(response.Content.Headers).SelectMany(each => each.Value), value => Assert.Matches("^[ -~]*$", value));
        Assert.DoesNotContain(gate.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task L2_20_a_schema_is_relayed_and_nothing_that_it_points_at_is_fetched()
    {
        await using var elsewhere = new CountingUpstream();
        var tools = $$$$"""{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"x","inputSchema":{"$schema":"{{{{elsewhere.Url}}}}","$id":"{{{{elsewhere.Url}}}}","type":"object","properties":{"a":{"$ref":"{{{{elsewhere.Url}}}}#/a"}}},"icons":[{"src":"{{{{elsewhere.Url}}}}"}]}]}}""";
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            context.Response.ContentType = "application/json";
            return context.Response.WriteAsync(tools);
        });
        await using var gate = await GateAsync(upstream.Url);
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;

        var response = await gate.PostMcpAsync(token, """{"jsonrpc":"2.0","id":1,"method":"tools/list"}""");

        Assert.Equal(tools, await response.TextAsync());
        await gate.StopAsync();
        Assert.Equal(0, elsewhere.Bytes);
    }
}
