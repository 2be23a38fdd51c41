using Microsoft.Data.Sqlite;

namespace Sallyport.Tests.Authorization;

public class AuthorizeTests
{
    [Fact]
    public async Task A_good_request_goes_on_to_the_sign_in_page_which_names_the_client_and_where_the_answer_goes()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        var response = await gate.Http.GetAsync(client.AuthorizeUrl(), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Found, response.StatusCode);
        Assert.StartsWith("/signin?transaction=", response.Headers.Location!.ToString());
        Assert.False(response.Headers.Contains("Set-Cookie"));
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
        var started = gate.EventOf<AuthorizationStarted>(response);
        Assert.Equal((client.Id, TestClient.RedirectUri, "http://localhost:5000/mcp"), (started.Client, started.RedirectUri, started.Audience));
        var page = await gate.Http.GetStringAsync(response.Headers.Location, TestContext.Current.CancellationToken);
        Assert.Contains("Test client", page);
        Assert.Contains("client.example", page);
    }

    [Fact]
    public async Task DOS_06_Whoever_only_begins_to_sign_in_leaves_nothing_in_the_database()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var before = await RowsAsync(gate);

        for (var i = 0; i < 200; i++)
        {
            var started = await gate.Http.GetAsync(client.AuthorizeUrl(("state", $"{i}")), TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.OK, (await gate.Http.GetAsync(started.Headers.Location, TestContext.Current.CancellationToken)).StatusCode);
        }

        Assert.Equal(before, await RowsAsync(gate));
        Assert.Equal(200, gate.Events<AuthorizationStarted>().Count);
    }

    private static async Task<Dictionary<string, long>> RowsAsync(TestGate gate)
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(gate.Data, "sallyport.db")};Pooling=False");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        async Task<List<object>> AskAsync(string sql)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = sql;
            await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
            var values = new List<object>();
            while (await reader.ReadAsync(TestContext.Current.CancellationToken))
                values.Add(reader.GetValue(0));
            return values;
        }
        var rows = new Dictionary<string, long>();
        // What is in the outbox goes when it was signed.
        foreach (string table in await AskAsync("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'Outbox'"))
            rows.Add(table, (long)(await AskAsync($"SELECT count(*) FROM \"{table}\"")).Single());
        return rows;
    }

    [Theory]
    [InlineData("https://evil.example/callback")]
    [InlineData("https://client.example/callback/")]
    [InlineData("https://client.example/Callback")]
    [InlineData("https://client.example/callback?x=1")]
    [InlineData("https://client.example:8443/callback")]
    [InlineData("http://client.example/callback")]
    [InlineData("https://client.example/callback#x")]
    [InlineData("https://client.example/x/../callback")]
    [InlineData("https://client.example/%63allback")]
    [InlineData("https://client.example@evil.example/callback")]
    [InlineData("https://client.example/callback\r\nX: y")]
    public async Task An_answer_never_goes_to_an_address_that_was_not_registered_whatever_else_is_wrong(string redirectUri)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        foreach (var responseType in new[] { "code", "token" })
        {
            var response = await gate.Http.GetAsync(client.AuthorizeUrl(("redirect_uri", redirectUri), ("response_type", responseType)), TestContext.Current.CancellationToken);

            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            Assert.Null(response.Headers.Location);
            Assert.Equal(Reason.RedirectUnregistered, gate.EventOf<AuthorizationRefused>(response).Reason);
        }
    }

    [Theory]
    [InlineData("client_id", null, Reason.ParameterMissing)]
    [InlineData("client_id", "unknown", Reason.ClientUnknown)]
    [InlineData("redirect_uri", null, Reason.ParameterMissing)]
    public async Task Until_client_and_address_are_trusted_an_error_is_answered_here(string parameter, string? value, Reason reason)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        var response = await gate.Http.GetAsync(client.AuthorizeUrl((parameter, value)), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Null(response.Headers.Location);
        Assert.Equal(reason, gate.EventOf<AuthorizationRefused>(response).Reason);
    }

    [Fact]
    public async Task A_client_that_is_not_known_is_told_so_in_JSON_and_a_person_how_to_recover()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var url = client.AuthorizeUrl(("client_id", "gone"));

        var forProgram = await gate.Http.GetAsync(url, TestContext.Current.CancellationToken);
        var forPerson = await gate.Http.SendAsync(new(HttpMethod.Get, url) { Headers = { { "Accept", "text/html,application/xhtml+xml" } } }, TestContext.Current.CancellationToken);

        Assert.Equal("invalid_client", await forProgram.ErrorAsync());
        Assert.Equal("text/html", forPerson.Content.Headers.ContentType!.MediaType);
        var page = await forPerson.TextAsync();
        Assert.Contains("add it again", page);
        Assert.Contains(forPerson.Headers.GetValues("Sallyport-Event").Single(), page);
    }

    [Theory]
    [InlineData("response_type", "token", "unsupported_response_type", Reason.ResponseTypeUnsupported)]
    [InlineData("response_type", null, "invalid_request", Reason.ParameterMissing)]
    [InlineData("response_mode", "fragment", "invalid_request", Reason.ResponseModeUnsupported)]
    [InlineData("code_challenge", null, "invalid_request", Reason.PkceMissing)]
    [InlineData("code_challenge_method", "plain", "invalid_request", Reason.PkceNotS256)]
    [InlineData("code_challenge_method", null, "invalid_request", Reason.PkceNotS256)]
    [InlineData("code_challenge_method", "s256", "invalid_request", Reason.PkceNotS256)]
    [InlineData("code_challenge", "too-short", "invalid_request", Reason.PkceMalformed)]
    [InlineData("code_challenge", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=", "invalid_request", Reason.PkceMalformed)]
    [InlineData("scope", "mcp \"x\"", "invalid_scope", Reason.ScopeMalformed)]
    [InlineData("resource", "https://other.example/mcp", "invalid_target", Reason.ResourceUnknown)]
    [InlineData("resource", "http://localhost:5000/mcp#x", "invalid_target", Reason.ResourceUnknown)]
    [InlineData("resource", "/mcp", "invalid_target", Reason.ResourceUnknown)]
    [InlineData("request", "e30.e30.", "request_not_supported", Reason.RequestObjectUnsupported)]
    [InlineData("request_uri", "http://169.254.169.254/", "request_uri_not_supported", Reason.RequestUriUnsupported)]
    [InlineData("prompt", "none", "interaction_required", Reason.PromptNone)]
    public async Task After_that_the_client_is_told_at_its_own_address_with_its_state_and_our_issuer(string parameter, string? value, string error, Reason reason)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        var response = await gate.Http.GetAsync(client.AuthorizeUrl((parameter, value)), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Found, response.StatusCode);
        var location = response.Headers.Location!;
        Assert.Equal(TestClient.RedirectUri, location.GetLeftPart(UriPartial.Path));
        Assert.Equal((error, "the state", "http://localhost:5000"), (location.Query("error"), location.Query("state"), location.Query("iss")));
        Assert.Equal("no-referrer", response.Headers.GetValues("Referrer-Policy").Single());
        Assert.Equal(reason, gate.EventOf<AuthorizationRefused>(response).Reason);
    }

    [Fact]
    public async Task A_parameter_given_twice_is_refused_and_trusted_for_nothing()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        var scopes = await gate.Http.GetAsync(client.AuthorizeUrl() + "&scope=x", TestContext.Current.CancellationToken);
        var states = await gate.Http.GetAsync(client.AuthorizeUrl() + "&state=x", TestContext.Current.CancellationToken);
        var redirects = await gate.Http.GetAsync(client.AuthorizeUrl() + "&redirect_uri=https%3A%2F%2Fevil.example", TestContext.Current.CancellationToken);
        var resources = await gate.Http.GetAsync(client.AuthorizeUrl() + "&resource=http%3A%2F%2Flocalhost%3A5000%2Fsse", TestContext.Current.CancellationToken);

        Assert.Equal("invalid_request", scopes.Headers.Location!.Query("error"));
        Assert.Equal("invalid_request", states.Headers.Location!.Query("error"));
        Assert.Null(states.Headers.Location!.Query("state"));
        Assert.Null(redirects.Headers.Location);
        Assert.StartsWith("/signin", resources.Headers.Location!.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("http://localhost:5000")]
    [InlineData("http://localhost:5000/")]
    [InlineData("http://localhost:5000/mcp/")]
    [InlineData("http://LOCALHOST:5000/sse")]
    public async Task The_one_resource_is_known_under_each_of_its_spellings_and_the_audience_is_one(string? resource)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        var tokens = await client.TokensAsync(changes: ("resource", resource));

        Assert.Equal("http://localhost:5000/mcp", gate.Events<TokenIssued>().Single().Audience);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
    }

    [Theory]
    [InlineData("http://127.0.0.1/cb", "http://127.0.0.1:51234/cb", true)]
    [InlineData("http://localhost:3000/cb", "http://localhost:51234/cb", true)]
    [InlineData("http://[::1]/cb", "http://[::1]:51234/cb", true)]
    [InlineData("http://localhost/cb", "http://127.0.0.1:51234/cb", false)]
    [InlineData("http://127.0.0.1/cb", "http://127.0.0.1:51234/other", false)]
    public async Task On_loopback_the_port_may_be_any_and_nothing_else_may_differ(string registered, string requested, bool accepted)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, redirectUri: registered);

        var response = await gate.Http.GetAsync(client.AuthorizeUrl(("redirect_uri", requested)), TestContext.Current.CancellationToken);

        Assert.Equal(accepted, response.StatusCode == HttpStatusCode.Found);
    }

    [Theory]
    [InlineData("mcp  unheard.of ", "mcp")]
    [InlineData(" offline_access mcp", "mcp offline_access")]
    [InlineData("unheard.of", "mcp")]
    [InlineData(null, "mcp")]
    public async Task Unknown_scopes_are_ignored_and_the_granted_ones_returned(string? asked, string granted)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        var response = await client.ExchangeAsync(await client.CodeAsync(changes: ("scope", asked)));

        Assert.Equal(granted, (await response.JsonAsync()).GetProperty("scope").GetString());
    }

    [Fact]
    public async Task A_state_of_any_characters_comes_back_as_it_was()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var state = "<script>\r\n\0&=%25 ü " + new string('x', 4_000) + new string('+', 3_500);

        var redirect = await new TestBrowser(gate).AuthorizeAsync(client.AuthorizeUrl(("state", state)));

        Assert.Equal(state, redirect.Query("state"));
    }

    [Fact]
    public async Task A_request_by_form_is_judged_as_one_by_query_is()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var fields = System.Web.HttpUtility.ParseQueryString(client.AuthorizeUrl().Split('?')[1]);

        var good = await gate.PostFormAsync("/authorize", [.. fields.AllKeys.Select(key => (key!, fields[key]!))]);
        fields["redirect_uri"] = "https://evil.example";
        var evil = await gate.PostFormAsync("/authorize", [.. fields.AllKeys.Select(key => (key!, fields[key]!))]);

        Assert.StartsWith("/signin", good.Headers.Location!.ToString());
        Assert.Equal(HttpStatusCode.BadRequest, evil.StatusCode);
    }

    [Fact]
    public async Task Hundreds_of_parameters_and_a_huge_address_are_refused()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        var many = await gate.Http.GetAsync(client.AuthorizeUrl() + string.Concat(Enumerable.Range(0, 500).Select(i => $"&p{i}=1")), TestContext.Current.CancellationToken);
        var huge = await gate.Http.GetAsync(client.AuthorizeUrl(("x", new string('x', 64 * 1024))), TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.BadRequest, Reason.ParameterTooLong), (many.StatusCode, gate.EventOf<AuthorizationRefused>(many).Reason));
        Assert.Equal(HttpStatusCode.RequestUriTooLong, huge.StatusCode);
    }
}
