using AngleSharp.Html.Parser;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;
using Sallyport.Server.Storage;

namespace Sallyport.Tests.Authorization.Providers;

/// <summary>Sign-in at an OpenID Connect provider that behaves.</summary>
public class ProviderSignInTests
{
    [Fact]
    public async Task A_user_signs_in_at_the_provider_consents_and_the_code_goes_to_the_client()
    {
        await using var journey = await ProviderJourney.StartAsync();

        var page = await (await journey.SignInAsync()).TextAsync();
        var redirect = (await journey.Browser.SubmitAsync(("decision", "allow"))).Headers.Location!;

        Assert.Contains("ann@corp.example", page);
        Assert.StartsWith("sp_code_", redirect.Query("code"));
        Assert.Equal("the state", redirect.Query("state"));
        var (started, asked, answered, signedIn, consent) = (journey.Gate.Events<AuthorizationStarted>().Single(), journey.Gate.Events<ProviderAsked>().Single(),
            journey.Gate.Events<ProviderAnswered>().Single(), journey.Gate.Events<UserAuthenticated>().Single(), journey.Gate.Events<ConsentGiven>().Single());
        Assert.Equal([started.Transaction, started.Transaction, started.Transaction, started.Transaction],
            [asked.Transaction, answered.Transaction, signedIn.Transaction, consent.Transaction]);
        Assert.Equal(("provider", journey.Provider.Issuer), (signedIn.Method, signedIn.Provider));
        Assert.Equal((signedIn.Subject, signedIn.Authentication), (consent.Subject, consent.Authentication));
        Assert.NotNull(signedIn.Name);
    }

    [Fact]
    public async Task The_provider_gets_a_state_nonce_and_challenge_of_ours_and_nothing_of_the_client()
    {
        await using var journey = await ProviderJourney.StartAsync();

        var sent = (await journey.AskAsync()).Headers.Location!;
        journey.Provider.Authorize(sent);

        Assert.Equal(
            ["client_id", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "response_type", "scope", "state"],
            journey.Provider.Asked.AllKeys.Order());
        Assert.Equal("http://localhost:5000/oauth/callback", sent.Query("redirect_uri"));
        Assert.Equal(("S256", "code"), (sent.Query("code_challenge_method"), sent.Query("response_type")));
        foreach (var secret in new[] { "the state", "client.example", "mcp", journey.Client.Id, journey.Client.Challenge })
            Assert.DoesNotContain(secret, Uri.UnescapeDataString(sent.Query));
    }

    [Fact]
    public async Task Nothing_goes_to_the_provider_and_no_cookie_of_it_exists_before_the_button_is_pressed()
    {
        await using var journey = await ProviderJourney.StartAsync();

        var page = await journey.Browser.OpenAsync(journey.Client.AuthorizeUrl());

        var text = await page.TextAsync();
        foreach (var shown in new[] { "Test client", "client.example", "Sign in with Corp" })
            Assert.Contains(shown, text);
        Assert.DoesNotContain("password", text);
        Assert.Empty(journey.Provider.BackChannel);
        Assert.DoesNotContain("sallyport-provider", string.Join('\n', page.Headers.TryGetValues("Set-Cookie", out var cookies) ? cookies : []));
        var sent = await journey.Browser.SubmitAsync();
        Assert.Contains(sent.Headers.GetValues("Set-Cookie"), cookie => cookie.StartsWith("sallyport-provider-", StringComparison.Ordinal)
            && cookie.Contains("httponly", StringComparison.OrdinalIgnoreCase) && cookie.Contains("samesite=lax", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Who_goes_to_the_provider_too_often_is_stopped_and_nobody_else()
    {
        await using var journey = await ProviderJourney.StartAsync(settings: settings => settings.SignInsPerMinute = 3);
        for (var i = 0; i < 3; i++)
            Assert.Equal(HttpStatusCode.Found, (await journey.AskAsync()).StatusCode);

        var stopped = await journey.AskAsync();
        var other = await journey.AskAsync(new TestBrowser(journey.Gate, from: "192.0.2.7"));

        Assert.Equal(HttpStatusCode.TooManyRequests, stopped.StatusCode);
        Assert.Equal(Reason.LimitSource, journey.Gate.EventOf<RequestsLimited>(stopped).Reason);
        Assert.Equal(HttpStatusCode.Found, other.StatusCode);
    }

    [Fact]
    public async Task Of_too_many_who_do_not_come_back_the_oldest_make_room()
    {
        await using var journey = await ProviderJourney.StartAsync();
        var first = (await journey.AskAsync()).Headers.Location!;
        await using (var scope = journey.Gate.Services.CreateAsyncScope())
        {
            var db = scope.ServiceProvider.GetRequiredService<SallyportDb>();
            var later = journey.Gate.Time.GetUtcNow().AddMinutes(30);
            db.ProviderSignIns.AddRange(Enumerable.Range(0, 9_999).Select(i => new ProviderSignIn
            {
                Id = $"{i}", StateHash = $"{i}", Issuer = "", BrowserHash = "", Transaction = "", ExpiresAt = later,
            }));
            await db.SaveChangesAsync(TestContext.Current.CancellationToken);
        }
        await journey.AskAsync(new TestBrowser(journey.Gate));

        var answer = await journey.Browser.OpenAsync(journey.Provider.Authorize(first));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(Reason.ProviderStateUnknown, journey.Gate.EventOf<UserRefused>(answer).Reason);
    }

    [Fact]
    public async Task A_subject_of_the_provider_is_one_user_whatever_its_address_becomes()
    {
        await using var journey = await ProviderJourney.StartAsync();
        await journey.SignInAsync();
        journey.Provider.Claims = claims => claims["email"] = "bob@corp.example";
        await journey.SignInAsync(new TestBrowser(journey.Gate));
        journey.Provider.Claims = claims => claims["sub"] = "user-2";
        await journey.SignInAsync(new TestBrowser(journey.Gate));

        var subjects = journey.Gate.Events<UserAuthenticated>().Select(signedIn => signedIn.Subject).ToList();

        Assert.Equal(subjects[0], subjects[1]);
        Assert.NotEqual(subjects[0], subjects[2]);
    }

    [Fact]
    public async Task A_local_user_of_the_same_name_is_another_user()
    {
        await using var journey = await ProviderJourney.StartAsync(withUser: true);
        var local = await journey.Gate.AddUserAsync("ann@corp.example");
        await journey.Browser.OpenAsync(journey.Client.AuthorizeUrl());
        var forms = new HtmlParser().ParseDocument(await journey.Browser.Response.TextAsync()).Forms;
        Assert.Equal(2, forms.Length);
        var values = forms[0].QuerySelectorAll("input").ToDictionary(input => input.GetAttribute("name")!, input => input.GetAttribute("value")!);

        var sent = await journey.Browser.PostAsync("/signin", values);
        await journey.Browser.OpenAsync(journey.Provider.Authorize(sent.Headers.Location!));

        Assert.NotEqual(local, journey.Gate.Events<UserAuthenticated>().Single().Subject);
    }

    [Fact]
    public async Task A_user_who_was_removed_here_does_not_come_back_by_the_provider()
    {
        await using var journey = await ProviderJourney.StartAsync();
        await journey.SignInAsync();
        await using (var scope = journey.Gate.Services.CreateAsyncScope())
        {
            var db = scope.ServiceProvider.GetRequiredService<SallyportDb>();
            db.Users.Remove(db.Users.Single());
            await db.SaveChangesAsync(TestContext.Current.CancellationToken);
        }

        var response = await journey.SignInAsync(new TestBrowser(journey.Gate));

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal(Reason.ProviderUserRemoved, journey.Gate.EventOf<UserRefused>(response).Reason);
        Assert.Single(journey.Gate.Events<UserAuthenticated>());
    }

    [Fact]
    public async Task A_removed_user_whom_the_operator_enables_is_the_same_subject_with_nothing_of_what_it_had()
    {
        await using var journey = await ProviderJourney.StartAsync();
        var before = new TestBrowser(journey.Gate);
        await journey.SignInAsync(before);
        await before.SubmitAsync(("decision", "allow"));
        var (users, cancellation) = (journey.Gate.Services.GetRequiredService<UserActs>(), TestContext.Current.CancellationToken);
        var subject = Assert.Single(await users.ListAsync(cancellation)).Subject;

        await users.RemoveAsync(subject, cancellation);
        Assert.Equal((subject, true), (Assert.Single(await users.ListAsync(cancellation)).Subject, Assert.Single(await users.ListAsync(cancellation)).IsRemoved));
        Assert.Equal(Reason.ProviderUserRemoved, journey.Gate.EventOf<UserRefused>(await journey.SignInAsync(new TestBrowser(journey.Gate))).Reason);
        Assert.Equal(subject, await users.EnableAsync(subject, cancellation));

        // The cookie of before is no sign-in, and the code of before is gone.
        Assert.Equal("/signin", (await before.OpenAsync(journey.Client.AuthorizeUrl())).RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal(Reason.RevokedByOperator, Assert.Single(journey.Gate.Events<TokenRevoked>()).Reason);
        journey.Gate.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("/consent", (await journey.SignInAsync(new TestBrowser(journey.Gate))).RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal(subject, journey.Gate.Events<UserAuthenticated>()[^1].Subject);
        Assert.Equal([OperatorAct.UserRemoved, OperatorAct.UserEnabled], journey.Gate.Events<OperatorActed>().Select(acted => acted.Act));
        Assert.False(Assert.Single(await users.ListAsync(cancellation)).IsRemoved);
    }

    [Theory]
    [InlineData("domains=corp.example")]
    [InlineData("domains=other.example,Corp.Example")]
    [InlineData("emails=ANN@corp.example")]
    [InlineData("groups=users,admins")]
    [InlineData("group-claim=roles groups=operators")]
    [InlineData("everyone")]
    public async Task Whoever_the_operator_named_is_admitted(string admitted)
    {
        await using var journey = await ProviderJourney.StartAsync(admitted);
        journey.Provider.Claims = claims =>
        {
            claims["groups"] = new System.Text.Json.Nodes.JsonArray("admins");
            claims["roles"] = "operators";
        };

        var response = await journey.SignInAsync();

        Assert.Equal("/consent", response.RequestMessage!.RequestUri!.AbsolutePath);
    }

    [Fact]
    public async Task An_address_in_user_info_counts_only_with_what_user_info_says_about_it()
    {
        await using var journey = await ProviderJourney.StartAsync("domains=corp.example");
        journey.Provider.Discovery = document => document["userinfo_endpoint"] = journey.Provider.Issuer + "/userinfo";
        journey.Provider.Claims = claims => claims.Remove("email");
        var verified = "false";
        journey.Provider.Instead["/userinfo"] = async context =>
        {
            context.Response.ContentType = "application/json";
            await Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(context.Response, $$"""{"sub":"user-1","email":"ann@corp.example","email_verified":{{verified}}}""");
        };

        // The id_token's email_verified is true, of an address that it does not name.
        var refused = await journey.SignInAsync();
        verified = "true";
        var admitted = await journey.SignInAsync();

        Assert.Equal(Reason.ProviderEmailUnverified, journey.Gate.EventOf<UserRefused>(refused).Reason);
        Assert.Equal("/consent", admitted.RequestMessage!.RequestUri!.AbsolutePath);
    }

    [Fact]
    public async Task What_the_provider_calls_its_user_is_text_and_nothing_else()
    {
        await using var journey = await ProviderJourney.StartAsync();
        journey.Provider.Claims = claims =>
        {
            claims.Remove("email");
            claims["name"] = "<img src=x onerror=alert(1)>\u202E" + new string('n', 10_000);
        };

        var page = await (await journey.SignInAsync()).TextAsync();

        Assert.Contains("&lt;img", page);
        Assert.DoesNotContain("<img", page);
        Assert.DoesNotContain("\u202E", page);
        Assert.DoesNotContain(new string('n', 100), page);
    }

    [Fact]
    public void Faults_of_providers_are_told_all_together()
    {
        var settings = new GateSettings
        {
            Providers =
            [
                "https://idp.example",
                "http://idp.example client everyone",
                "https://a.example client",
                "https://b.example client everyone domains=corp.example",
                "https://c.example client everyone secret-env=THERE_IS_NO_SUCH_VARIABLE",
                "https://d.example client everyone secret=in-clear",
                "https://e.example client domains=@corp.example",
                "https://f.example client emails=ann",
                "https://g.example client everyone name=A/B",
                "https://h.example client everyone",
                "https://h.example client everyone",
            ],
        };

        Assert.Null(GateConfiguration.From(settings, out var faults));

        Assert.Equal(11, faults.Count);
        Assert.All(faults, fault => Assert.Equal("providers", fault.Setting));
        Assert.All(faults, fault => Assert.NotEmpty(fault.Hint));
    }

    [Fact]
    public void A_provider_is_read_with_all_that_it_has()
    {
        var providers = GateConfiguration.From(new()
        {
            Providers = ["https://idp.example/ the-client name=corp domains=corp.example title=The corporation", "http://127.0.0.1:9000 other name=local everyone"],
        }, out _)!.Providers;

        Assert.Equal(["/oauth/callback", "/oauth/callback/local"], providers.Select(provider => provider.CallbackPath));
        Assert.Equal(["The corporation", "127.0.0.1:9000"], providers.Select(provider => provider.Title));
        Assert.Equal("https://idp.example/", providers[0].Issuer);
    }
}
