using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

public partial class SseTests
{
    [GeneratedRegex("^/messages/\\?session_id=[0-9a-f]{32}$")]
    private static partial Regex Endpoint();

    [Fact]
    public async Task A_client_of_the_first_transport_opens_a_stream_posts_and_is_answered_there()
    {
        await using var gate = await TestGate.StartAsync();
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        using var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken);
        var endpoint = await stream.EndpointAsync();

        var accepted = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize.Replace("2025-11-25", "2024-11-05"), endpoint);
        var initialized = await stream.NextMessageAsync();
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialized, endpoint);
        var called = await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(5, "echo", new { message = "x" }), endpoint);
        var answer = await stream.NextMessageAsync();

        Assert.Matches(Endpoint(), endpoint);
        Assert.Equal("no", stream.Response.Headers.GetValues("X-Accel-Buffering").Single());
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        Assert.Equal("2024-11-05", initialized.GetProperty("result").GetProperty("protocolVersion").GetString());
        Assert.Equal((5, "x"), (answer.GetProperty("id").GetInt32(), answer.GetProperty("result").GetProperty("content")[0].GetProperty("text").GetString()));
        var allowed = gate.EventOf<AccessAllowed>(called);
        Assert.Equal(("sse", "tools/call", "echo"), (allowed.Transport, allowed.Method, allowed.Name));
        Assert.Equal(endpoint[^32..], allowed.Session);
        Assert.Equal(allowed.Session, gate.Events<SessionOpened>().Single().Session);
    }

    [Fact]
    public async Task A_message_for_anothers_session_is_not_found()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        var bobs = await (await TestClient.RegisterAsync(gate)).TokensAsync("bob");
        using var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken);
        var endpoint = await stream.EndpointAsync();

        var foreign = await gate.PostMcpAsync(bobs.AccessToken, Messages.Initialize, endpoint);
        var stranger = await gate.PostMcpAsync(null, Messages.Initialize, endpoint);
        var unknown = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize, endpoint[..^32] + new string('0', 32));
        var none = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize, "/messages/");
        var otherTransport = await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "whoami"), session: endpoint[^32..]);

        Assert.Equal([404, 401, 404, 400, 404], new[] { foreign, stranger, unknown, none, otherTransport }.Select(response => (int)response.StatusCode));
        Assert.Equal(Reason.SessionOfAnother, gate.EventOf<AccessRefused>(foreign).Reason);
    }

    [Theory]
    [InlineData("/sse")]
    [InlineData("/mcp")]
    [InlineData("an answer")]
    public async Task SSE_07_A_stream_is_stored_by_nobody_neither_compressed_nor_held_back(string path)
    {
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "public, max-age=600";
            return context.Response.WriteAsync("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n");
        });
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = path == "an answer" ? [upstream.Url] : [] });
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        using var request = path == "an answer" ? gate.McpRequest(token, Messages.Call(1, "x")) : new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new("Bearer", token);
        request.Headers.AcceptEncoding.ParseAdd("gzip, deflate, br, zstd");
        if (path == "/mcp")
            request.Headers.Add("Mcp-Session-Id", (await gate.PostMcpAsync(token, Messages.Initialize)).Headers.GetValues("Mcp-Session-Id"));

        using var events = await EventBlocks.OfAsync(await gate.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken));

        Assert.Equal("text/event-stream", events.Response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("no-store, private", events.Response.Headers.CacheControl!.ToString());
        Assert.Equal("no", events.Response.Headers.GetValues("X-Accel-Buffering").Single());
        Assert.Empty(events.Response.Content.Headers.ContentEncoding);
        Assert.Equal(": sallyport", await events.NextAsync());
    }

    [Fact]
    public async Task An_idle_stream_carries_a_comment_every_fifteen_seconds()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.AccessTokenSeconds = 86_400 });
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        using var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken);
        await stream.EndpointAsync();

        for (var i = 1; i <= 3; i++)
        {
            await gate.Time.TimersAsync(TimeSpan.FromSeconds(15), i);
            gate.Time.Advance(TimeSpan.FromSeconds(15));
            Assert.StartsWith(":", await stream.NextAsync());
        }
    }

    [Fact]
    public async Task Requests_whose_answers_nobody_reads_are_turned_away_at_last()
    {
        await using var gate = await TestGate.StartAsync();
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        using var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken);
        var endpoint = await stream.EndpointAsync();
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize, endpoint);
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialized, endpoint);

        // Each answer is larger than what may wait on the way to a reader that does not read.
        var statuses = new List<HttpStatusCode>();
        for (var i = 1; i <= 200 && !statuses.Contains(HttpStatusCode.TooManyRequests); i++)
            statuses.Add((await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(i, "echo", new { message = new string('x', 200_000) }), endpoint)).StatusCode);

        Assert.Contains(HttpStatusCode.TooManyRequests, statuses);
        Assert.Contains(gate.Events<AccessRefused>(), refused => refused.Reason == Reason.SessionBusy);
    }

    [Fact]
    public async Task SSE_03_A_stream_more_than_a_user_may_have_is_refused_and_those_that_are_open_stay()
    {
        await using var gate = await TestGate.StartAsync();
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var streams = new List<EventBlocks>();
        for (var i = 0; i < Sallyport.Server.Protocol.Limits.SessionsPerPrincipal; i++)
        {
            streams.Add(await EventBlocks.OpenSseAsync(gate, token));
            await streams[i].EndpointAsync();
        }

        var refused = await gate.GetWithTokenAsync("/sse", token);

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(Reason.SessionLimit, gate.EventOf<AccessRefused>(refused).Reason);
        Assert.Empty(gate.Events<SessionClosed>());
        streams[7].Dispose();
        await gate.EventAsync<SessionClosed>();
        Assert.Equal(HttpStatusCode.OK, (await gate.GetWithTokenAsync("/sse", token)).StatusCode);
        streams.ForEach(stream => stream.Dispose());
    }

    [Theory]
    [InlineData("/mcp")]
    [InlineData("/sse")]
    public async Task L1_12_Beyond_the_sessions_of_all_one_more_is_refused_whoever_asks(string path)
    {
        await using var gate = await TestGate.StartAsync(new() { Services = services => services.AddSingleton(new Sallyport.Server.Gateway.Bridge.SessionLimits(All: 3)) });
        await gate.AddUserAsync("bob");
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var bobs = (await (await TestClient.RegisterAsync(gate)).TokensAsync("bob")).AccessToken;
        for (var i = 0; i < 3; i++)
            Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(token, Messages.Initialize)).StatusCode);

        var refused = path == "/sse" ? await gate.GetWithTokenAsync(path, bobs) : await gate.PostMcpAsync(bobs, Messages.Initialize);

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(Reason.SessionLimit, gate.EventOf<AccessRefused>(refused).Reason);
        Assert.Equal(3, gate.Events<SessionOpened>().Count);
    }

    [Fact]
    public async Task SSE_02_A_session_whose_stream_takes_nothing_for_half_a_minute_is_closed()
    {
        await using var gate = await TestGate.StartAsync();
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        using var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken);
        var endpoint = await stream.EndpointAsync();
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize, endpoint);
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "echo", new { message = new string('x', 1_000_000) }), endpoint);

        await gate.Time.TimersAsync(TimeSpan.FromSeconds(30), 1);
        gate.Time.Advance(TimeSpan.FromSeconds(30));

        Assert.Equal(Reason.ClosedByClient, (await gate.EventAsync<SessionClosed>()).Reason);
        Assert.Equal(HttpStatusCode.NotFound, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(2, "whoami"), endpoint)).StatusCode);
    }

    [Fact]
    public async Task A_stream_ends_when_its_token_does_and_the_log_says_why()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.AccessTokenSeconds = 10 });
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        using var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken);
        await stream.EndpointAsync();

        gate.Time.Advance(TimeSpan.FromSeconds(10));

        Assert.Null(await stream.NextAsync());
        await gate.StopAsync();
        Assert.Equal(Reason.TokenExpired, gate.Events<SessionClosed>().Single().Reason);
    }

    [Fact]
    public async Task A_message_that_comes_after_its_session_has_ended_goes_nowhere()
    {
        await using var gate = await TestGate.StartAsync();
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken);
        using var message = new SlowContent(Messages.Initialize);
        using var request = new HttpRequestMessage(HttpMethod.Post, await stream.EndpointAsync()) { Content = message };
        request.Headers.Authorization = new("Bearer", tokens.AccessToken);
        request.Headers.ExpectContinue = true;

        var answer = gate.Http.SendAsync(request, TestContext.Current.CancellationToken);
        await message.Wanted;
        stream.Dispose();
        await gate.EventAsync<SessionClosed>();
        message.Send();

        Assert.Equal(Reason.SessionUnknown, gate.EventOf<AccessRefused>(await answer).Reason);
        Assert.Single(gate.Events<AccessAllowed>());
    }

    [Fact]
    public async Task A_gate_that_stops_ends_its_streams()
    {
        await using var gate = await TestGate.StartAsync();
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        using var stream = await EventBlocks.OpenSseAsync(gate, tokens.AccessToken);
        await stream.EndpointAsync();

        await gate.StopAsync();

        Assert.Null(await stream.NextAsync());
        Assert.Equal(Reason.ClosedGateStopping, gate.Events<SessionClosed>().Single().Reason);
    }
}
