using System.Text.Json;
using Microsoft.AspNetCore.Http;
using static Sallyport.Tests.Gateway.RevisionServer;

namespace Sallyport.Tests.Gateway;

/// <summary>Streams of 2026-07-28, of which each belongs to one request.</summary>
public class ListenerTests
{
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

        var response = await gate.Http.SendAsync(Request(gate, token, Body(), StatelessHeaders), TestContext.Current.CancellationToken);

        Assert.Contains("""data: {"jsonrpc":"2.0","id":7,"result":""", await response.TextAsync(), StringComparison.Ordinal);
        await gate.StopAsync();
        Assert.Equal([gate.EventOf<AccessAllowed>(response).Id], gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Forwarded));
        Assert.Empty(gate.Events<AccessOutcome>().SelectMany(outcome => outcome.StreamsEnded ?? []));
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
