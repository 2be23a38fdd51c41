using System.Text.Json;
using Microsoft.AspNetCore.Http;
using static Sallyport.Tests.Gateway.RevisionServer;

namespace Sallyport.Tests.Gateway;

/// <summary>Batches: of 2025-03-26, and of no other revision.</summary>
public class BatchTests
{
    private const string Batch = """[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}, {"jsonrpc":"2.0","method":"notifications/x"} ,{"jsonrpc":"2.0","id":2,"method":"tools/list"}]""";

    [Theory]
    [InlineData(null)]
    [InlineData("2025-03-26")]
    public async Task Each_message_of_a_batch_is_recorded_and_the_bytes_are_relayed_as_they_came(string? revision)
    {
        var server = new RevisionServer("2025-03-26");
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
        var server = new RevisionServer("2025-06-18");
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
        var server = new RevisionServer(settled);
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

    [Theory]
    [InlineData("Mcp-Method", "tools/list")]
    [InlineData("Mcp-Method", "tools/call")]
    [InlineData("mcp-name", "a")]
    [InlineData("Mcp-Param-Region", "us")]
    public async Task L2_04_No_header_says_what_the_messages_of_a_batch_are(string header, string value)
    {
        var server = new RevisionServer("2025-03-26");
        var (upstream, gate, token) = await StartAsync(server);
        await using var _ = upstream;
        await using var __ = gate;

        var response = await gate.Http.SendAsync(Request(gate, token, Batch, (header, value)), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(-32020, (await response.JsonAsync()).GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal(Reason.MessageHeaderMismatch, gate.EventOf<AccessRefused>(response).Reason);
        Assert.Empty(server.Seen);
    }
}
