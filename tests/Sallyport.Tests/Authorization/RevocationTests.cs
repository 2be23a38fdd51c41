namespace Sallyport.Tests.Authorization;

public class RevocationTests
{
    [Fact]
    public async Task Revoking_a_refresh_token_ends_its_access_tokens_at_once_and_their_open_streams()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        var stream = await gate.GetWithTokenAsync("/sse", tokens.AccessToken);
        Assert.Equal(HttpStatusCode.OK, stream.StatusCode);

        var revoked = await client.RevokeAsync(tokens.RefreshToken!);
        var refused = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);

        Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        Assert.Equal(Reason.RevokedByClient, gate.EventOf<TokenRevoked>(revoked).Reason);
        var issued = gate.Events<TokenIssued>().Single();
        var refusal = gate.EventOf<AccessRefused>(refused);
        Assert.Equal((Reason.TokenRevoked, issued.Token, issued.Client, issued.Subject), (refusal.Reason, refusal.Token, refusal.Client, refusal.Subject));
        await stream.TextAsync();
        Assert.Equal("invalid_grant", await (await client.RefreshAsync(tokens.RefreshToken!)).ErrorAsync());
    }

    [Fact]
    public async Task Revoking_ends_the_stream_of_a_session_of_Streamable_HTTP()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        var session = (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).Headers.GetValues("Mcp-Session-Id").Single();
        var stream = await gate.ListenAsync(tokens.AccessToken, session);
        Assert.Equal(HttpStatusCode.OK, stream.StatusCode);

        await client.RevokeAsync(tokens.RefreshToken!);
        await stream.TextAsync();

        await gate.StopAsync();
        Assert.Equal([gate.EventOf<AccessAllowed>(stream).Id], gate.Events<AccessOutcome>().SelectMany(outcome => outcome.StreamsEnded ?? []));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Revoking_ends_relayed_streams_and_the_server_feels_it(bool isPosted)
    {
        var left = new TaskCompletionSource();
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            await context.SayAsync(": open\n\n");
            await context.LeftAsync();
            left.SetResult();
        });
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = [upstream.Url] });
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        var stream = isPosted ? await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x")) : await gate.GetWithTokenAsync("/mcp", tokens.AccessToken);
        Assert.Equal("text/event-stream", stream.Content.Headers.ContentType!.MediaType);

        await client.RevokeAsync(tokens.RefreshToken!);

        await stream.TextAsync();
        await left.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Revoking_an_access_token_ends_that_one_alone()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        await client.RevokeAsync(tokens.AccessToken);

        Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(tokens.RefreshToken!)).StatusCode);
    }

    [Fact]
    public async Task Revoking_a_token_keeps_out_the_message_that_is_still_coming()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        using var message = new SlowContent(Messages.Initialize);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/mcp") { Content = message };
        request.Headers.Authorization = new("Bearer", tokens.AccessToken);
        request.Headers.Accept.ParseAdd("application/json, text/event-stream");
        // The gate says that it wants the message once it has found the token good.
        request.Headers.ExpectContinue = true;

        var answer = gate.Http.SendAsync(request, TestContext.Current.CancellationToken);
        await message.Wanted;
        await client.RevokeAsync(tokens.RefreshToken!);
        message.Send();

        var refused = await answer;
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Equal(Reason.TokenRevoked, gate.EventOf<AccessRefused>(refused).Reason);
        Assert.Empty(gate.Events<AccessAllowed>());
    }

    [Fact]
    public async Task A_token_that_is_unknown_or_anothers_is_answered_alike_and_nothing_ends()
    {
        await using var gate = await TestGate.StartAsync();
        var (client, other) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        var tokens = await client.TokensAsync();

        var unknown = await client.RevokeAsync("sp_rt_made-up");
        var foreign = await other.RevokeAsync(tokens.RefreshToken!);

        Assert.Equal(HttpStatusCode.OK, unknown.StatusCode);
        Assert.Equal(HttpStatusCode.OK, foreign.StatusCode);
        Assert.Empty(gate.Events<TokenRevoked>());
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
    }

    [Fact]
    public async Task A_client_has_to_authenticate()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, "client_secret_post");
        var tokens = await client.TokensAsync();

        var response = await gate.PostFormAsync("/revoke", ("client_id", client.Id), ("token", tokens.AccessToken));

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Empty(gate.Events<TokenRevoked>());
    }
}
