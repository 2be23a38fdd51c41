namespace Sallyport.Tests.Authorization;

public class SignInAndConsentTests
{
    [Fact]
    public async Task A_user_signs_in_consents_and_the_code_goes_to_the_client_with_state_and_issuer()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);

        var redirect = await browser.AuthorizeAsync(client.AuthorizeUrl());

        Assert.Equal(TestClient.RedirectUri, redirect.GetLeftPart(UriPartial.Path));
        Assert.StartsWith("sp_code_", redirect.Query("code"));
        Assert.Equal(("the state", "http://localhost:5000"), (redirect.Query("state"), redirect.Query("iss")));
        Assert.Equal("no-referrer", browser.Response.Headers.GetValues("Referrer-Policy").Single());
        Assert.True(browser.Response.Headers.CacheControl!.NoStore);
        var (started, signedIn, consent, code) = (gate.Events<AuthorizationStarted>().Single(), gate.Events<UserAuthenticated>().Single(), gate.Events<ConsentGiven>().Single(), gate.Events<CodeIssued>().Single());
        Assert.Equal(started.Transaction, signedIn.Transaction);
        Assert.Equal((started.Transaction, signedIn.Authentication, signedIn.Subject), (consent.Transaction, consent.Authentication, consent.Subject));
        Assert.Equal((consent.Consent, client.Id), (code.Consent, code.Client));
    }

    [Fact]
    public async Task The_consent_page_says_who_asks_for_what_and_where_it_goes()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl(("scope", "mcp offline_access")));

        var page = await (await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password))).TextAsync();

        foreach (var shown in new[] { "Test client", "unverified", TestClient.RedirectUri, "offline_access", "http://localhost:5000/mcp", TestGate.UserName })
            Assert.Contains(shown, page);
        Assert.DoesNotContain("<script", page);
    }

    [Theory]
    [InlineData("ChatGPT", "https://evil.example/cb", "ChatGPT")]
    [InlineData("Chat GPT connector", "https://evil.example/cb", "ChatGPT")]
    [InlineData("CHATGPT", "https://chatgpt.com.evil.example/connector/oauth/x", "ChatGPT")]
    [InlineData("\u0421hatGPT", "https://evil.example/cb", "ChatGPT")]
    [InlineData("Cl\u0430ude", "https://evil.example/cb", "Claude")]
    [InlineData("C1aude (official)", "https://evil.example/cb", "Claude")]
    [InlineData("CIaude", "https://evil.example/cb", "Claude")]
    [InlineData("Cl\u00e1ude", "https://evil.example/cb", "Claude")]
    [InlineData("\uff23\uff4c\uff41\uff55\uff44\uff45", "https://evil.example/cb", "Claude")]
    [InlineData("VS Code", "https://evil.example/cb", "Visual Studio Code")]
    [InlineData("Visual-Studio-Code", "https://evil.example/cb", "Visual Studio Code")]
    [InlineData("Curs0r", "http://localhost:9/other", "Cursor")]
    [InlineData("Claude Cursor", "https://claude.ai/api/mcp/auth_callback", "Cursor")]
    [InlineData("Claude Cursor", "cursor://anysphere.cursor-mcp/oauth/callback", "Claude")]
    [InlineData("Claude Cursor", "https://evil.example/cb", "Claude")]
    [InlineData("MCP Inspector", "https://evil.example/oauth/callback", "MCP Inspector")]
    [InlineData("MCP 1nspector", "http://127.0.0.1:6274/other", "MCP Inspector")]
    [InlineData("mcp-remote", "https://evil.example/oauth/callback", "mcp-remote")]
    [InlineData("MCP CLI Proxy", "https://evil.example/oauth/callback", "mcp-remote")]
    [InlineData("ChatGPT", "https://chatgpt.com/connector/oauth/abc123", null)]
    [InlineData("ChatGPT", "https://chatgpt.com/connector_platform_oauth_redirect", null)]
    [InlineData("Claude", "https://claude.ai/api/mcp/auth_callback", null)]
    [InlineData("Claude Code (notes)", "http://localhost:41234/callback", null)]
    [InlineData("Visual Studio Code", "http://127.0.0.1:33418/", null)]
    [InlineData("Cursor", "cursor://anysphere.cursor-mcp/oauth/callback", null)]
    [InlineData("Claude Cursor", "http://localhost:41234/callback", null)]
    [InlineData("MCP Inspector", "http://127.0.0.1:6274/oauth/callback", null)]
    [InlineData("MCP Inspector", "http://localhost:6274/oauth/callback", null)]
    [InlineData("MCP CLI Proxy", "http://localhost:3334/oauth/callback", null)]
    [InlineData("API inspector", "https://client.example/cb", null)]
    [InlineData("Precursor", "https://client.example/cb", null)]
    [InlineData("Claudette's notes", "https://client.example/cb", null)]
    [InlineData("Test client", "https://client.example/cb", null)]
    public async Task CONS_08_a_name_that_looks_like_a_known_client_s_is_told_of_where_the_answer_goes_elsewhere(string name, string redirectUri, string? known)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, redirectUri: redirectUri, name: name);
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl(("redirect_uri", redirectUri)));

        var page = WebUtility.HtmlDecode(await (await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password))).TextAsync());

        Assert.Contains("unverified", page);
        if (known is null)
            Assert.DoesNotContain("looks like", page);
        else
            Assert.Contains($"Its name looks like {known}, but", page);
    }

    [Fact]
    public async Task Pages_admit_no_frame_no_script_and_nothing_from_elsewhere()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        var pages = new List<HttpResponseMessage>
        {
            await browser.OpenAsync(client.AuthorizeUrl()),
            await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password)),
            await browser.OpenAsync("/"),
        };

        foreach (var page in pages)
        {
            var policy = page.Headers.GetValues("Content-Security-Policy").Single();
            Assert.Contains("default-src 'none'", policy);
            Assert.Contains("frame-ancestors 'none'", policy);
            // Chromium applies form-action to every redirect after a form, and ours end at the client's address.
            Assert.DoesNotContain("form-action", policy);
            Assert.Equal("DENY", page.Headers.GetValues("X-Frame-Options").Single());
            Assert.Equal("same-origin", page.Headers.GetValues("Referrer-Policy").Single());
            Assert.Equal("nosniff", page.Headers.GetValues("X-Content-Type-Options").Single());
        }
    }

    [Theory]
    [InlineData(TestGate.UserName, "wrong password")]
    [InlineData("nobody", "wrong password")]
    [InlineData("", "")]
    public async Task A_wrong_name_and_a_wrong_password_look_alike(string name, string password)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl());

        var response = await browser.SubmitAsync(("username", name), ("password", password));

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Contains("User name or password is wrong.", await response.TextAsync());
        Assert.Equal(Reason.CredentialsWrong, gate.EventOf<UserRefused>(response).Reason);
        Assert.Null(gate.EventOf<UserRefused>(response).Subject);
        Assert.Empty(gate.Events<UserAuthenticated>());
    }

    [Fact]
    public async Task After_a_wrong_password_the_same_page_takes_the_right_one()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl());
        await browser.SubmitAsync(("username", TestGate.UserName), ("password", "wrong password"));

        await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password));
        await browser.SubmitAsync(("decision", "allow"));

        Assert.NotNull(browser.Response.Headers.Location!.Query("code"));
    }

    [Fact]
    public async Task A_denial_is_told_to_the_client_and_gives_nothing()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);

        var redirect = await new TestBrowser(gate).AuthorizeAsync(client.AuthorizeUrl(), decision: "deny");

        Assert.Equal(("access_denied", "the state", "http://localhost:5000"), (redirect.Query("error"), redirect.Query("state"), redirect.Query("iss")));
        Assert.Single(gate.Events<ConsentRefused>());
        Assert.Empty(gate.Events<CodeIssued>());
    }

    [Theory]
    [InlineData("signin")]
    [InlineData("consent")]
    public async Task A_form_that_was_not_opened_in_this_browser_does_nothing(string page)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var victim = new TestBrowser(gate);
        await victim.OpenAsync(client.AuthorizeUrl());
        if (page == "consent")
            await victim.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password));
        var attacker = new TestBrowser(gate);
        await attacker.OpenAsync(client.AuthorizeUrl());
        var foreign = (await attacker.FormAsync()).QuerySelector("input[name=antiforgery]")!.GetAttribute("value")!;

        var shown = victim.Response.RequestMessage!.RequestUri!.PathAndQuery;
        foreach (var token in new[] { "", foreign })
        {
            await victim.OpenAsync(shown);
            var response = await victim.SubmitAsync(("antiforgery", token), ("username", TestGate.UserName), ("password", TestGate.Password), ("decision", "allow"));
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            Assert.Equal("invalid_request", await response.ErrorAsync());
        }
        Assert.Empty(gate.Events<CodeIssued>());
    }

    [Fact]
    public async Task What_is_granted_comes_from_the_sealed_transaction_alone()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl());
        await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password));

        await browser.SubmitAsync(("decision", "allow"), ("scope", "mcp offline_access"), ("redirect_uri", "https://evil.example"), ("client_id", "other"));

        Assert.Equal(TestClient.RedirectUri, browser.Response.Headers.Location!.GetLeftPart(UriPartial.Path));
        Assert.Equal(["mcp"], gate.Events<ConsentGiven>().Single().Scopes);
    }

    [Fact]
    public async Task A_transaction_that_was_changed_or_made_up_is_refused()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var location = (await gate.Http.GetAsync(client.AuthorizeUrl(), TestContext.Current.CancellationToken)).Headers.Location!.ToString();

        foreach (var path in new[] { location[..^4] + "AAAA", "/signin", "/signin?transaction=x", "/consent?transaction=x" })
        {
            var response = await gate.Http.GetAsync(path, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        }
    }

    [Fact]
    public async Task A_transaction_gives_one_code_however_often_its_form_is_posted()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl());
        await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password));
        var form = await browser.FormAsync();
        var values = form.QuerySelectorAll("input[type=hidden]").ToDictionary(input => input.GetAttribute("name")!, input => input.GetAttribute("value")!);
        values["decision"] = "allow";

        var first = await browser.PostAsync("/consent", values);
        var second = await browser.PostAsync("/consent", values);

        Assert.NotNull(first.Headers.Location!.Query("code"));
        Assert.Equal(HttpStatusCode.BadRequest, second.StatusCode);
        Assert.Equal(Reason.TransactionUsed, gate.EventOf<AuthorizationRefused>(second).Reason);
        Assert.Single(gate.Events<CodeIssued>());
    }

    [Fact]
    public async Task A_transaction_of_more_than_ten_minutes_ago_is_refused()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl());

        gate.Time.Advance(TimeSpan.FromMinutes(10.1));
        var response = await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(Reason.TransactionExpired, gate.EventOf<UserRefused>(response).Reason);
    }

    [Fact]
    public async Task Several_tabs_are_several_transactions_and_opening_a_page_twice_harms_none()
    {
        await using var gate = await TestGate.StartAsync();
        var (first, second) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        var browser = new TestBrowser(gate);

        await browser.OpenAsync(first.AuthorizeUrl());
        var firstForm = await browser.FormAsync();
        var firstValues = firstForm.QuerySelectorAll("input[type=hidden]").ToDictionary(input => input.GetAttribute("name")!, input => input.GetAttribute("value")!);
        await browser.AuthorizeAsync(second.AuthorizeUrl());
        (firstValues["username"], firstValues["password"]) = (TestGate.UserName, TestGate.Password);
        await browser.PostAsync("/signin", firstValues);
        await browser.OpenAsync(browser.Response.RequestMessage!.RequestUri!.PathAndQuery);
        await browser.SubmitAsync(("decision", "allow"));

        Assert.NotNull(browser.Response.Headers.Location!.Query("code"));
        Assert.Equal([second.Id, first.Id], gate.Events<CodeIssued>().Select(code => code.Client));
    }

    [Fact]
    public async Task A_signed_in_browser_goes_straight_to_consent_and_never_past_it()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.AuthorizeAsync(client.AuthorizeUrl());

        var response = await browser.OpenAsync(client.AuthorizeUrl());

        Assert.Equal("/consent", response.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Single(gate.Events<CodeIssued>());
    }

    [Fact]
    public async Task CONS_13_a_sign_in_replaces_whatever_session_the_browser_had()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("mallory");
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl());
        var form = await browser.FormAsync();
        var open = form.QuerySelectorAll("input[type=hidden]").ToDictionary(input => input.GetAttribute("name")!, input => input.GetAttribute("value")!);
        await browser.SubmitAsync(("username", "mallory"), ("password", TestGate.Password));
        Assert.Contains("mallory", await browser.Response.TextAsync());

        (open["username"], open["password"]) = (TestGate.UserName, TestGate.Password);
        await browser.PostAsync("/signin", open);

        Assert.Contains($"<strong>{TestGate.UserName}</strong>", await browser.Response.TextAsync());
        Assert.DoesNotContain("mallory", await browser.Response.TextAsync());
        Assert.Equal(2, gate.Events<UserAuthenticated>().Select(user => user.Authentication).Distinct().Count());
    }

    [Fact]
    public async Task A_browser_whose_user_is_gone_signs_in_anew()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.AuthorizeAsync(client.AuthorizeUrl(), "bob");
        await using (var scope = gate.Services.CreateAsyncScope())
        {
            var db = scope.ServiceProvider.GetRequiredService<Sallyport.Server.Storage.SallyportDb>();
            db.Users.Remove(db.Users.Single(user => user.UserName == "bob"));
            await db.SaveChangesAsync(TestContext.Current.CancellationToken);
        }

        var redirect = await browser.AuthorizeAsync(client.AuthorizeUrl());

        Assert.NotNull(redirect.Query("code"));
    }

    [Fact]
    public async Task A_hostile_client_name_is_text_and_nothing_else()
    {
        await using var gate = await TestGate.StartAsync();
        var registration = await gate.Http.PostAsync("/register", new StringContent("""{"client_name":"<img src=x onerror=alert(1)>","redirect_uris":["https://client.example/callback"],"token_endpoint_auth_method":"none"}""", System.Text.Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken);
        var id = (await registration.JsonAsync()).GetProperty("client_id").GetString()!;
        var client = await TestClient.RegisterAsync(gate);

        var page = await (await new TestBrowser(gate).OpenAsync(client.AuthorizeUrl(("client_id", id)))).TextAsync();

        Assert.DoesNotContain("<img", page);
        Assert.Contains("&lt;img", page);
    }

    [Theory]
    [InlineData("http://localhost:5000", "localhost:5000", false)]
    [InlineData("https://mcp.example", "mcp.example", true)]
    public async Task Cookies_are_host_bound_and_secure_where_the_public_URL_is_https(string publicUrl, string host, bool secure)
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => (s.Urls, s.PublicUrl) = ("http://localhost:5000", publicUrl) });
        var client = await TestClient.RegisterAsync(gate, redirectUri: TestClient.RedirectUri);
        var location = (await SendAsync(HttpMethod.Get, client.AuthorizeUrl(("resource", null)))).Headers.Location!.ToString();

        var cookie = (await SendAsync(HttpMethod.Get, location)).Headers.GetValues("Set-Cookie").Single();

        Assert.Equal(secure, cookie.StartsWith("__Host-", StringComparison.Ordinal));
        Assert.Equal(secure, cookie.Contains("secure", StringComparison.OrdinalIgnoreCase));
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=lax", cookie, StringComparison.OrdinalIgnoreCase);

        Task<HttpResponseMessage> SendAsync(HttpMethod method, string path) =>
            gate.Http.SendAsync(new(method, path) { Headers = { Host = host } }, TestContext.Current.CancellationToken);
    }
}
