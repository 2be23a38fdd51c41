using System.Net.Http.Headers;
using System.Text;

namespace Sallyport.Tests.Authorization;

public class TokenTests
{
    [Theory]
    [InlineData("none")]
    [InlineData("client_secret_post")]
    [InlineData("client_secret_basic")]
    public async Task A_registered_client_exchanges_a_code_for_tokens(string authMethod)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, authMethod);

        var response = await client.ExchangeAsync(await client.CodeAsync());

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var body = await response.JsonAsync();
        Assert.Equal("Bearer", body.GetProperty("token_type").GetString());
        Assert.Equal(3600, body.GetProperty("expires_in").GetInt32());
        Assert.Equal("mcp", body.GetProperty("scope").GetString());
        Assert.StartsWith("sp_at_", body.GetProperty("access_token").GetString());
        Assert.StartsWith("sp_rt_", body.GetProperty("refresh_token").GetString());
        Assert.True(response.Headers.CacheControl!.NoStore);
        var issued = gate.EventOf<TokenIssued>(response);
        Assert.True(issued.Pkce);
        Assert.Equal(client.Id, issued.Client);
        Assert.Equal(gate.Events<CodeIssued>().Single().Code, issued.Parent);
    }

    [Fact]
    public async Task A_confidential_client_may_authenticate_by_header()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, "client_secret_basic");

        var response = await ExchangeWithHeaderAsync(gate, client, await client.CodeAsync(), client.Secret!);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task A_second_redemption_is_refused_and_ends_what_the_first_gave()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var code = await client.CodeAsync();
        var tokens = await TestClient.ReadAsync(await client.ExchangeAsync(code));
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);

        var second = await client.ExchangeAsync(code);

        Assert.Equal("invalid_grant", await second.ErrorAsync());
        Assert.Equal(Reason.CodeReused, gate.EventOf<TokenRefused>(second).Reason);
        Assert.Equal(Reason.CodeReused, gate.Events<TokenRevoked>().Single().Reason);
        Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        Assert.Equal("invalid_grant", await (await client.RefreshAsync(tokens.RefreshToken!)).ErrorAsync());
    }

    [Fact]
    public async Task A_code_redeemed_twelve_times_at_once_gives_one_success()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var code = await client.CodeAsync();

        var responses = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => client.ExchangeAsync(code)));

        Assert.Single(responses, response => response.StatusCode == HttpStatusCode.OK);
        Assert.Equal(11, responses.Count(response => response.StatusCode == HttpStatusCode.BadRequest));
        Assert.Single(gate.Events<TokenIssued>());
    }

    [Fact]
    public async Task A_code_is_good_for_sixty_seconds()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var (inTime, late) = (await client.CodeAsync(), await client.CodeAsync());

        gate.Time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(HttpStatusCode.OK, (await client.ExchangeAsync(inTime)).StatusCode);
        gate.Time.Advance(TimeSpan.FromSeconds(2));
        var response = await client.ExchangeAsync(late);

        Assert.Equal("invalid_grant", await response.ErrorAsync());
        Assert.Equal(Reason.CodeExpired, gate.EventOf<TokenRefused>(response).Reason);
    }

    [Theory]
    [InlineData("code_verifier", null, "invalid_grant", Reason.PkceWrong)]
    [InlineData("code_verifier", "0123456789012345678901234567890123456789012", "invalid_grant", Reason.PkceWrong)]
    [InlineData("redirect_uri", "https://evil.example", "invalid_grant", Reason.RedirectChanged)]
    [InlineData("resource", "https://other.example/mcp", "invalid_target", Reason.ResourceUnknown)]
    public async Task A_code_is_bound_to_its_request_and_used_up_by_the_first_attempt(string field, string? value, string error, Reason reason)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var code = await client.CodeAsync();

        var wrong = await client.ExchangeAsync(code, (field, value));
        var right = await client.ExchangeAsync(code);

        Assert.Equal(error, await wrong.ErrorAsync());
        Assert.Equal(reason, gate.EventOf<TokenRefused>(wrong).Reason);
        Assert.Equal("invalid_grant", await right.ErrorAsync());
        Assert.Empty(gate.Events<TokenIssued>());
    }

    [Fact]
    public async Task PKCE_11_a_challenge_that_never_changes_is_a_warning_in_the_log()
    {
        await using var gate = await TestGate.StartAsync();
        var (constant, good) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        var browser = new TestBrowser(gate);

        for (var codes = 0; codes < 100; codes++)
            await browser.AuthorizeAsync(constant.AuthorizeUrl());
        await browser.AuthorizeAsync(good.AuthorizeUrl());

        var (last, others) = (gate.Events<CodeIssued>()[99], gate.Events<CodeIssued>().Where((_, at) => at != 99));
        Assert.Equal((constant.Id, Reason.PkceConstantChallenge), (last.Client, last.Warning));
        Assert.All(others, issued => Assert.Null(issued.Warning));
    }

    [Fact]
    public async Task A_code_needs_no_redirect_URI_at_the_token_endpoint()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        Assert.Equal(HttpStatusCode.OK, (await client.ExchangeAsync(await client.CodeAsync(), ("redirect_uri", null))).StatusCode);
    }

    [Fact]
    public async Task A_code_is_bound_to_its_client_and_another_ones_attempt_does_not_use_it_up()
    {
        await using var gate = await TestGate.StartAsync();
        var (client, other) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        var code = await client.CodeAsync();

        var stolen = await other.ExchangeAsync(code, ("code_verifier", client.Verifier));
        var own = await client.ExchangeAsync(code);

        Assert.Equal("invalid_grant", await stolen.ErrorAsync());
        Assert.Equal(Reason.CodeOfAnotherClient, gate.EventOf<TokenRefused>(stolen).Reason);
        Assert.Equal(HttpStatusCode.OK, own.StatusCode);
    }

    [Theory]
    [InlineData("sp_code_")]
    [InlineData("x")]
    [InlineData("sp_code_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public async Task A_made_up_code_is_refused(string code)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        var response = await client.ExchangeAsync(code);

        Assert.Equal("invalid_grant", await response.ErrorAsync());
        Assert.Equal(Reason.CodeUnknown, gate.EventOf<TokenRefused>(response).Reason);
    }

    [Theory]
    [InlineData("client_secret_post", "client_secret", "sp_cs_wrong")]
    [InlineData("client_secret_post", "client_secret", null)]
    [InlineData("client_secret_post", "client_id", "unknown")]
    [InlineData("client_secret_post", "client_id", null)]
    [InlineData("none", "client_secret", "sp_cs_any")]
    [InlineData("none", "client_assertion", "e30.e30.")]
    public async Task A_client_that_cannot_be_authenticated_gets_nothing(string method, string field, string? value)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, method);
        var code = await client.CodeAsync();

        var response = await client.ExchangeAsync(code, (field, value));

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("invalid_client", await response.ErrorAsync());
        Assert.True(response.Headers.CacheControl!.NoStore);
        Assert.Equal(HttpStatusCode.OK, (await client.ExchangeAsync(code)).StatusCode);
    }

    [Fact]
    public async Task A_client_refused_by_header_is_told_the_scheme()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, "client_secret_basic");

        var response = await ExchangeWithHeaderAsync(gate, client, "any", "wrong");

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("Basic", response.Headers.WwwAuthenticate.Single().Scheme);
    }

    [Fact]
    public async Task A_client_that_authenticates_in_two_ways_is_refused()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, "client_secret_post");

        var response = await ExchangeWithHeaderAsync(gate, client, "any", client.Secret!, ("client_secret", client.Secret!));

        Assert.Equal("invalid_request", await response.ErrorAsync());
        Assert.Equal(Reason.ClientAuthenticatedTwice, gate.EventOf<TokenRefused>(response).Reason);
    }

    [Theory]
    [InlineData("password", "unsupported_grant_type")]
    [InlineData("client_credentials", "unsupported_grant_type")]
    [InlineData("urn:ietf:params:oauth:grant-type:device_code", "unsupported_grant_type")]
    [InlineData(null, "invalid_request")]
    public async Task Other_grants_are_not_there(string? grantType, string error)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        Assert.Equal(error, await (await client.ExchangeAsync("any", ("grant_type", grantType))).ErrorAsync());
    }

    [Fact]
    public async Task A_client_gets_a_refresh_token_only_where_it_registered_for_one()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, grantTypes: ["authorization_code"]);

        var tokens = await client.TokensAsync();
        var refused = await client.RefreshAsync("any");

        Assert.Null(tokens.RefreshToken);
        Assert.Equal("unauthorized_client", await refused.ErrorAsync());
    }

    [Fact]
    public async Task Only_a_form_in_the_body_is_read()
    {
        await using var gate = await TestGate.StartAsync();
        var ct = TestContext.Current.CancellationToken;

        var json = await gate.Http.PostAsync("/token", new StringContent("{}", Encoding.UTF8, "application/json"), ct);
        var none = await gate.Http.PostAsync("/token", new ByteArrayContent([]), ct);
        var query = await gate.Http.PostAsync("/token?code=x", new FormUrlEncodedContent([new("grant_type", "authorization_code")]), ct);
        var twice = await gate.Http.PostAsync("/token", new StringContent("grant_type=a&grant_type=b", Encoding.UTF8, "application/x-www-form-urlencoded"), ct);
        var large = await gate.Http.PostAsync("/token", new FormUrlEncodedContent([new("code", new string('x', 9_000))]), ct);
        var utf7 = await gate.Http.PostAsync("/token", new StringContent("a=b", MediaTypeHeaderValue.Parse("application/x-www-form-urlencoded; charset=utf-7")), ct);

        Assert.Equal([415, 415, 400, 400, 413, 415], new[] { json, none, query, twice, large, utf7 }.Select(response => (int)response.StatusCode));
        Assert.Equal(
            [Reason.ContentTypeUnsupported, Reason.ContentTypeUnsupported, Reason.ParameterInQuery, Reason.ParameterRepeated, Reason.BodyTooLarge, Reason.ContentTypeUnsupported],
            gate.Events<TokenRefused>().Select(refused => refused.Reason));
    }

    private static Task<HttpResponseMessage> ExchangeWithHeaderAsync(TestGate gate, TestClient client, string code, string secret, params (string, string)[] more)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/token")
        {
            Content = new FormUrlEncodedContent(new (string, string)[] { ("grant_type", "authorization_code"), ("code", code), ("code_verifier", client.Verifier) }
                .Concat(more).Select(field => KeyValuePair.Create(field.Item1, field.Item2))),
        };
        request.Headers.Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{client.Id}:{secret}")));
        return gate.Http.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
