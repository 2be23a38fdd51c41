namespace Sallyport.Tests.Authorization;

public class RefreshTests
{
    [Fact]
    public async Task A_refresh_gives_new_tokens_and_the_old_access_token_lives_on()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var old = await client.TokensAsync();

        var response = await client.RefreshAsync(old.RefreshToken!);

        var renewed = await TestClient.ReadAsync(response);
        Assert.NotEqual(old.AccessToken, renewed.AccessToken);
        Assert.NotEqual(old.RefreshToken, renewed.RefreshToken);
        foreach (var token in new[] { old.AccessToken, renewed.AccessToken })
            Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(token, Messages.Initialize)).StatusCode);
        var (first, second) = (gate.Events<TokenIssued>()[0], gate.EventOf<TokenIssued>(response));
        Assert.Equal((first.RefreshToken, first.Grant, "refresh_token"), (second.Parent, second.Grant, second.GrantType));
    }

    [Fact]
    public async Task Within_the_grace_window_the_same_token_gets_the_same_answer_byte_for_byte()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        var responses = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => client.RefreshAsync(tokens.RefreshToken!)));
        gate.Time.Advance(TimeSpan.FromSeconds(29));
        var late = await client.RefreshAsync(tokens.RefreshToken!);

        var answers = new HashSet<string>();
        foreach (var response in responses.Append(late))
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            answers.Add(await response.TextAsync());
        }
        Assert.Single(answers);
        Assert.Equal(2, gate.Events<TokenIssued>().Count);
        Assert.Equal(12, gate.Events<TokenRepeated>().Count);
    }

    [Fact]
    public async Task After_it_reuse_ends_the_family()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        var renewed = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));

        gate.Time.Advance(TimeSpan.FromSeconds(31));
        var reuse = await client.RefreshAsync(tokens.RefreshToken!);

        Assert.Equal("invalid_grant", await reuse.ErrorAsync());
        Assert.Equal(Reason.RefreshReused, gate.EventOf<TokenRefused>(reuse).Reason);
        Assert.Equal(Reason.RefreshReused, gate.Events<TokenRevoked>().Single().Reason);
        Assert.Equal("invalid_grant", await (await client.RefreshAsync(renewed.RefreshToken!)).ErrorAsync());
        Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(renewed.AccessToken, Messages.Initialize)).StatusCode);
    }

    [Fact]
    public async Task The_kept_answer_is_dropped_when_its_window_has_ended()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        var second = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));
        gate.Time.Advance(TimeSpan.FromSeconds(31));
        await client.RefreshAsync(second.RefreshToken!);
        await gate.Services.GetRequiredService<Sallyport.Server.Storage.GraceWindows>().SweepAsync(TestContext.Current.CancellationToken);

        await using var scope = gate.Services.CreateAsyncScope();
        var kept = scope.ServiceProvider.GetRequiredService<Sallyport.Server.Storage.SallyportDb>().RefreshTokens.Count(token => token.SealedSuccessor != null);

        Assert.Equal(1, kept);
    }

    [Theory]
    [InlineData("scope", "mcp offline_access", "invalid_scope", Reason.ScopeExceeded)]
    [InlineData("scope", "\"", "invalid_scope", Reason.ScopeMalformed)]
    [InlineData("resource", "https://other.example", "invalid_target", Reason.ResourceUnknown)]
    [InlineData("refresh_token", "sp_rt_made-up", "invalid_grant", Reason.RefreshUnknown)]
    [InlineData("refresh_token", null, "invalid_request", Reason.ParameterMissing)]
    public async Task A_refresh_asks_for_no_more_than_was_granted(string field, string? value, string error, Reason reason)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        var refused = await client.RefreshAsync(tokens.RefreshToken!, (field, value));

        Assert.Equal(error, await refused.ErrorAsync());
        Assert.Equal(reason, gate.EventOf<TokenRefused>(refused).Reason);
        Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(tokens.RefreshToken!)).StatusCode);
    }

    [Fact]
    public async Task A_refresh_may_name_the_scope_it_has_unknown_ones_beside_it_and_the_resource()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        var response = await client.RefreshAsync(tokens.RefreshToken!, ("scope", "mcp claudeai"), ("resource", gate.Url + "/sse"));

        Assert.Equal("mcp", (await response.JsonAsync()).GetProperty("scope").GetString());
    }

    [Fact]
    public async Task A_refresh_token_is_bound_to_its_client()
    {
        await using var gate = await TestGate.StartAsync();
        var (client, other) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        var tokens = await client.TokensAsync();

        var stolen = await other.RefreshAsync(tokens.RefreshToken!);

        Assert.Equal("invalid_grant", await stolen.ErrorAsync());
        Assert.Equal(Reason.RefreshOfAnotherClient, gate.EventOf<TokenRefused>(stolen).Reason);
        Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(tokens.RefreshToken!)).StatusCode);
    }

    [Fact]
    public async Task A_refresh_token_that_nobody_used_for_thirty_days_is_good_no_more()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        gate.Time.Advance(TimeSpan.FromDays(30));
        var response = await client.RefreshAsync(tokens.RefreshToken!);

        Assert.Equal("invalid_grant", await response.ErrorAsync());
        Assert.Equal(Reason.RefreshExpired, gate.EventOf<TokenRefused>(response).Reason);
    }

    [Fact]
    public async Task RFT_07_a_family_ends_half_a_year_after_its_consent_however_often_it_is_refreshed()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        for (var days = 29; days < 180; days += 29)
        {
            gate.Time.Advance(TimeSpan.FromDays(29));
            tokens = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));
        }

        gate.Time.Advance(TimeSpan.FromDays(180 - (29 * 6)));
        var response = await client.RefreshAsync(tokens.RefreshToken!);

        Assert.Equal("invalid_grant", await response.ErrorAsync());
        Assert.Equal(Reason.RefreshExpired, gate.EventOf<TokenRefused>(response).Reason);
        Assert.Equal(gate.Events<ConsentGiven>().Single().Time + TimeSpan.FromDays(180), gate.Events<TokenIssued>()[^1].RefreshExpires!.Value, TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task An_access_token_that_expired_is_refreshed_and_the_session_goes_on()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.AccessTokenSeconds = 60 });
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        var session = (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).Headers.GetValues("Mcp-Session-Id").Single();

        gate.Time.Advance(TimeSpan.FromMinutes(1));
        var expired = await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "echo", new { message = "x" }), session: session);
        var renewed = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));
        var called = await gate.PostMcpAsync(renewed.AccessToken, Messages.Call(1, "echo", new { message = "x" }), session: session);

        Assert.Equal(HttpStatusCode.Unauthorized, expired.StatusCode);
        Assert.Contains("error=\"invalid_token\", error_description=\"The access token has expired.\"", expired.Headers.WwwAuthenticate.ToString());
        Assert.Equal(Reason.TokenExpired, gate.EventOf<AccessRefused>(expired).Reason);
        Assert.Equal(HttpStatusCode.OK, called.StatusCode);
    }
}
