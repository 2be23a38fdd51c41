using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using static Sallyport.Tests.Gateway.RevisionServer;

namespace Sallyport.Tests.Gateway;

/// <summary>2026-07-28, where each request stands for itself.</summary>
public class RevisionTests
{
    [Fact]
    public async Task A_request_without_a_session_is_relayed_to_a_server_that_speaks_the_revision()
    {
        var server = new RevisionServer(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;

        var response = await gate.Http.SendAsync(
            Request(gate, token, Body(), [.. StatelessHeaders, ("Mcp-Param-Region", "us"), ("Mcp-Param-Count", "42.0"), ("Mcp-Param-On", "true"), ("Mcp-Session-Id", "made-up"), ("Last-Event-ID", "x")]),
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
        var server = new RevisionServer("2025-06-18");
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
        var (old, now) = (new RevisionServer("2025-06-18"), new RevisionServer(Stateless));
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
        Task<HttpResponseMessage> CallAsync() => gate.Http.SendAsync(Request(gate, token, Body(), StatelessHeaders), TestContext.Current.CancellationToken);

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

        var response = await gate.Http.SendAsync(Request(gate, token, Body(), StatelessHeaders), TestContext.Current.CancellationToken);

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
        var server = new RevisionServer(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;
        var headers = new List<(string Name, string Value)>();
        foreach (var line in written.Split('|'))
        {
            if (line == "*")
            {
                headers.AddRange(StatelessHeaders);
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
        var server = new RevisionServer(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;

        var response = await gate.Http.SendAsync(Request(gate, token, Body(), [.. StatelessHeaders, ("Mcp-Param-Where", "us")]), TestContext.Current.CancellationToken);

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
        var server = new RevisionServer(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;

        var response = await gate.Http.SendAsync(
            Request(gate, token, Body(method, parameters + "\"x\":1"), ("MCP-Protocol-Version", Stateless), ("Mcp-Method", method), ("Mcp-Name", name)), TestContext.Current.CancellationToken);

        Assert.Equal(status, response.StatusCode);
        Assert.Equal(status == HttpStatusCode.OK ? 1 : 0, server.Seen.Count);
    }

    [Fact]
    public async Task A_body_that_does_not_say_its_revision_is_the_servers_to_judge()
    {
        var server = new RevisionServer(Stateless);
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;
        const string WithoutMeta = """{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"danger"}}""";

        await gate.Http.SendAsync(Request(gate, token, WithoutMeta, StatelessHeaders), TestContext.Current.CancellationToken);

        Assert.Equal((WithoutMeta, Stateless), (server.Seen.Single().Body, server.Seen.Single().Headers["MCP-Protocol-Version"]));
    }

    [Fact]
    public async Task A_name_behind_its_Base64_sentinel_is_the_name()
    {
        var server = new RevisionServer(Stateless);
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
}
