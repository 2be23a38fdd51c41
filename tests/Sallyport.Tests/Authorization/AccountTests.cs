using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using Sallyport.Tests.Authorization.Providers;

namespace Sallyport.Tests.Authorization;

/// <summary><c>/account</c>: what a user has allowed, and the end of it.</summary>
public class AccountTests
{
    [Fact]
    public async Task A_user_sees_what_they_have_allowed_and_nobody_else_s()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var (mine, his) = (await TestClient.RegisterAsync(gate, name: "<b>Mine</b>"), await TestClient.RegisterAsync(gate, name: "His"));
        await his.TokensAsync("bob");
        var browser = new TestBrowser(gate);
        await mine.ExchangeAsync((await browser.AuthorizeAsync(mine.AuthorizeUrl(("scope", "mcp offline_access")))).Query("code")!);

        var page = await OpenAsync(browser);

        var section = Assert.Single(Applications(page));
        Assert.Equal("<b>Mine</b>", section.QuerySelector("h2")!.TextContent);
        Assert.Contains("unverified", section.TextContent);
        Assert.Equal("client.example", Shown(section, "Its answers went to"));
        Assert.Contains("(mcp)", Shown(section, "It may"));
        Assert.Contains("(offline_access)", Shown(section, "It may"));
        Assert.Equal(gate.Url + "/mcp", Shown(section, "At this server"));
        Assert.Equal(Time(gate.Time.GetUtcNow()), Shown(section, "Since"));
        Assert.Contains(TestGate.UserName, page.Body!.TextContent);
        Assert.DoesNotContain("His", page.Body.TextContent);
        Assert.Contains("default-src 'none'", browser.Response.Headers.GetValues("Content-Security-Policy").Single());
        Assert.True(browser.Response.Headers.CacheControl!.NoStore);
        Assert.Empty(page.Scripts);
    }

    [Fact]
    public async Task Last_used_is_when_it_last_got_a_token_and_connecting_again_is_no_second_application()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        var since = gate.Time.GetUtcNow();
        var tokens = await TestClient.ReadAsync(await client.ExchangeAsync((await browser.AuthorizeAsync(client.AuthorizeUrl())).Query("code")!));
        gate.Time.Advance(TimeSpan.FromHours(1));
        await browser.AuthorizeAsync(client.AuthorizeUrl());
        gate.Time.Advance(TimeSpan.FromHours(1));
        await client.RefreshAsync(tokens.RefreshToken!);

        var section = Assert.Single(Applications(await OpenAsync(browser)));

        Assert.Equal((Time(since), Time(since.AddHours(2))), (Shown(section, "Since"), Shown(section, "Last used")));
        Assert.Contains("60 minutes", section.TextContent);
    }

    [Fact]
    public async Task What_is_withdrawn_ends_at_once_with_its_streams_and_nothing_else_does()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var (client, other) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        var (tokens, others, bobs) = (await client.TokensAsync(), await other.TokensAsync(), await client.TokensAsync("bob"));
        var browser = new TestBrowser(gate);
        // Once more, and not redeemed: that code is to be good for nothing.
        var code = (await browser.AuthorizeAsync(client.AuthorizeUrl())).Query("code")!;
        var stream = await gate.GetWithTokenAsync("/sse", tokens.AccessToken);

        await OpenAsync(browser);
        var response = await SubmitAsync(browser, client.Id);

        // No clock moves here: it ends by itself.
        await stream.TextAsync();
        Assert.Equal("/account", response.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal(Reason.TokenRevoked, gate.EventOf<AccessRefused>(await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).Reason);
        Assert.False((await client.RefreshAsync(tokens.RefreshToken!)).IsSuccessStatusCode);
        Assert.False((await client.ExchangeAsync(code)).IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(others.AccessToken, Messages.Initialize)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(bobs.AccessToken, Messages.Initialize)).StatusCode);
        var revoked = gate.Events<TokenRevoked>();
        Assert.Equal(2, revoked.Count);
        Assert.All(revoked, one => Assert.Equal(Reason.RevokedByUser, one.Reason));
        Assert.All(revoked, one => Assert.NotNull(one.Source));
        Assert.Single(Applications(await PageAsync(browser)));
    }

    [Fact]
    public async Task The_form_of_something_that_has_ended_or_is_somebody_else_s_does_nothing()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var (client, his) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        var bobs = await his.TokensAsync("bob");
        var browser = new TestBrowser(gate);
        await browser.AuthorizeAsync(client.AuthorizeUrl());
        await OpenAsync(browser);
        var form = Form(await PageAsync(browser), client.Id);

        await browser.PostAsync("/account", form);
        Assert.Equal(HttpStatusCode.OK, (await browser.PostAsync("/account", form)).StatusCode);
        form["client"] = his.Id;
        Assert.Equal(HttpStatusCode.OK, (await browser.PostAsync("/account", form)).StatusCode);

        Assert.Single(gate.Events<TokenRevoked>());
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(bobs.AccessToken, Messages.Initialize)).StatusCode);
    }

    [Theory]
    [InlineData("client")]
    [InlineData("server")]
    [InlineData("act")]
    public async Task A_form_that_lacks_something_withdraws_nothing(string field)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.AuthorizeAsync(client.AuthorizeUrl());
        var form = Form(await OpenAsync(browser), client.Id);
        form.Remove(field);

        var response = await browser.PostAsync("/account", form);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(Reason.DecisionMissing, gate.EventOf<UserRefused>(response).Reason);
        Assert.Empty(gate.Events<TokenRevoked>());
    }

    [Theory]
    [InlineData("withdraw")]
    [InlineData("sign_out")]
    public async Task A_form_that_was_not_opened_in_this_browser_by_this_user_does_nothing(string act)
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var client = await TestClient.RegisterAsync(gate);
        var (victim, attacker) = (new TestBrowser(gate), new TestBrowser(gate));
        await victim.AuthorizeAsync(client.AuthorizeUrl());
        await attacker.AuthorizeAsync(client.AuthorizeUrl(), "bob");
        var form = Form(await OpenAsync(victim), client.Id);
        form["act"] = act;
        var foreign = Form(await OpenAsync(attacker), client.Id)["antiforgery"];

        foreach (var token in new[] { "", foreign })
        {
            form["antiforgery"] = token;
            var response = await victim.PostAsync("/account", form);
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            Assert.Equal(Reason.AntiforgeryInvalid, gate.EventOf<UserRefused>(response).Reason);
        }
        Assert.Empty(gate.Events<TokenRevoked>());
        Assert.Empty(gate.Events<UserSignedOut>());
    }

    [Fact]
    public async Task Signing_out_everywhere_ends_every_browser_s_sign_in_and_no_grant()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var client = await TestClient.RegisterAsync(gate);
        var (here, elsewhere, bobs) = (new TestBrowser(gate), new TestBrowser(gate), new TestBrowser(gate));
        var code = (await here.AuthorizeAsync(client.AuthorizeUrl())).Query("code")!;
        await elsewhere.AuthorizeAsync(client.AuthorizeUrl());
        await bobs.AuthorizeAsync(client.AuthorizeUrl(), "bob");
        var tokens = await TestClient.ReadAsync(await client.ExchangeAsync(code));

        var form = Form(await OpenAsync(here), client.Id);
        form["act"] = "sign_out";
        var response = await here.PostAsync("/account", form);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains("You are signed out", await response.TextAsync());
        Assert.Equal(gate.Events<UserAuthenticated>()[0].Subject, gate.EventOf<UserSignedOut>(response).Subject);
        foreach (var browser in new[] { here, elsewhere })
            Assert.Equal("/signin", (await browser.OpenAsync("/account")).RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal("/account", (await bobs.OpenAsync("/account")).RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
    }

    [Fact]
    public async Task Whoever_is_not_signed_in_signs_in_and_comes_back()
    {
        await using var gate = await TestGate.StartAsync();
        var browser = new TestBrowser(gate);

        await browser.OpenAsync("/account");
        Assert.Equal("/signin", browser.Response.RequestMessage!.RequestUri!.AbsolutePath);
        // A page that was left open.
        gate.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.SubmitAsync(("username", TestGate.UserName), ("password", "wrong"))).StatusCode);
        await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password));

        Assert.Equal("/account", browser.Response.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Contains("you have allowed none", await browser.Response.TextAsync());
        // Such a sign-in is no authorization: there is nothing to consent to.
        var signIn = (await new TestBrowser(gate).OpenAsync("/account")).RequestMessage!.RequestUri!;
        var consent = await gate.Http.GetAsync("/consent" + signIn.Query, TestContext.Current.CancellationToken);
        Assert.Equal(Reason.TransactionInvalid, gate.EventOf<AuthorizationRefused>(consent).Reason);
    }

    [Fact]
    public async Task A_user_of_a_provider_signs_in_by_it_and_comes_back()
    {
        await using var journey = await ProviderJourney.StartAsync();
        await journey.SignInAsync();
        await journey.Browser.SubmitAsync(("decision", "allow"));
        var browser = new TestBrowser(journey.Gate);
        await browser.OpenAsync("/account");

        var sent = await browser.SubmitAsync();
        await browser.OpenAsync(journey.Provider.Authorize(sent.Headers.Location!));

        Assert.Equal("/account", browser.Response.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Single(Applications(await PageAsync(browser)));
        Assert.Null(journey.Gate.Events<ProviderAsked>()[^1].Client);
        await SubmitAsync(browser, journey.Client.Id);
        Assert.Equal(Reason.RevokedByUser, Assert.Single(journey.Gate.Events<TokenRevoked>()).Reason);
    }

    [Fact]
    public async Task Who_is_turned_away_at_the_provider_gets_a_page()
    {
        await using var journey = await ProviderJourney.StartAsync();
        journey.Provider.Return = parameters => (parameters["error"], _) = ("access_denied", parameters.Remove("code"));
        var browser = new TestBrowser(journey.Gate);
        await browser.OpenAsync("/account");
        var sent = await browser.SubmitAsync();

        var response = await browser.OpenAsync(journey.Provider.Authorize(sent.Headers.Location!));

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal(Reason.ProviderDenied, journey.Gate.EventOf<UserRefused>(response).Reason);
    }

    private static async Task<IHtmlDocument> OpenAsync(TestBrowser browser)
    {
        await browser.OpenAsync("/account");
        return await PageAsync(browser);
    }

    private static async Task<IHtmlDocument> PageAsync(TestBrowser browser) => new HtmlParser().ParseDocument(await browser.Response.TextAsync());

    private static IReadOnlyList<IElement> Applications(IHtmlDocument page) => [.. page.QuerySelectorAll("section").Where(section => section.QuerySelector("input[name=client]") is not null)];

    private static string Shown(IElement section, string term) =>
        section.QuerySelectorAll("dt").Single(dt => dt.TextContent == term).NextElementSibling!.TextContent.Trim();

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("d MMMM yyyy, HH:mm 'UTC'", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>What the browser would send for the button of an application.</summary>
    private static Dictionary<string, string> Form(IHtmlDocument page, string client)
    {
        var form = page.Forms.Single(form => form.QuerySelector("input[name=client]")?.GetAttribute("value") == client);
        return form.QuerySelectorAll("input, button").ToDictionary(input => input.GetAttribute("name")!, input => input.GetAttribute("value")!);
    }

    private static async Task<HttpResponseMessage> SubmitAsync(TestBrowser browser, string client) =>
        await browser.PostAsync("/account", Form(await PageAsync(browser), client));
}
