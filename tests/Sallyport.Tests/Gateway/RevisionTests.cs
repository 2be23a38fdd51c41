using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

/// <summary>2026-07-28, where each request stands for itself, and the batches of 2025-03-26.</summary>
public class RevisionTests
{
    private const string Stateless = "2026-07-28";

    /// <summary>A server that speaks the given revisions, and keeps the bodies and headers that it got after the gate's own questions.</summary>
    private sealed class Server(params string[] revisions)
    {
        public List<(string Body, Dictionary<string, string> Headers)> Seen { get; } = [];

        public async Task HandleAsync(HttpContext context)
        {
            if (HttpMethods.IsDelete(context.Request.Method))
                return;
            using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
            var body = await reader.ReadToEndAsync();
            if (!body.Contains("\"sallyport\"", StringComparison.Ordinal))
                Seen.Add((body, context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
            using var message = JsonDocument.Parse(body);
            context.Response.ContentType = "application/json";
            if (message.RootElement.ValueKind == JsonValueKind.Array)
            {
                await context.Response.WriteAsync("[" + string.Join(',', message.RootElement.EnumerateArray().Where(each => each.TryGetProperty("id", out _))
                    .Select(each => $$$"""{"jsonrpc":"2.0","id":{{{each.GetProperty("id")}}},"result":{}}""")) + "]");
                return;
            }
            var id = message.RootElement.TryGetProperty("id", out var given) ? given.GetRawText() : "null";
            var method = message.RootElement.GetProperty("method").GetString();
            if (method == "server/discover" && !revisions.Contains(Stateless))
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                return;
            }
            context.Response.Headers["Mcp-Session-Id"] = "theirs";
            await context.Response.WriteAsync($$$"""{"jsonrpc":"2.0","id":{{{id}}},"result":{"supportedVersions":{{{JsonSerializer.Serialize(revisions)}}},"protocolVersion":"{{{revisions[0]}}}"}}""");
        }
    }

    private static async Task<(HttpServer Upstream, TestGate Gate, string Token)> StartAsync(Server server)
    {
        var upstream = await HttpServer.StartAsync(server.HandleAsync);
        var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = [upstream.Url] });
        return (upstream, gate, (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken);
    }

    private static string Body(string method = "tools/call", string parameters = "\"name\":\"danger\",\"arguments\":{\"region\":\"us\",\"deep\":{\"count\":42,\"on\":true},\"list\":[\"listed\"]}", string revision = Stateless) =>
        $$$"""{"jsonrpc":"2.0","id":7,"method":"{{{method}}}","params":{ {{{parameters}}},"_meta":{"io.modelcontextprotocol/protocolVersion":"{{{revision}}}"} } }""";

    private static HttpRequestMessage Request(TestGate gate, string token, string body, params (string Name, string Value)[] headers)
    {
        var request = gate.McpRequest(token, body);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    private static readonly (string, string)[] s_headers = [("MCP-Protocol-Version", Stateless), ("Mcp-Method", "tools/call"), ("Mcp-Name", "danger")];

    [Fact]
    public async Task A_request_without_a_session_is_relayed_to_a_server_that_speaks_the_revision()
    {
        var server = new Server(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;

        var response = await gate.Http.SendAsync(
            Request(gate, token, Body(), [.. s_headers, ("Mcp-Param-Region", "us"), ("Mcp-Param-Count", "42.0"), ("Mcp-Param-On", "true"), ("Mcp-Session-Id", "made-up"), ("Last-Event-ID", "x")]),
            TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.False(response.Headers.Contains("Mcp-Session-Id"));
        var (body, headers) = Assert.Single(server.Seen);
        Assert.Equal(Body(), body);
        Assert.Equal((Stateless, "tools/call", "danger", "us"), (headers["MCP-Protocol-Version"], headers["Mcp-Method"], headers["Mcp-Name"], headers["Mcp-Param-Region"]));
        Assert.False(headers.ContainsKey("Mcp-Session-Id") || headers.ContainsKey("Last-Event-ID"));
        Assert.Empty(gate.Events<SessionOpened>());
        Assert.Equal(GateAct.Discovery, gate.Events<GateActed>().Single().Act);
    }

    [Theory]
    [InlineData("tools/call", "danger")]
    [InlineData("server/discover", null)]
    public async Task Before_a_server_of_older_revisions_it_is_refused_with_those_and_the_server_sees_nothing(string method, string? name)
    {
        var server = new Server("2025-06-18");
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;
        (string, string)[] headers = [("MCP-Protocol-Version", Stateless), ("Mcp-Method", method), .. name is null ? Array.Empty<(string, string)>() : [("Mcp-Name", name)]];

        var response = await gate.Http.SendAsync(Request(gate, token, Body(method), headers), TestContext.Current.CancellationToken);
        var stranger = await gate.Http.SendAsync(Request(gate, "none", Body(method), headers), TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.BadRequest, HttpStatusCode.Unauthorized), (response.StatusCode, stranger.StatusCode));
        var error = (await response.JsonAsync()).GetProperty("error");
        Assert.Equal(-32022, error.GetProperty("code").GetInt32());
        Assert.Equal(["2025-06-18"], error.GetProperty("data").GetProperty("supported").EnumerateArray().Select(each => each.GetString()));
        Assert.Equal(Stateless, error.GetProperty("data").GetProperty("requested").GetString());
        Assert.Empty(server.Seen);
        Assert.Empty(gate.Events<AccessAllowed>());
    }

    [Fact]
    public async Task A_server_that_was_replaced_by_one_of_another_revision_is_found_out_by_its_answers()
    {
        var (old, now) = (new Server("2025-06-18"), new Server(Stateless));
        var isReplaced = false;
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            context.Request.EnableBuffering();
            using var reader = new StreamReader(context.Request.Body, Encoding.UTF8, leaveOpen: true);
            var isInitialize = (await reader.ReadToEndAsync()).Contains("\"initialize\"", StringComparison.Ordinal);
            context.Request.Body.Position = 0;
            if (isReplaced && isInitialize)
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync("""{"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"],"requested":"2025-11-25"}}}""");
                return;
            }
            await (isReplaced ? now : old).HandleAsync(context);
        });
        await using var gate = await TestGate.StartAsync(new() { Settings = s => (s.Upstreams, s.AccessTokenSeconds) = ([upstream.Url], 86_400) });
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        Task<HttpResponseMessage> CallAsync() => gate.Http.SendAsync(Request(gate, token, Body(), s_headers), TestContext.Current.CancellationToken);

        var before = await CallAsync();
        isReplaced = true;
        var tooSoon = (await gate.PostMcpAsync(token, Messages.Initialize), await CallAsync());
        gate.Time.Advance(TimeSpan.FromMinutes(1));
        var refused = await gate.PostMcpAsync(token, Messages.Initialize);
        var after = await CallAsync();

        Assert.Equal((HttpStatusCode.BadRequest, HttpStatusCode.BadRequest, HttpStatusCode.BadRequest), (before.StatusCode, tooSoon.Item1.StatusCode, tooSoon.Item2.StatusCode));
        Assert.Equal(-32022, (await refused.JsonAsync()).GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal(HttpStatusCode.OK, after.StatusCode);
        Assert.Equal(2, gate.Events<GateActed>().Count(act => act.Act == GateAct.Discovery));
    }

    [Fact]
    public async Task When_the_server_is_down_it_is_502_and_not_called_unsupported()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = [$"http://127.0.0.1:{TestGate.FreePort()}/mcp"] });
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;

        var response = await gate.Http.SendAsync(Request(gate, token, Body(), s_headers), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal(Reason.UpstreamUnreachable, gate.EventOf<AccessRefused>(response).Reason);
    }

    public static TheoryData<string> Contradictions =>
    [
        "MCP-Protocol-Version: 2026-07-28|Mcp-Method: tools/call",
        "MCP-Protocol-Version: 2026-07-28|Mcp-Name: danger",
        "Mcp-Method: tools/call|Mcp-Name: danger",
        "MCP-Protocol-Version: 2025-11-25|Mcp-Method: tools/call|Mcp-Name: danger",
        "*|Mcp-Method: tools/list",
        "*|Mcp-Name: safe",
        "*|Mcp-Name: danger, safe",
        "*|Mcp-Name: =?base64?c2FmZQ==?=",
        "*|Mcp-Name: =?BASE64?ZGFuZ2Vy?=",
        "*|Mcp-Name: =?base64?!?=",
        "*|Mcp-Name: =?base64?PT9iYXNlNjQ/WkdGdVoyVnk/PQ==?=",
        "*|+Mcp-Name: danger",
        "*|+Mcp-Method: tools/call",
        "*|Mcp-Param-Region: eu",
        "*|Mcp-Param-Region: listed",
        "*|Mcp-Param-Region: =?base64?ZXU=?=",
        "*|Mcp-Param-Region: null",
        "*|Mcp-Param-Region: 42",
        "*|mcp-param-REG_ION: true",
        "*|Mcp-Param-Count: us",
        "*|Mcp-Param-Region: us|+Mcp-Param-Region: us",
    ];

    [Theory]
    [MemberData(nameof(Contradictions))]
    public async Task Headers_that_contradict_the_body_or_are_missing_are_refused_and_the_server_sees_nothing(string written)
    {
        var server = new Server(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;
        var headers = new List<(string Name, string Value)>();
        foreach (var line in written.Split('|'))
        {
            if (line == "*")
            {
                headers.AddRange(s_headers);
                continue;
            }
            var (name, value) = (line.TrimStart('+').Split(": ")[0], line.Split(": ")[1]);
            if (line[0] != '+')
                headers.RemoveAll(header => header.Name == name);
            headers.Add((name, value));
        }

        var answer = await gate.SendRawAsync(
            $"POST /mcp HTTP/1.1\r\nHost: localhost:5000\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {Body().Length}\r\n"
            + string.Concat(headers.Select(header => $"{header.Name}: {header.Value}\r\n")) + $"\r\n{Body()}");

        Assert.StartsWith("HTTP/1.1 400", answer);
        Assert.Contains("\"code\":-32020", answer, StringComparison.Ordinal);
        Assert.Empty(server.Seen);
        Assert.Equal(Reason.MessageHeaderMismatch, gate.Events<AccessRefused>().Single().Reason);
    }

    [Fact]
    public async Task L2_06_A_header_that_is_not_called_as_any_parameter_repeats_any_of_them()
    {
        var server = new Server(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;

        var response = await gate.Http.SendAsync(Request(gate, token, Body(), [.. s_headers, ("Mcp-Param-Where", "us")]), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("tools/list", "", "danger", HttpStatusCode.BadRequest)]
    [InlineData("tasks/get", "\"taskId\":\"\\ud800\",", "t1", HttpStatusCode.BadRequest)]
    [InlineData("tasks/get", "\"taskId\":\"t1\",", "t1", HttpStatusCode.OK)]
    [InlineData("tasks/get", "\"taskId\":\"t1\",", "t2", HttpStatusCode.BadRequest)]
    [InlineData("tasks/get", "\"taskId\":{\"x\":\"t1\"},", "t1", HttpStatusCode.BadRequest)]
    public async Task L2_05_A_name_in_a_header_is_one_that_the_message_names(string method, string parameters, string name, HttpStatusCode status)
    {
        var server = new Server(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;

        var response = await gate.Http.SendAsync(
            Request(gate, token, Body(method, parameters + "\"x\":1"), ("MCP-Protocol-Version", Stateless), ("Mcp-Method", method), ("Mcp-Name", name)), TestContext.Current.CancellationToken);

        Assert.Equal(status, response.StatusCode);
        Assert.Equal(status == HttpStatusCode.OK ? 1 : 0, server.Seen.Count);
    }

    [Theory]
    [InlineData("Mcp-Method", "tools/list")]
    [InlineData("Mcp-Method", "tools/call")]
    [InlineData("mcp-name", "a")]
    [InlineData("Mcp-Param-Region", "us")]
    public async Task L2_04_No_header_says_what_the_messages_of_a_batch_are(string header, string value)
    {
        var server = new Server("2025-03-26");
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;

        var response = await gate.Http.SendAsync(Request(gate, token, Batch, (header, value)), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(-32020, (await response.JsonAsync()).GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal(Reason.MessageHeaderMismatch, gate.EventOf<AccessRefused>(response).Reason);
        Assert.Empty(server.Seen);
    }

    [Fact]
    public async Task A_body_that_does_not_say_its_revision_is_the_servers_to_judge()
    {
        var server = new Server(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;
        const string WithoutMeta = """{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"danger"}}""";

        await gate.Http.SendAsync(Request(gate, token, WithoutMeta, s_headers), TestContext.Current.CancellationToken);

        Assert.Equal((WithoutMeta, Stateless), (server.Seen.Single().Body, server.Seen.Single().Headers["MCP-Protocol-Version"]));
    }

    [Fact]
    public async Task A_name_behind_its_Base64_sentinel_is_the_name()
    {
        var server = new Server(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;
        var body = Body(parameters: "\"name\":\"gef\\u00e4hrlich\",\"arguments\":{\"where\":\"M\\u00fcnchen\"}");

        var response = await gate.Http.SendAsync(
            Request(gate, token, body, ("MCP-Protocol-Version", Stateless), ("Mcp-Method", "tools/call"), ("Mcp-Name", "=?base64?Z2Vmw6RocmxpY2g=?="), ("Mcp-Param-Where", "=?base64?TcO8bmNoZW4=?=")),
            TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("DELETE")]
    public async Task There_are_no_streams_and_sessions_by_themselves(string method)
    {
        await using var upstream = new CountingUpstream();
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = [upstream.Url] });
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var request = new HttpRequestMessage(new(method), "/mcp") { Headers = { { "MCP-Protocol-Version", Stateless } } };
        request.Headers.Authorization = new("Bearer", token);

        var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.MethodNotAllowed, "POST"), (response.StatusCode, string.Join(',', response.Content.Headers.Allow)));
        Assert.Equal(0, upstream.Bytes);
    }

    [Theory]
    [InlineData("server")]
    [InlineData("client")]
    [InlineData("token")]
    [InlineData("revocation")]
    [InlineData("gate")]
    public async Task What_a_server_tells_a_listener_is_relayed_as_it_comes_until_one_of_them_ends_it_which_the_log_says(string whoEnds)
    {
        const string Acknowledged = """{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{}}}""";
        const string Updated = """{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"test://x"}}""";
        const string Over = """{"jsonrpc":"2.0","id":7,"result":{}}""";
        var (changed, ended, left) = (new TaskCompletionSource(), new TaskCompletionSource(), new TaskCompletionSource());
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            using var message = await JsonDocument.ParseAsync(context.Request.Body);
            if (message.RootElement.GetProperty("method").GetString() == "server/discover")
            {
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync($$$"""{"jsonrpc":"2.0","id":{{{message.RootElement.GetProperty("id").GetRawText()}}},"result":{"supportedVersions":["{{{Stateless}}}"]}}""");
                return;
            }
            context.Response.ContentType = "text/event-stream";
            await TellAsync(Acknowledged);
            await changed.Task;
            await TellAsync(Updated);
            await using var registration = context.RequestAborted.Register(left.SetResult);
            await Task.WhenAny(ended.Task, left.Task);
            if (!left.Task.IsCompleted)
                await TellAsync(Over);

            async Task TellAsync(string text)
            {
                await context.Response.WriteAsync($"data: {text}\n\n");
                await context.Response.Body.FlushAsync();
            }
        });
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => (settings.Upstreams, settings.AccessTokenSeconds) = ([upstream.Url], 60) });
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        using var request = Request(gate, tokens.AccessToken, Body("subscriptions/listen", "\"notifications\":{\"resourceSubscriptions\":[\"test://x\"]}"),
            ("MCP-Protocol-Version", Stateless), ("Mcp-Method", "subscriptions/listen"));

        var response = await gate.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        using var events = await EventBlocks.OfAsync(response);
        Assert.Equal(Acknowledged, (await events.NextMessageAsync()).GetRawText());
        changed.SetResult();
        Assert.Equal(Updated, (await events.NextMessageAsync()).GetRawText());

        switch (whoEnds)
        {
            case "server":
                ended.SetResult();
                Assert.Equal(Over, (await events.NextMessageAsync()).GetRawText());
                break;
            case "client":
                response.Dispose();
                break;
            case "token":
                gate.Time.Advance(TimeSpan.FromSeconds(60));
                break;
            case "revocation":
                await client.RevokeAsync(tokens.RefreshToken!);
                break;
        }
        // It is no call, whose end a gate that stops would wait for by a clock that stands still here.
        var stopping = whoEnds == "gate" ? gate.StopAsync() : Task.CompletedTask;
        // By the clock, a sign of life may be due with the end; and where the server did not end it, the gate says that no answer comes.
        var told = new List<string>();
        while (whoEnds != "client" && await events.NextAsync() is { } block)
        {
            if (!block.StartsWith(':'))
                told.Add(block);
        }
        if (whoEnds is "server" or "client")
            Assert.Empty(told);
        else
            Assert.Contains("""data: {"jsonrpc":"2.0","id":7,"error":""", Assert.Single(told), StringComparison.Ordinal);
        if (whoEnds != "server")
            await left.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        await stopping;
        if (whoEnds != "gate")
            await gate.StopAsync();
        var access = gate.EventOf<AccessAllowed>(response);
        Assert.Equal("subscriptions/listen", access.Method);
        Assert.Equal([access.Id], gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Forwarded));
        Assert.Equal([access.Id], gate.Events<AccessOutcome>().SelectMany(outcome => outcome.StreamsEnded ?? []));
    }

    [Fact]
    public async Task A_call_that_is_answered_by_a_stream_is_no_standing_stream()
    {
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            using var message = await JsonDocument.ParseAsync(context.Request.Body);
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync($$$"""data: {"jsonrpc":"2.0","id":{{{message.RootElement.GetProperty("id").GetRawText()}}},"result":{"supportedVersions":["{{{Stateless}}}"]}}""" + "\n\n");
        });
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => settings.Upstreams = [upstream.Url] });
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;

        var response = await gate.Http.SendAsync(Request(gate, token, Body(), s_headers), TestContext.Current.CancellationToken);

        Assert.Contains("""data: {"jsonrpc":"2.0","id":7,"result":""", await response.TextAsync(), StringComparison.Ordinal);
        await gate.StopAsync();
        Assert.Equal([gate.EventOf<AccessAllowed>(response).Id], gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Forwarded));
        Assert.Empty(gate.Events<AccessOutcome>().SelectMany(outcome => outcome.StreamsEnded ?? []));
    }

    private const string Batch = """[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}, {"jsonrpc":"2.0","method":"notifications/x"} ,{"jsonrpc":"2.0","id":2,"method":"tools/list"}]""";

    [Theory]
    [InlineData(null)]
    [InlineData("2025-03-26")]
    public async Task Each_message_of_a_batch_is_recorded_and_the_bytes_are_relayed_as_they_came(string? revision)
    {
        var server = new Server("2025-03-26");
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;

        var response = await gate.Http.SendAsync(Request(gate, token, Batch, revision is null ? [] : [("MCP-Protocol-Version", revision)]), TestContext.Current.CancellationToken);

        Assert.Equal([1, 2], (await response.JsonAsync()).EnumerateArray().Select(each => each.GetProperty("id").GetInt32()));
        Assert.Equal(Batch, server.Seen.Single().Body);
        Assert.Equal(["tools/call", "notifications/x", "tools/list"], gate.Events<AccessAllowed>().Select(allowed => allowed.Method));
        Assert.Equal("a", gate.Events<AccessAllowed>()[0].Name);
        await gate.StopAsync();
        Assert.Equal(gate.Events<AccessAllowed>().Select(allowed => allowed.Id), gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Forwarded));
    }

    [Theory]
    [InlineData("2025-06-18", Batch)]
    [InlineData("2025-11-25", Batch)]
    [InlineData(null, """[]""")]
    [InlineData(null, """[1]""")]
    [InlineData(null, """[{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}]""")]
    [InlineData(null, """[{"jsonrpc":"2.0","id":1,"method":"x"},{"jsonrpc":"2.0","id":1,"method":"y"}]""")]
    [InlineData(null, """[{"jsonrpc":"2.0","id":1,"method":"x","method":"y"}]""")]
    [InlineData(null, """[{"jsonrpc":"2.0","id":1,"method":"x"}] []""")]
    public async Task Any_other_batch_is_refused_whole(string? revision, string batch)
    {
        var server = new Server("2025-06-18");
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;

        var response = await gate.Http.SendAsync(Request(gate, token, batch, revision is null ? [] : [("MCP-Protocol-Version", revision)]), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(Reason.MessageBatch, gate.EventOf<AccessRefused>(response).Reason);
        Assert.Empty(server.Seen);
    }

    [Theory]
    [InlineData("2025-06-18", "2025-03-26", null, true)]
    [InlineData("2025-03-26", "2025-06-18", null, false)]
    [InlineData("2025-06-18", "2025-06-18", "2025-03-26", false)]
    [InlineData("2025-06-18", "2025-03-26", "2025-06-18", true)]
    public async Task L1_16_Whether_a_session_takes_a_batch_is_decided_by_what_it_settled_on(string asked, string settled, string? header, bool taken)
    {
        var server = new Server(settled);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;
        var opened = await gate.PostMcpAsync(token, Messages.Initialize.Replace("2025-11-25", asked, StringComparison.Ordinal));
        var session = opened.Headers.GetValues("Mcp-Session-Id").Single();
        (string, string)[] headers = [("Mcp-Session-Id", session), .. header is null ? Array.Empty<(string, string)>() : [("MCP-Protocol-Version", header)]];

        var response = await gate.Http.SendAsync(Request(gate, token, Batch, headers), TestContext.Current.CancellationToken);

        Assert.Equal(taken ? HttpStatusCode.OK : HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(taken, server.Seen.Any(seen => seen.Body == Batch));
    }

    [Theory]
    [InlineData("2025-06-18", "2025-03-26", null, true)]
    [InlineData("2025-06-18", "2025-06-18", "2025-03-26", false)]
    public async Task L1_16_So_it_is_where_the_answer_to_initialize_comes_as_a_stream(string asked, string settled, string? header, bool taken)
    {
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            if (HttpMethods.IsDelete(context.Request.Method))
                return;
            using var message = await JsonDocument.ParseAsync(context.Request.Body);
            context.Response.Headers["Mcp-Session-Id"] = "theirs";
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(message.RootElement.ValueKind == JsonValueKind.Array
                ? """data: [{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]""" + "\n\n"
                : $$$"""data: {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"{{{settled}}}"}}""" + "\n\n");
        });
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = [upstream.Url] });
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var opened = await gate.PostMcpAsync(token, Messages.Initialize.Replace("2025-11-25", asked, StringComparison.Ordinal));
        await opened.TextAsync();
        (string, string)[] headers = [("Mcp-Session-Id", opened.Headers.GetValues("Mcp-Session-Id").Single()), .. header is null ? Array.Empty<(string, string)>() : [("MCP-Protocol-Version", header)]];

        var response = await gate.Http.SendAsync(Request(gate, token, Batch, headers), TestContext.Current.CancellationToken);

        Assert.Equal(taken ? HttpStatusCode.OK : HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Theory]
    [InlineData("2025-03-26", true)]
    [InlineData("2025-11-25", false)]
    public async Task L1_16_So_it_is_before_a_command(string settled, bool taken)
    {
        await using var server = await Processes.ScriptedServer.StartAsync($$$"""*'"method":"initialize"'*) answer '{"protocolVersion":"{{{settled}}}","capabilities":{},"serverInfo":{"name":"s","version":"1"}}';;""");
        var session = await server.ConnectAsync();
        var request = Request(server.Gate, session.Token, $"[{Messages.Call(1, "pid")}]", ("Mcp-Session-Id", session.Id), ("MCP-Protocol-Version", "2025-03-26"));

        var response = await server.Gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(taken ? HttpStatusCode.OK : HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task A_batch_in_a_session_of_the_built_in_server_is_answered_whole()
    {
        await using var gate = await TestGate.StartAsync();
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var opened = await gate.PostMcpAsync(token, Messages.Initialize.Replace("2025-11-25", "2025-03-26"));
        var session = opened.Headers.GetValues("Mcp-Session-Id").Single();
        await gate.PostMcpAsync(token, Messages.Initialized, session: session);

        var response = await gate.PostMcpAsync(token, $"[{Messages.Call(1, "echo", new { message = "a" })},{Messages.Call(2, "echo", new { message = "b" })}]", session: session);
        using var events = await EventBlocks.OfAsync(response);
        int[] ids = [(await events.NextMessageAsync()).GetProperty("id").GetInt32(), (await events.NextMessageAsync()).GetProperty("id").GetInt32()];

        Assert.Equal([1, 2], ids.Order());
        Assert.Null(await events.NextAsync());
    }

    /// <summary>A gate before a server of 2026-07-28, and the tokens of alice and bob.</summary>
    private static async Task<(HttpServer Upstream, TestGate Gate, string Alices, string Bobs)> StartForTwoAsync(Func<HttpContext, JsonElement, Task> handle)
    {
        var upstream = await HttpServer.StartAsync(async context =>
        {
            using var message = await JsonDocument.ParseAsync(context.Request.Body);
            if (message.RootElement.GetProperty("method").GetString() != "server/discover")
            {
                await handle(context, message.RootElement);
                return;
            }
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync($$$"""{"jsonrpc":"2.0","id":{{{message.RootElement.GetProperty("id").GetRawText()}}},"result":{"supportedVersions":["{{{Stateless}}}"]}}""");
        });
        var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = [upstream.Url] });
        await gate.AddUserAsync("bob");
        var client = await TestClient.RegisterAsync(gate);
        return (upstream, gate, (await client.TokensAsync()).AccessToken, (await client.TokensAsync("bob")).AccessToken);
    }

    [Fact]
    public async Task L2_17_what_one_user_subscribed_to_comes_to_nobody_else()
    {
        var changed = new Dictionary<string, TaskCompletionSource> { ["test://alices"] = new(), ["test://bobs"] = new() };
        var (upstream, gate, alices, bobs) = await StartForTwoAsync(async (context, message) =>
        {
            var uri = message.GetProperty("params").GetProperty("uri").GetString()!;
            context.Response.ContentType = "text/event-stream";
            await context.Response.Body.FlushAsync();
            await changed[uri].Task;
            await context.Response.WriteAsync($$$"""data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"{{{uri}}}"}}""" + "\n\n");
            await context.LeftAsync();
        });
        await using var _ = upstream;
        await using var __ = gate;
        async Task<EventBlocks> ListenAsync(string token, string uri) => await EventBlocks.OfAsync(await gate.Http.SendAsync(
            Request(gate, token, Body("subscriptions/listen", $"\"uri\":\"{uri}\""), ("MCP-Protocol-Version", Stateless), ("Mcp-Method", "subscriptions/listen")),
            HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken));
        using var first = await ListenAsync(alices, "test://alices");
        using var second = await ListenAsync(bobs, "test://bobs");

        changed["test://bobs"].SetResult();
        var toBob = await second.NextMessageAsync();
        changed["test://alices"].SetResult();
        var toAlice = await first.NextMessageAsync();

        Assert.Equal("test://bobs", toBob.GetProperty("params").GetProperty("uri").GetString());
        Assert.Equal("test://alices", toAlice.GetProperty("params").GetProperty("uri").GetString());
    }

    [Fact]
    public async Task L2_18_a_call_is_taken_back_by_its_own_caller_and_by_nobody_else()
    {
        var names = new[] { "alices", "bobs" };
        var reached = names.ToDictionary(name => name, _ => new TaskCompletionSource());
        var left = names.ToDictionary(name => name, _ => new TaskCompletionSource());
        var (goOn, cancellations) = (new TaskCompletionSource(), new List<string>());
        var (upstream, gate, alices, bobs) = await StartForTwoAsync(async (context, message) =>
        {
            if (!message.TryGetProperty("id", out var id))
            {
                cancellations.Add(message.GetRawText());
                context.Response.StatusCode = StatusCodes.Status202Accepted;
                return;
            }
            var name = message.GetProperty("params").GetProperty("name").GetString()!;
            await using var registration = context.RequestAborted.Register(left[name].SetResult);
            reached[name].SetResult();
            await Task.WhenAny(goOn.Task, left[name].Task);
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync($$$"""{"jsonrpc":"2.0","id":{{{id}}},"result":{"for":"{{{name}}}"}}""");
        });
        await using var _ = upstream;
        await using var __ = gate;
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        Task<HttpResponseMessage> CallAsync(string token, string name, CancellationToken cancellationToken) => gate.Http.SendAsync(
            Request(gate, token, Body(parameters: $"\"name\":\"{name}\",\"arguments\":{{}}"), ("MCP-Protocol-Version", Stateless), ("Mcp-Method", "tools/call"), ("Mcp-Name", name)), cancellationToken);
        var alicesCall = CallAsync(alices, "alices", TestContext.Current.CancellationToken);
        var bobsCall = CallAsync(bobs, "bobs", leaving.Token);
        await Task.WhenAll(reached.Values.Select(each => each.Task)).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        // Both have the same id.
        var said = await gate.Http.SendAsync(
            Request(gate, bobs, $$$$"""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"_meta":{"io.modelcontextprotocol/protocolVersion":"{{{{Stateless}}}}"}}}""", ("MCP-Protocol-Version", Stateless), ("Mcp-Method", "notifications/cancelled")),
            TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Accepted, said.StatusCode);
        Assert.Single(cancellations);
        Assert.DoesNotContain(left.Values, each => each.Task.IsCompleted);

        await leaving.CancelAsync();
        await left["bobs"].Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => bobsCall);
        goOn.SetResult();

        Assert.Equal("alices", (await (await alicesCall).JsonAsync()).GetProperty("result").GetProperty("for").GetString());
        Assert.False(left["alices"].Task.IsCompleted);
    }
}
