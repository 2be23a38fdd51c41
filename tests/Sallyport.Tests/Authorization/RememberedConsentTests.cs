using System.Net.Http.Json;
using AngleSharp.Html.Dom;
using Sallyport.Server.Operation;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;
using static Sallyport.Tests.Authorization.Remembering;

namespace Sallyport.Tests.Authorization;

/// <summary>A consent that is remembered: only where the user wants it, for no more than they allowed, and until anything ends it.</summary>
public class RememberedConsentTests
{
    private static readonly TimeSpan s_lifetime = TimeSpan.FromDays(90);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_page_offers_it_unticked_and_without_a_tick_the_user_is_asked_again()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);

        Assert.True(await browser.IsAskedAsync(client.AuthorizeUrl()));
        var box = await BoxAsync(browser);
        Assert.False(box!.IsChecked);
        Assert.Equal("Do not ask me again for this application", (await PageAsync(browser)).QuerySelector($"label[for={box.Id}]")!.TextContent);
        var explained = (await PageAsync(browser)).GetElementById(box.GetAttribute("aria-describedby")!)!;
        Assert.Contains("90 days", explained.TextContent);
        Assert.Contains(gate.Url + "/account", explained.TextContent);
        await browser.SubmitAsync(("decision", "allow"));

        Assert.NotNull(browser.Response.Headers.Location!.Query("code"));
        Assert.True(await browser.IsAskedAsync(client.AuthorizeUrl()));
        var given = Assert.Single(gate.Events<ConsentGiven>());
        Assert.Equal((null, null, null), (given.RememberedUntil, given.RedirectUri, given.RestsOn));
    }

    [Fact]
    public async Task Once_ticked_the_next_code_comes_without_a_page_and_its_consent_names_the_one_that_it_rests_on()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var now = gate.Time.GetUtcNow();
        await RememberAsync(gate, client);
        var browser = new TestBrowser(gate);

        Assert.False(await browser.IsAskedAsync(client.AuthorizeUrl()));

        var answer = browser.Response.Headers.Location!;
        Assert.Equal((TestClient.RedirectUri, "the state", gate.Url), (answer.GetLeftPart(UriPartial.Path), answer.Query("state"), answer.Query("iss")));
        Assert.Equal("no-referrer", browser.Response.Headers.GetValues("Referrer-Policy").Single());
        Assert.True(browser.Response.Headers.CacheControl!.NoStore);
        await TestClient.ReadAsync(await client.ExchangeAsync(answer.Query("code")!));
        var (first, second) = (gate.Events<ConsentGiven>()[0], gate.Events<ConsentGiven>()[1]);
        Assert.Equal(Milliseconds(now + s_lifetime), Milliseconds(first.RememberedUntil));
        Assert.Equal((first.Consent, null, TestClient.RedirectUri), (second.RestsOn, second.RememberedUntil, second.RedirectUri));
        Assert.Equal((gate.Events<AuthorizationStarted>()[1].Transaction, gate.Events<UserAuthenticated>()[1].Authentication), (second.Transaction, second.Authentication));
        Assert.Equal(second.Consent, gate.EventOf<CodeIssued>(browser.Response).Consent);
    }

    [Fact]
    public async Task It_is_no_way_past_the_sign_in_and_good_for_nobody_else()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var (client, other) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        await RememberAsync(gate, client);

        var stranger = new TestBrowser(gate);
        await stranger.OpenAsync(client.AuthorizeUrl());
        Assert.Equal("/signin", stranger.Response.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.True(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl(), "bob"));
        Assert.True(await new TestBrowser(gate).IsAskedAsync(other.AuthorizeUrl()));
    }

    [Fact]
    public async Task A_transaction_gives_one_code_also_where_nobody_is_asked()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        await RememberAsync(gate, client);
        var browser = new TestBrowser(gate);
        await browser.IsAskedAsync(client.AuthorizeUrl());

        var again = await browser.OpenAsync(browser.Response.RequestMessage!.RequestUri!.PathAndQuery);

        Assert.Equal(HttpStatusCode.BadRequest, again.StatusCode);
        Assert.Equal(Reason.TransactionUsed, gate.EventOf<AuthorizationRefused>(again).Reason);
        Assert.Equal(2, gate.Events<CodeIssued>().Count);
    }

    [Theory]
    [InlineData("http://127.0.0.1:4711/cb")]
    [InlineData("http://localhost:3000/cb")]
    [InlineData("cursor://anysphere.cursor-mcp/oauth/callback")]
    [InlineData("com.example.app:/cb")]
    [InlineData("https://localhost:3000/cb")]
    [InlineData("https://LOCALHOST./cb")]
    [InlineData("https://app.localhost/cb")]
    [InlineData("https://127.0.0.1/cb")]
    [InlineData("https://2130706433/cb")]
    [InlineData("https://[::1]/cb")]
    [InlineData("https://[::ffff:127.0.0.1]/cb")]
    [InlineData("https://0.0.0.0/cb")]
    public async Task CONS_16_an_application_on_some_computer_is_not_remembered_whatever_the_form_says(string redirectUri)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, redirectUri: redirectUri);
        await AssertNotRememberedAsync(gate, client, ("redirect_uri", redirectUri));
    }

    [Theory]
    [InlineData("ChatGPT")]
    [InlineData("CIaude")]
    public async Task A_client_that_looks_like_a_known_one_is_not_remembered(string name)
    {
        await using var gate = await TestGate.StartAsync();
        await AssertNotRememberedAsync(gate, await TestClient.RegisterAsync(gate, name: name));
    }

    [Theory]
    [InlineData("consent")]
    [InlineData("login")]
    [InlineData("login consent")]
    [InlineData("select_account")]
    public async Task A_client_that_wants_the_user_asked_is_neither_remembered_nor_let_past(string prompt)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        await AssertNotRememberedAsync(gate, client, ("prompt", prompt));

        await RememberAsync(gate, client);

        Assert.True(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl(("prompt", prompt))));
        Assert.False(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl()));
    }

    [Fact]
    public async Task CONS_11_a_denial_is_never_remembered()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);

        var redirect = await browser.AuthorizeAsync(client.AuthorizeUrl(), decision: "deny", remember: true);

        Assert.Equal("access_denied", redirect.Query("error"));
        Assert.True(await browser.IsAskedAsync(client.AuthorizeUrl()));
        Assert.Empty(gate.Events<ConsentGiven>());
    }

    [Theory]
    [InlineData("mcp", "mcp offline_access", true)]
    [InlineData("mcp", null, false)]
    [InlineData("mcp offline_access", "mcp", false)]
    [InlineData("mcp offline_access", "offline_access mcp nonsense", false)]
    public async Task CONS_09_more_scopes_are_asked_for_again_and_no_others(string remembered, string? asked, bool isAsked)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        await RememberAsync(gate, client, ("scope", remembered));
        var browser = new TestBrowser(gate);

        Assert.Equal(isAsked, await browser.IsAskedAsync(client.AuthorizeUrl(("scope", asked))));

        if (isAsked)
            Assert.Contains("offline_access", await browser.Response.TextAsync());
        else
            Assert.Equal(gate.Events<AuthorizationStarted>()[^1].Scopes, gate.Events<ConsentGiven>()[^1].Scopes);
    }

    [Fact]
    public async Task CONS_10_another_address_of_the_same_client_is_asked_about()
    {
        string[] addresses = [TestClient.RedirectUri, TestClient.RedirectUri + "/", TestClient.RedirectUri + "?x=1", "https://client.example/Callback", "https://other.example/callback"];
        await using var gate = await TestGate.StartAsync();
        var client = TestClient.Of(gate, await (await gate.Http.PostAsJsonAsync("/register", new { client_name = "Five", redirect_uris = addresses, token_endpoint_auth_method = "none" }, Cancellation)).JsonAsync());
        await RememberAsync(gate, client);

        foreach (var address in addresses)
            Assert.Equal(address != TestClient.RedirectUri, await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl(("redirect_uri", address))));
    }

    [Fact]
    public async Task Another_resource_is_asked_about()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = ["http://127.0.0.1:9/mcp", "notes=http://127.0.0.1:9/other"] });
        var client = await TestClient.RegisterAsync(gate);
        await RememberAsync(gate, client);

        Assert.True(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl(("resource", gate.Url + "/notes/mcp"))));
        Assert.False(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl(("resource", gate.Url + "/mcp/"))));
    }

    [Fact]
    public async Task A_user_has_a_hundred_at_most_and_is_asked_about_all_others()
    {
        await using var gate = await TestGate.StartAsync();
        var (client, other) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        await RememberAsync(gate, client);
        await using (var scope = gate.Services.CreateAsyncScope())
        {
            var db = scope.ServiceProvider.GetRequiredService<SallyportDb>();
            var like = db.Grants.Single();
            db.Grants.AddRange(Enumerable.Range(1, 99).Select(i => new Grant
            {
                Id = $"{i}", ClientId = like.ClientId, Subject = like.Subject, Audience = $"{like.Audience}/{i}", Scope = like.Scope, ConsentId = $"{i}", TransactionId = $"{i}", CreatedAt = like.CreatedAt,
                CodeId = $"{i}", CodeHash = $"{i}", CodeExpiresAt = like.CodeExpiresAt, RedirectUri = like.RedirectUri, CodeChallenge = $"{i}",
                // One of them has just ended.
                RememberedUntil = i == 99 ? gate.Time.GetUtcNow() : like.RememberedUntil,
            }));
            await db.SaveChangesAsync(Cancellation);
        }
        var browser = new TestBrowser(gate);
        Assert.True(await browser.IsAskedAsync(other.AuthorizeUrl(("scope", "mcp offline_access"))));
        Assert.NotNull(await BoxAsync(browser));
        await browser.SubmitAsync(("decision", "allow"), ("remember", "yes"));
        Assert.NotNull(gate.Events<ConsentGiven>()[^1].RememberedUntil);

        await AssertNotRememberedAsync(gate, await TestClient.RegisterAsync(gate));
        Assert.False(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl()));
    }

    [Fact]
    public async Task The_account_shows_it_where_nothing_else_lives_and_withdraws_it()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, name: "Example notes");
        await RememberAsync(gate, client);
        // The code has expired, and nobody had it redeemed.
        gate.Time.Advance(TimeSpan.FromMinutes(2));
        var listed = Assert.Single((await gate.Services.GetRequiredService<GrantActs>().ListAsync(null, null, Cancellation))!);
        Assert.Equal(Milliseconds(gate.Events<ConsentGiven>().Single().RememberedUntil), Milliseconds(listed.RememberedUntil));

        var browser = new TestBrowser(gate);
        await browser.IsAskedAsync("/account");
        var page = await PageAsync(browser);
        var section = Assert.Single(page.QuerySelectorAll("section"), section => section.QuerySelector("h2")!.TextContent == "Example notes");
        var shown = section.QuerySelectorAll("dt").Single(dt => dt.TextContent == "You are not asked again").NextElementSibling!.TextContent;
        Assert.Contains($"until {gate.Events<ConsentGiven>().Single().RememberedUntil!.Value.UtcDateTime.ToString("d MMMM yyyy", System.Globalization.CultureInfo.InvariantCulture)}", shown);
        Assert.Contains("client.example", shown);
        await WithdrawAsync(gate, client);

        Assert.True(await browser.IsAskedAsync(client.AuthorizeUrl()));
        await browser.OpenAsync("/account");
        Assert.DoesNotContain("Example notes", await browser.Response.TextAsync());
        Assert.Empty((await gate.Services.GetRequiredService<GrantActs>().ListAsync(null, null, Cancellation))!);
    }

    [Fact]
    public async Task A_snapshot_tells_of_what_is_remembered_and_of_nothing_that_ended()
    {
        await using var gate = await TestGate.StartAsync();
        var (client, ended) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        await RememberAsync(gate, client, ("scope", "mcp offline_access"));
        await RememberAsync(gate, ended);
        await client.TokensAsync();
        await gate.Services.GetRequiredService<ClientActs>().RevokeAsync(ended.Id, Cancellation);
        gate.Time.Advance(TimeSpan.FromDays(40));

        await gate.Services.GetRequiredService<Snapshots>().TakeAsync(Cancellation);

        var (given, code) = (gate.Events<ConsentGiven>()[0], gate.Events<CodeIssued>()[0]);
        var last = gate.Events<SnapshotBegun>()[^1].Snapshot;
        var told = Assert.Single(gate.Events<SnapshotPart>().Where(part => part.Snapshot == last).SelectMany(part => part.Consents ?? []));
        Assert.Equal((given.Consent, code.Grant, TestClient.RedirectUri, Milliseconds(given.RememberedUntil)), (told.Consent, told.Grant, told.RedirectUri, Milliseconds(told.RememberedUntil)));
        Assert.Equal(["mcp", "offline_access"], told.Scopes);
        Assert.Equal(code.Grant, Assert.Single(gate.Events<SnapshotPart>().Where(part => part.Snapshot == last).SelectMany(part => part.Grants ?? [])).Grant);
    }

    [Fact]
    public async Task A_snapshot_holds_the_longest_addresses_that_there_are()
    {
        await using var gate = await TestGate.StartAsync();
        var clients = new List<(TestClient Client, string Address)>();
        for (var i = 0; i < 6; i++)
        {
            var address = $"https://client{i}.example/?x=";
            address += new string('\'', RedirectUri.MaxLength - address.Length);
            var client = await TestClient.RegisterAsync(gate, redirectUri: address);
            await RememberAsync(gate, client, ("redirect_uri", address));
            clients.Add((client, address));
        }

        await gate.Services.GetRequiredService<Snapshots>().TakeAsync(Cancellation);

        Assert.Equal(clients.Select(client => client.Address).Order(), gate.Events<SnapshotPart>().SelectMany(part => part.Consents ?? []).Select(told => told.RedirectUri).Order());
        Assert.Single(gate.Events<SnapshotCompleted>());
    }

    private static async Task AssertNotRememberedAsync(TestGate gate, TestClient client, params (string, string?)[] changes)
    {
        var browser = new TestBrowser(gate);
        Assert.True(await browser.IsAskedAsync(client.AuthorizeUrl(changes)));
        Assert.Null(await BoxAsync(browser));
        await browser.SubmitAsync(("decision", "allow"), ("remember", "yes"));

        Assert.NotNull(browser.Response.Headers.Location!.Query("code"));
        Assert.Null(gate.Events<ConsentGiven>()[^1].RememberedUntil);
        Assert.True(await browser.IsAskedAsync(client.AuthorizeUrl(changes)));
    }

    /// <summary>As exactly as times are stored.</summary>
    private static long Milliseconds(DateTimeOffset? time) => time!.Value.ToUnixTimeMilliseconds();

    private static async Task<IHtmlInputElement?> BoxAsync(TestBrowser browser) => (IHtmlInputElement?)(await PageAsync(browser)).QuerySelector("input[type=checkbox]");
}
