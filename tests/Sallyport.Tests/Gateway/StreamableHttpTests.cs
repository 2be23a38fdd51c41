using System.Text;
using System.Text.Json;

namespace Sallyport.Tests.Gateway;

public class StreamableHttpTests
{
    private static async Task<(string Token, string Session)> ConnectAsync(TestGate gate, string user = TestGate.UserName)
    {
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync(user);
        return (tokens.AccessToken, await OpenAsync(gate, tokens.AccessToken));
    }

    private static async Task<string> OpenAsync(TestGate gate, string token)
    {
        var opened = await gate.PostMcpAsync(token, Messages.Initialize);
        Assert.Equal(HttpStatusCode.OK, opened.StatusCode);
        var session = opened.Headers.GetValues("Mcp-Session-Id").Single();
        Assert.Equal(HttpStatusCode.Accepted, (await gate.PostMcpAsync(token, Messages.Initialized, session: session)).StatusCode);
        return session;
    }

    private static async Task<JsonElement> CallAsync(TestGate gate, string token, string session, string tool, object? arguments = null)
    {
        var text = await TextAsync(gate, token, session, tool, arguments);
        return JsonDocument.Parse(tool == "echo" ? JsonSerializer.Serialize(text) : text).RootElement;
    }

    /// <summary>The rows of that table, of the header's two lines none.</summary>
    private static int ClientsIn(string report) =>
        report.Split('\n').SkipWhile(line => !line.StartsWith("| Client |", StringComparison.Ordinal)).TakeWhile(line => line.StartsWith('|')).Count() - 2;

    private static async Task<string> TextAsync(TestGate gate, string token, string session, string tool, object? arguments = null)
    {
        var response = await gate.PostMcpAsync(token, Messages.Call(1, tool, arguments), session: session);
        return (await response.JsonAsync()).GetProperty("result").GetProperty("content")[0].GetProperty("text").GetString()!;
    }

    [Theory]
    [InlineData("/mcp")]
    [InlineData("/mcp/")]
    [InlineData("/")]
    public async Task A_client_opens_a_session_lists_the_tools_and_calls_one(string path)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        var opened = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize, path);
        var session = opened.Headers.GetValues("Mcp-Session-Id").Single();
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialized, path, session);
        var listed = await gate.PostMcpAsync(tokens.AccessToken, """{"jsonrpc":"2.0","id":"a","method":"tools/list"}""", path, session);
        var called = await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(2, "echo", new { message = "hällo\n" }), path, session);

        Assert.Equal("2025-11-25", (await opened.JsonAsync()).GetProperty("result").GetProperty("protocolVersion").GetString());
        var list = await listed.JsonAsync();
        Assert.Equal("a", list.GetProperty("id").GetString());
        Assert.Equal(["echo", "oauth_status", "recent_events", "whoami"], list.GetProperty("result").GetProperty("tools").EnumerateArray().Select(tool => tool.GetProperty("name").GetString()!).Order());
        Assert.Equal("hällo\n", (await called.JsonAsync()).GetProperty("result").GetProperty("content")[0].GetProperty("text").GetString());
        var allowed = gate.EventOf<AccessAllowed>(called);
        Assert.Equal(("streamable-http", "tools/call", "echo", session, client.Id), (allowed.Transport, allowed.Method, allowed.Name, allowed.Session, allowed.Client));
        Assert.Equal(gate.Events<TokenIssued>().Single().Token, allowed.Token);
        Assert.True(allowed.AsOf >= 0);
    }

    [Fact]
    public async Task Each_access_has_its_record_and_each_record_one_outcome()
    {
        await using var gate = await TestGate.StartAsync();
        var (token, session) = await ConnectAsync(gate);
        await CallAsync(gate, token, session, "echo", new { message = "x" });
        await gate.StopAsync();

        var allowed = gate.Events<AccessAllowed>().Select(access => access.Id);
        var forwarded = gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Forwarded).ToList();

        Assert.Equal(3, forwarded.Count);
        Assert.Equal(allowed, forwarded);
        Assert.Equal(Reason.ClosedGateStopping, gate.Events<SessionClosed>().Single().Reason);
        Assert.IsType<Stopped>(gate.Events()[^1]);
    }

    [Fact]
    public async Task Whoami_tells_user_client_and_scopes()
    {
        await using var gate = await TestGate.StartAsync();
        var (token, session) = await ConnectAsync(gate);

        var answer = await CallAsync(gate, token, session, "whoami");

        Assert.Equal((TestGate.UserName, "Test client"), (answer.GetProperty("user").GetString(), answer.GetProperty("client_name").GetString()));
        Assert.Equal("""["mcp"]""", answer.GetProperty("scopes").GetRawText());
    }

    [Fact]
    public async Task Each_caller_sees_their_own_events_and_an_operator_all()
    {
        await using var gate = await TestGate.StartAsync();
        var bob = await gate.AddUserAsync("bob");
        var (operatorsToken, operatorsSession) = await ConnectAsync(gate);
        var (bobsToken, bobsSession) = await ConnectAsync(gate, "bob");

        var bobs = await CallAsync(gate, bobsToken, bobsSession, "recent_events", new { count = 100 });
        var all = await CallAsync(gate, operatorsToken, operatorsSession, "recent_events", new { count = 100 });

        Assert.NotEmpty(bobs.EnumerateArray());
        Assert.All(bobs.EnumerateArray(), e => Assert.Equal(bob, e.GetProperty("event").GetProperty("subject").GetString()));
        var types = all.EnumerateArray().Select(e => e.GetProperty("event").GetProperty("type").GetString()).ToList();
        Assert.Contains("start", types);
        Assert.Contains("client.registered", types);
    }

    [Fact]
    public async Task A_model_can_ask_whether_the_gate_is_bypassed_and_sees_its_own_users_events_only()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var (operatorsToken, operatorsSession) = await ConnectAsync(gate);
        var (bobsToken, bobsSession) = await ConnectAsync(gate, "bob");
        await gate.PostMcpAsync("made-up", Messages.Initialize);

        var all = await TextAsync(gate, operatorsToken, operatorsSession, "oauth_status");
        var bobs = await TextAsync(gate, bobsToken, bobsSession, "oauth_status");

        // The two are the same but for what is shown: the claims are about the whole log.
        Assert.All([all, bobs], report => Assert.StartsWith("# Is it being bypassed?\n\n**", report, StringComparison.Ordinal));
        Assert.All([all, bobs], report => Assert.Contains("| C5 | Every recorded request without a valid token was refused | proved | 1 event |", report, StringComparison.Ordinal));
        Assert.Contains("| Unauthenticated blocking | working | 1 |", all, StringComparison.Ordinal);
        Assert.Contains("| Unauthenticated blocking | no evidence in this log | 0 |", bobs, StringComparison.Ordinal);
        Assert.Equal((2, 1), (ClientsIn(all), ClientsIn(bobs)));
        // What a client calls itself could be meant for the model.
        Assert.DoesNotContain("Test client", all, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Large_events_of_others_leave_room_for_an_operators_answer()
    {
        await using var gate = await TestGate.StartAsync();
        var (token, session) = await ConnectAsync(gate);
        var uris = Enumerable.Range(0, 4).Select(i => $"https://a.example/{i}?{new string('\'', 1_900)}");
        for (var i = 0; i < 60; i++)
            await gate.Http.PostAsync("/register", new StringContent(JsonSerializer.Serialize(new { redirect_uris = uris }, new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }), Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken);

        var events = await CallAsync(gate, token, session, "recent_events", new { count = 100 });

        Assert.NotEmpty(events.EnumerateArray());
    }

    [Fact]
    public async Task A_session_is_its_users_and_clients_own()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var (token, session) = await ConnectAsync(gate);
        var (bobsToken, _) = await ConnectAsync(gate, "bob");
        var (otherClientsToken, _) = await ConnectAsync(gate);

        foreach (var foreign in new[] { bobsToken, otherClientsToken })
        {
            var posted = await gate.PostMcpAsync(foreign, Messages.Call(1, "whoami"), session: session);
            var request = new HttpRequestMessage(HttpMethod.Delete, "/mcp") { Headers = { { "Mcp-Session-Id", session } } };
            request.Headers.Authorization = new("Bearer", foreign);
            var deleted = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);
            var listened = await gate.ListenAsync(foreign, session);

            Assert.All([posted, deleted, listened], response =>
            {
                Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
                Assert.Equal(Reason.SessionOfAnother, gate.EventOf<AccessRefused>(response).Reason);
            });
        }
        Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(null, Messages.Call(1, "whoami"), session: session)).StatusCode);
        Assert.Equal(TestGate.UserName, (await CallAsync(gate, token, session, "whoami")).GetProperty("user").GetString());
    }

    [Fact]
    public async Task Clients_that_use_the_same_ids_at_once_get_their_own_answers()
    {
        await using var gate = await TestGate.StartAsync();
        var (token, first) = await ConnectAsync(gate);
        var second = await OpenAsync(gate, token);

        var answers = await Task.WhenAll(new[] { first, second }.Select((session, i) => CallAsync(gate, token, session, "echo", new { message = $"for {i}" })));

        Assert.Equal(["for 0", "for 1"], answers.Select(answer => answer.GetString()));
    }

    [Fact]
    public async Task A_session_that_ended_or_never_was_is_not_found_so_that_clients_start_anew()
    {
        await using var gate = await TestGate.StartAsync();
        var (token, session) = await ConnectAsync(gate);
        var delete = new HttpRequestMessage(HttpMethod.Delete, "/mcp") { Headers = { { "Mcp-Session-Id", session } } };
        delete.Headers.Authorization = new("Bearer", token);

        var closed = await gate.Http.SendAsync(delete, TestContext.Current.CancellationToken);
        var after = await gate.PostMcpAsync(token, Messages.Call(1, "whoami"), session: session);
        var unknown = await gate.PostMcpAsync(token, Messages.Call(1, "whoami"), session: "x?&\"'<>");
        var missing = await gate.PostMcpAsync(token, Messages.Call(1, "whoami"));

        Assert.Equal(HttpStatusCode.NoContent, closed.StatusCode);
        Assert.Equal(Reason.ClosedByClient, gate.Events<SessionClosed>().Single().Reason);
        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound, HttpStatusCode.BadRequest), (after.StatusCode, unknown.StatusCode, missing.StatusCode));
    }

    [Fact]
    public async Task A_session_that_nobody_uses_for_half_an_hour_ends()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.AccessTokenSeconds = 86_400 });
        var (token, session) = await ConnectAsync(gate);

        // Sweeps run once a minute.
        await gate.Time.TimersAsync(TimeSpan.FromMinutes(1), 1);
        gate.Time.Advance(TimeSpan.FromMinutes(31));
        await gate.EventAsync<SessionClosed>();

        Assert.Equal(Reason.ClosedIdle, gate.Events<SessionClosed>().Single().Reason);
        Assert.Equal(HttpStatusCode.NotFound, (await gate.PostMcpAsync(token, Messages.Call(1, "whoami"), session: session)).StatusCode);
    }

    [Fact]
    public async Task A_principal_with_too_many_sessions_loses_the_one_used_longest_ago()
    {
        await using var gate = await TestGate.StartAsync();
        var (token, first) = await ConnectAsync(gate);
        gate.Time.Advance(TimeSpan.FromSeconds(1));

        for (var i = 0; i < 100; i++)
            Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(token, Messages.Initialize)).StatusCode);

        Assert.Equal(HttpStatusCode.NotFound, (await gate.PostMcpAsync(token, Messages.Call(1, "whoami"), session: first)).StatusCode);
        Assert.Equal(Reason.SessionLimit, gate.Events<SessionClosed>().Single().Reason);
    }

    [Theory]
    [InlineData("2026-07-28", """{"jsonrpc":"2.0","id":7,"method":"server/discover","params":{}}""")]
    [InlineData(null, """{"jsonrpc":"2.0","id":7,"method":"server/discover"}""")]
    [InlineData("1999-01-01", """{"jsonrpc":"2.0","id":7,"method":"tools/list"}""")]
    public async Task A_client_of_another_revision_is_told_which_ones_there_are(string? revision, string message)
    {
        await using var gate = await TestGate.StartAsync();
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        var request = gate.McpRequest(tokens.AccessToken, message);
        if (revision is not null)
            request.Headers.Add("MCP-Protocol-Version", revision);

        var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var body = await response.JsonAsync();
        Assert.Equal((7, -32022), (body.GetProperty("id").GetInt32(), body.GetProperty("error").GetProperty("code").GetInt32()));
        Assert.Equal("2025-11-25", body.GetProperty("error").GetProperty("data").GetProperty("supported")[0].GetString());
        Assert.Empty(gate.Events<AccessAllowed>());
    }

    [Theory]
    [InlineData("", Reason.MessageMalformed)]
    [InlineData("{", Reason.MessageMalformed)]
    [InlineData("null", Reason.MessageMalformed)]
    [InlineData("[]", Reason.MessageBatch)]
    [InlineData("""[{"jsonrpc":"2.0","id":1,"method":"ping"}]""", Reason.MessageBatch)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"m\u0065thod":"tools/list","method":"tools/call"}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"whoami"}}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","NAME":"whoami"}}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"region":"eu"},"arguments":{"region":"us"}}}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"ping"} {"jsonrpc":"2.0","id":2,"method":"ping"}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"1.0","id":1,"method":"ping"}""", Reason.MessageMalformed)]
    [InlineData("""{"id":1,"method":"ping"}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":{},"method":"ping"}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":null,"method":"ping"}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1.0,"method":"ping"}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1e400,"method":"ping"}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":9223372036854775808,"method":"ping"}""", Reason.MessageMalformed)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"\ud800"}""", Reason.MessageMalformed)]
    [InlineData("\uFEFF{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", Reason.MessageMalformed)]
    public async Task A_message_that_two_readers_could_read_differently_is_refused_and_the_server_sees_nothing(string message, Reason reason)
    {
        await using var gate = await TestGate.StartAsync();
        var (token, session) = await ConnectAsync(gate);
        var before = gate.Events<AccessAllowed>().Count;

        var response = await gate.PostMcpAsync(token, message, session: session);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(-32600, (await response.JsonAsync()).GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal(reason, gate.EventOf<AccessRefused>(response).Reason);
        Assert.Equal(before, gate.Events<AccessAllowed>().Count);
    }

    [Fact]
    public async Task Depth_size_type_and_encoding_have_their_limits()
    {
        await using var gate = await TestGate.StartAsync();
        var (token, session) = await ConnectAsync(gate);
        var deep = """{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":""" + new string('[', 10_000) + new string(']', 10_000) + "}}";
        async Task<int> PostAsync(HttpContent content)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, "/mcp") { Content = content, Headers = { { "Mcp-Session-Id", session } } };
            request.Headers.Authorization = new("Bearer", token);
            return (int)(await gate.Http.SendAsync(request, TestContext.Current.CancellationToken)).StatusCode;
        }

        Assert.Equal(400, await PostAsync(new StringContent(deep, Encoding.UTF8, "application/json")));
        Assert.Equal(400, await PostAsync(new ByteArrayContent(Encoding.Unicode.GetBytes(Messages.Initialize)) { Headers = { ContentType = new("application/json") } }));
        Assert.Equal(413, await PostAsync(new StringContent(new string(' ', (4 * 1024 * 1024) + 1), Encoding.UTF8, "application/json")));
        Assert.Equal(415, await PostAsync(new StringContent(Messages.Initialize, Encoding.UTF8, "text/plain")));
        Assert.Equal(415, await PostAsync(new StringContent(Messages.Initialize, Encoding.UTF8, "application/json") { Headers = { ContentEncoding = { "gzip" } } }));
    }

    [Fact]
    public async Task A_header_that_contradicts_the_body_is_refused()
    {
        await using var gate = await TestGate.StartAsync();
        var (token, session) = await ConnectAsync(gate);
        var request = gate.McpRequest(token, Messages.Call(1, "whoami"), session: session);
        request.Headers.Add("Mcp-Method", "tools/list");

        var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(-32020, (await response.JsonAsync()).GetProperty("error").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task A_session_has_one_stream_of_its_own_which_ends_with_its_token()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.AccessTokenSeconds = 60 });
        var (token, session) = await ConnectAsync(gate);

        var stream = await gate.ListenAsync(token, session);
        var second = await gate.ListenAsync(token, session);
        gate.Time.Advance(TimeSpan.FromSeconds(60));
        var received = await stream.TextAsync();

        Assert.Equal("text/event-stream", stream.Content.Headers.ContentType!.MediaType);
        Assert.Equal("no", stream.Headers.GetValues("X-Accel-Buffering").Single());
        Assert.StartsWith(": ", received);
        Assert.Equal(HttpStatusCode.Conflict, second.StatusCode);
        await gate.StopAsync();
        Assert.Equal([gate.EventOf<AccessAllowed>(stream).Id], gate.Events<AccessOutcome>().SelectMany(outcome => outcome.StreamsEnded ?? []));
    }

    [Fact]
    public async Task A_restart_ends_sessions_and_no_grant()
    {
        using var data = new TestData();
        string token, session;
        await using (var before = await TestGate.StartAsync(new() { Data = data.Root }))
            (token, session) = await ConnectAsync(before);
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);

        var stale = await gate.PostMcpAsync(token, Messages.Call(1, "whoami"), session: session);

        Assert.Equal(HttpStatusCode.NotFound, stale.StatusCode);
        Assert.Equal(TestGate.UserName, (await CallAsync(gate, token, await OpenAsync(gate, token), "whoami")).GetProperty("user").GetString());
    }

    [Fact]
    public async Task L2_14_what_a_message_says_of_its_sender_changes_nothing()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        await ConnectAsync(gate);
        var (token, session) = await ConnectAsync(gate, "bob");
        var alices = gate.Events<TokenIssued>()[0];

        var response = await gate.PostMcpAsync(token, $$$$"""
            {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":{},"sub":"{{{{alices.Subject}}}}","_meta":{
            "io.modelcontextprotocol/clientInfo":{"name":"Test client","version":"1"},"io.modelcontextprotocol/subject":"{{{{alices.Subject}}}}","sub":"{{{{alices.Subject}}}}",
            "user":"alice","client_id":"{{{{alices.Client}}}}","scope":"mcp admin","access_token":"{{{{alices.Token}}}}"}}}
            """, session: session);

        var answer = JsonDocument.Parse((await response.JsonAsync()).GetProperty("result").GetProperty("content")[0].GetProperty("text").GetString()!).RootElement;
        Assert.Equal(("bob", "Test client 2", """["mcp"]"""), (answer.GetProperty("user").GetString(), answer.GetProperty("client_name").GetString(), answer.GetProperty("scopes").GetRawText()));
        var (allowed, bobs) = (gate.EventOf<AccessAllowed>(response), gate.Events<TokenIssued>()[1]);
        Assert.Equal((bobs.Token, bobs.Subject, bobs.Client), (allowed.Token, allowed.Subject, allowed.Client));
    }
}
