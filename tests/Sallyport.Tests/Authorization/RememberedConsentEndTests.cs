using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Sallyport.Server.Audit;
using Sallyport.Server.Operation;
using static Sallyport.Tests.Authorization.Remembering;

namespace Sallyport.Tests.Authorization;

/// <summary>What ends a consent that is remembered, and what does not.</summary>
public class RememberedConsentEndTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_ends_ninety_days_after_it_was_given_however_often_it_was_used()
    {
        await using var gate = await TestGate.StartAsync(new() { Logged = Microsoft.Extensions.Logging.LogLevel.Warning });
        var client = await TestClient.RegisterAsync(gate);
        await RememberAsync(gate, client);

        gate.Time.Advance(TimeSpan.FromDays(45));
        Assert.False(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl()));
        gate.Time.Advance(TimeSpan.FromDays(45) - TimeSpan.FromSeconds(1));
        Assert.False(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl()));
        gate.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl()));
    }

    [Theory]
    [InlineData("withdrawn at /account")]
    [InlineData("its grant revoked")]
    [InlineData("a grant that rests on it revoked")]
    [InlineData("an older grant revoked")]
    [InlineData("all of the user revoked")]
    [InlineData("all of the client revoked")]
    [InlineData("the user disabled")]
    [InlineData("a refresh token revoked by the client")]
    [InlineData("a code used again")]
    [InlineData("a refresh token used again")]
    public async Task Whatever_ends_a_grant_of_theirs_ends_it(string end)
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var (client, other) = (await TestClient.RegisterAsync(gate), await TestClient.RegisterAsync(gate));
        await client.TokensAsync();
        await client.ExchangeAsync(await RememberAsync(gate, client));
        // What others have is not touched by it.
        await RememberAsync(gate, other, "bob");
        var code = await client.CodeAsync();
        var tokens = await TestClient.ReadAsync(await client.ExchangeAsync(code));
        Assert.NotNull(gate.Events<ConsentGiven>()[^1].RestsOn);
        var revoked = gate.Events<TokenRevoked>().Count;

        await EndAsync(gate, client, end, code, tokens);

        Assert.InRange(gate.Events<TokenRevoked>().Count, revoked + 1, revoked + 3);
        Assert.True(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl()));
        Assert.False(await new TestBrowser(gate).IsAskedAsync(other.AuthorizeUrl(), "bob"));
    }

    /// <param name="code">That of the grant that rests on the one that is remembered; likewise <paramref name="tokens"/>.</param>
    private static async Task EndAsync(TestGate gate, TestClient client, string end, string code, Tokens tokens)
    {
        var grants = gate.Services.GetRequiredService<GrantActs>();
        // Before it, of it, and resting on it.
        var ofClient = gate.Events<CodeIssued>().Where(issued => issued.Client == client.Id).Select(issued => issued.Grant).ToList();
        Assert.Equal(3, ofClient.Count);
        switch (end)
        {
            case "withdrawn at /account":
                await WithdrawAsync(gate, client);
                break;
            case "its grant revoked":
                Assert.True(await grants.RevokeAsync(ofClient[1], Cancellation));
                break;
            case "a grant that rests on it revoked":
                Assert.True(await grants.RevokeAsync(ofClient[2], Cancellation));
                break;
            case "an older grant revoked":
                Assert.True(await grants.RevokeAsync(ofClient[0], Cancellation));
                break;
            case "all of the user revoked":
                Assert.Equal(3, (await grants.RevokeAllAsync(TestGate.UserName, null, Cancellation))!.Count);
                break;
            case "all of the client revoked":
                Assert.Equal(3, (await grants.RevokeAllAsync(null, client.Id, Cancellation))!.Count);
                break;
            case "the user disabled":
                await gate.Services.GetRequiredService<UserActs>().DisableAsync(TestGate.UserName, Cancellation);
                await gate.Services.GetRequiredService<UserActs>().EnableAsync(TestGate.UserName, Cancellation);
                gate.Time.Advance(TimeSpan.FromSeconds(1));
                break;
            case "a refresh token revoked by the client":
                await client.RevokeAsync(tokens.RefreshToken!);
                break;
            case "a code used again":
                Assert.False((await client.ExchangeAsync(code)).IsSuccessStatusCode);
                break;
            case "a refresh token used again":
                await client.RefreshAsync(tokens.RefreshToken!);
                gate.Time.Advance(TimeSpan.FromMinutes(1));
                Assert.False((await client.RefreshAsync(tokens.RefreshToken!)).IsSuccessStatusCode);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(end), end, null);
        }
    }

    [Theory]
    [InlineData("""{"client_name":"Another name","redirect_uris":["https://client.example/callback"]}""")]
    [InlineData("""{"client_name":"Its name","redirect_uris":["https://client.example/callback","https://client.example/more"]}""")]
    [InlineData("""{"client_name":"Its name","redirect_uris":["https://client.example/callback"]}""")]
    public async Task Any_change_of_the_registration_ends_it(string metadata)
    {
        await using var gate = await TestGate.StartAsync();
        var registration = await (await gate.Http.PostAsJsonAsync("/register", new { client_name = "Its name", redirect_uris = new[] { TestClient.RedirectUri }, token_endpoint_auth_method = "client_secret_post" }, Cancellation)).JsonAsync();
        var client = TestClient.Of(gate, registration);
        await RememberAsync(gate, client);
        Assert.False(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl()));

        var changed = new Dictionary<string, object>(JsonSerializer.Deserialize<Dictionary<string, object>>(metadata)!) { ["client_id"] = client.Id, ["token_endpoint_auth_method"] = "client_secret_post" };
        using var request = new HttpRequestMessage(HttpMethod.Put, "/register/" + client.Id) { Content = JsonContent.Create(changed) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", registration.GetProperty("registration_access_token").GetString());
        Assert.Equal(HttpStatusCode.OK, (await gate.Http.SendAsync(request, Cancellation)).StatusCode);

        Assert.True(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl()));
    }

    [Fact]
    public async Task A_client_that_was_removed_is_unknown_whatever_is_remembered()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        await RememberAsync(gate, client);

        await gate.Services.GetRequiredService<ClientActs>().RevokeAsync(client.Id, Cancellation);

        Assert.Equal(Reason.ClientUnknown, gate.EventOf<AuthorizationRefused>(await gate.Http.GetAsync(client.AuthorizeUrl(), Cancellation)).Reason);
    }

    [Fact]
    public async Task A_new_password_ends_sign_ins_and_not_what_is_remembered()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        await RememberAsync(gate, client);

        await gate.Services.GetRequiredService<UserActs>().SetPasswordAsync(TestGate.UserName, TestGate.Password, Cancellation);

        Assert.False(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl()));
    }

    [Fact]
    public async Task A_withdrawal_that_came_first_wins()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        await RememberAsync(gate, client);
        var browser = new TestBrowser(gate);
        await browser.IsAskedAsync("/account");

        await RaceAsync(gate, () => gate.Services.GetRequiredService<GrantActs>().RevokeAllAsync(TestGate.UserName, client.Id, Cancellation), () => browser.OpenAsync(client.AuthorizeUrl()));

        Assert.Equal(HttpStatusCode.OK, browser.Response.StatusCode);
        Assert.Single(gate.Events<CodeIssued>());
    }

    [Fact]
    public async Task Nothing_is_remembered_of_a_user_who_was_disabled_meanwhile()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        Assert.True(await browser.IsAskedAsync(client.AuthorizeUrl()));

        await RaceAsync(gate, () => gate.Services.GetRequiredService<UserActs>().DisableAsync(TestGate.UserName, Cancellation), () => browser.SubmitAsync(("decision", "allow"), ("remember", "yes")));
        Assert.Empty(gate.Events<ConsentGiven>());
        await gate.Services.GetRequiredService<UserActs>().EnableAsync(TestGate.UserName, Cancellation);
        gate.Time.Advance(TimeSpan.FromSeconds(1));

        Assert.True(await new TestBrowser(gate).IsAskedAsync(client.AuthorizeUrl()));
    }

    /// <summary>Two who wait for the same turn: the first to make its change is the first one here.</summary>
    private static async Task RaceAsync(TestGate gate, Func<Task> first, Func<Task> second)
    {
        Task both;
        using (await gate.Services.GetRequiredService<AuditLog>().TakeStateTurnAsync(Cancellation))
        {
            both = Task.WhenAll(first(), second());
            // As long as others take for more than that, the second is at its turn, too.
            for (var i = 0; i < 50; i++)
                await gate.Http.GetAsync("/", Cancellation);
        }
        await both;
    }
}
