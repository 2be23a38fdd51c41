using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Tests.Authorization;

/// <summary>Registrations over time: PAINS R1 to R8 and ATTACKS REG, by their ids.</summary>
public class RegistrationLifeTests
{
    private static Task<HttpResponseMessage> RegisterAsync(TestGate gate, string json, HttpClient? http = null) =>
        (http ?? gate.Http).PostAsync("/register", new StringContent(json, Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken);

    private static string Metadata(string name = "A", string method = "none", params string[] redirects) => JsonSerializer.Serialize(new
    {
        client_name = name,
        token_endpoint_auth_method = method,
        redirect_uris = redirects.Length == 0 ? ["http://localhost:3000/cb"] : redirects,
    });

    private static async Task<string> IdAsync(HttpResponseMessage response) => (await response.JsonAsync()).GetProperty("client_id").GetString()!;

    [Fact]
    public async Task R1_the_same_metadata_of_a_public_client_is_the_same_client_whatever_its_port_on_loopback()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var first = await RegisterAsync(gate, Metadata());
        var again = await RegisterAsync(gate, Metadata(redirects: "http://localhost:4711/cb"));
        var other = await RegisterAsync(gate, Metadata(redirects: "http://localhost:4711/other"));

        Assert.Equal(await IdAsync(first), await IdAsync(again));
        Assert.NotEqual(await IdAsync(first), await IdAsync(other));
        Assert.Equal("""["http://localhost:4711/cb"]""", (await again.JsonAsync()).GetProperty("redirect_uris").GetRawText());
        Assert.False((await again.JsonAsync()).TryGetProperty("registration_access_token", out _));
        Assert.Equal([false, true, false], gate.Events<ClientRegistered>().Select(registered => registered.Repeated));
    }

    [Fact]
    public async Task R1_a_confidential_client_always_gets_its_own()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var first = await (await RegisterAsync(gate, Metadata(method: "client_secret_post"))).JsonAsync();
        var again = await (await RegisterAsync(gate, Metadata(method: "client_secret_post"))).JsonAsync();

        foreach (var member in new[] { "client_id", "client_secret", "registration_access_token", "registration_client_uri" })
            Assert.NotEqual(first.GetProperty(member).GetString(), again.GetProperty(member).GetString());
    }

    [Fact]
    public async Task R1_what_nobody_confirmed_expires_and_what_somebody_did_outlives_its_tokens()
    {
        await using var gate = await TestGate.StartAsync();
        var confirmed = await TestClient.RegisterAsync(gate);
        var tokens = await confirmed.TokensAsync();
        var unconfirmed = await IdAsync(await RegisterAsync(gate, Metadata()));
        await confirmed.RevokeAsync(tokens.RefreshToken!);

        gate.Time.Advance(TimeSpan.FromDays(1) + TimeSpan.FromSeconds(1));
        await gate.Services.GetRequiredService<UnconfirmedClients>().SweepAsync(TestContext.Current.CancellationToken);

        var removed = Assert.Single(gate.Events<ClientRemoved>());
        Assert.Equal((Reason.RegistrationExpired, unconfirmed), (removed.Reason, Assert.Single(removed.Clients)));
        // R5: it may come back with the id that it keeps.
        Assert.NotEmpty((await confirmed.TokensAsync()).AccessToken);
    }

    [Fact]
    public async Task R1_a_client_that_comes_again_has_another_day()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var id = await IdAsync(await RegisterAsync(gate, Metadata()));
        gate.Time.Advance(TimeSpan.FromHours(20));
        await RegisterAsync(gate, Metadata());

        gate.Time.Advance(TimeSpan.FromHours(20));
        await gate.Services.GetRequiredService<UnconfirmedClients>().SweepAsync(TestContext.Current.CancellationToken);

        Assert.Equal(id, await IdAsync(await RegisterAsync(gate, Metadata())));
    }

    [Fact]
    public async Task REG_15_a_flood_is_limited_by_source_with_Retry_After_and_two_events_and_others_are_not_in_its_way()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        for (var i = 0; i < 60; i++)
            Assert.Equal(HttpStatusCode.Created, (await RegisterAsync(gate, Metadata($"{i}"))).StatusCode);

        var refused = new List<HttpResponseMessage>();
        for (var i = 0; i < 20; i++)
            refused.Add(await RegisterAsync(gate, Metadata($"more {i}")));
        var another = await RegisterAsync(gate, Metadata("another"), gate.NewClient(from: "192.0.2.7"));
        gate.Time.Advance(TimeSpan.FromMinutes(1));
        await gate.Services.GetRequiredService<Sallyport.Server.Pipeline.LimitedRequests>().SweepAsync(all: true);
        // The gate's own sweep may have been first.
        await gate.EventAsync<RequestsLimited>(limited => limited.Count > 1);

        Assert.All(refused, response => Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode));
        Assert.Equal(1, refused[0].Headers.RetryAfter!.Delta!.Value.TotalSeconds);
        Assert.Equal(HttpStatusCode.Created, another.StatusCode);
        var events = gate.Events<RequestsLimited>();
        Assert.Equal([1L, 19L], events.Select(limited => limited.Count));
        Assert.All(events, limited => Assert.Equal((Reason.LimitSource, "/register"), (limited.Reason, limited.Path)));
        Assert.Equal(HttpStatusCode.Created, (await RegisterAsync(gate, Metadata("later"))).StatusCode);
    }

    [Fact]
    public async Task R2_a_flood_leaves_room_for_a_client_that_holds_a_live_grant()
    {
        await using var gate = await TestGate.StartAsync();
        var live = await TestClient.RegisterAsync(gate, name: "Live");
        await live.TokensAsync();
        HttpResponseMessage flood;
        var i = 0;
        do
            flood = await RegisterAsync(gate, Metadata($"{i++}"));
        while (flood.StatusCode == HttpStatusCode.Created);

        var again = await TestClient.RegisterAsync(gate, name: "Live");

        Assert.Equal(live.Id, again.Id);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await RegisterAsync(gate, Metadata("0"))).StatusCode);
    }

    [Fact]
    public async Task REG_15_the_number_of_rows_is_bounded_and_the_oldest_makes_room()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        await using (var db = await gate.Services.GetRequiredService<IDbContextFactory<SallyportDb>>().CreateDbContextAsync(TestContext.Current.CancellationToken))
        {
            db.Clients.AddRange(Enumerable.Range(0, Limits.UnconfirmedClients).Select(i => new Client
            {
                Id = $"client-{i}",
                AuthMethod = "none",
                RedirectUris = ["https://a.example/cb"],
                GrantTypes = ["authorization_code"],
                CreatedAt = gate.Time.GetUtcNow() - TimeSpan.FromMinutes(10) + TimeSpan.FromMilliseconds(i),
            }));
            await db.SaveChangesAsync(TestContext.Current.CancellationToken);
        }

        await RegisterAsync(gate, Metadata());

        var removed = Assert.Single(gate.Events<ClientRemoved>());
        Assert.Equal((Reason.RegistrationCrowdedOut, "client-0"), (removed.Reason, Assert.Single(removed.Clients)));
    }

    [Fact]
    public async Task REG_01_registration_can_be_switched_off()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => settings.Registration = false }, withUser: false);

        var response = await RegisterAsync(gate, Metadata());
        var metadata = await (await gate.Http.GetAsync("/.well-known/oauth-authorization-server", TestContext.Current.CancellationToken)).JsonAsync();

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal(Reason.RegistrationOff, gate.EventOf<ClientRefused>(response).Reason);
        Assert.False(metadata.TryGetProperty("registration_endpoint", out _));
    }

    [Theory]
    [InlineData("client_uri", "http://169.254.169.254/")]
    [InlineData("logo_uri", "http://10.0.0.1/logo.png")]
    [InlineData("policy_uri", "http://[fe80::1]/")]
    [InlineData("tos_uri", "javascript:alert(1)")]
    [InlineData("jwks_uri", "https://[::ffff:192.168.0.1]/jwks")]
    public async Task REG_12_an_internal_address_in_the_metadata_is_refused(string member, string uri)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await RegisterAsync(gate, $$"""{"redirect_uris":["https://a.example/cb"],"{{member}}":"{{uri}}"}""");

        Assert.Equal("invalid_client_metadata", await response.ErrorAsync());
        Assert.Equal(Reason.MetadataUriUnsuitable, gate.EventOf<ClientRefused>(response).Reason);
    }

    [Fact]
    public async Task REG_16_a_client_cannot_choose_its_id()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var id = await IdAsync(await RegisterAsync(gate, """{"redirect_uris":["https://a.example/cb"],"client_id":"https://victim.example/"}"""));

        Assert.Equal(22, id.Length);
        Assert.DoesNotContain(":", id);
    }

    [Theory]
    [InlineData("chatgpt", "https://chatgpt.com/connector_platform_oauth_redirect")]
    [InlineData("chatgpt", "https://chatgpt.com/connector/oauth/Ab-1_2")]
    [InlineData("claude", "https://claude.ai/api/mcp/auth_callback")]
    [InlineData("claude", "https://claude.com/api/mcp/auth_callback")]
    [InlineData("claude-code", "http://localhost:51234/callback")]
    [InlineData("vscode", "https://vscode.dev/redirect")]
    [InlineData("vscode", "https://insiders.vscode.dev/redirect")]
    [InlineData("vscode", "http://127.0.0.1:33418/")]
    [InlineData("cursor", "cursor://anysphere.cursor-mcp/oauth/callback")]
    [InlineData("cursor", "https://www.cursor.com/agents/mcp/oauth/callback")]
    [InlineData("cursor", "http://localhost:8787/callback")]
    [InlineData("inspector", "http://127.0.0.1:6276/oauth/callback")]
    [InlineData("mcp-remote", "http://localhost:3335/oauth/callback")]
    [InlineData("https://own.example/cb", "https://own.example/cb")]
    public async Task R8_a_gate_that_is_narrowed_to_a_known_client_admits_its_callbacks_and_no_other(string entry, string callback)
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => settings.Clients = [entry] }, withUser: false);

        var admitted = await RegisterAsync(gate, Metadata(redirects: [callback, "https://other.example/cb", "https://chatgpt.com/connector/oauth/a/../b", "https://chatgpt.com/connector/oauth/"]));
        var refused = await RegisterAsync(gate, Metadata(redirects: "https://other.example/cb"));

        Assert.Equal($"""["{callback}"]""", (await admitted.JsonAsync()).GetProperty("redirect_uris").GetRawText());
        Assert.Equal("invalid_redirect_uri", await refused.ErrorAsync());
    }

    [Fact]
    public async Task R8_a_gate_that_was_narrowed_refuses_callbacks_that_were_registered_before()
    {
        using var data = new TestData();
        TestClient client;
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
            client = await TestClient.RegisterAsync(gate);
        await using var narrowed = await TestGate.StartAsync(new() { Data = data.Root, Settings = settings => settings.Clients = ["claude"] }, withUser: false);

        var response = await narrowed.Http.GetAsync(client.AuthorizeUrl(), TestContext.Current.CancellationToken);

        Assert.Null(response.Headers.Location);
        Assert.Equal(Reason.RedirectNotAdmitted, narrowed.EventOf<AuthorizationRefused>(response).Reason);
    }

    [Fact]
    public async Task R7_a_scheme_without_a_dot_is_admitted_by_the_operator_and_no_scheme_that_a_browser_runs_ever_is()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => settings.RedirectSchemes = ["myeditor"] }, withUser: false);

        Assert.Equal(HttpStatusCode.Created, (await RegisterAsync(gate, Metadata(redirects: "myeditor:/cb"))).StatusCode);
        Assert.Null(GateConfiguration.From(new() { RedirectSchemes = ["javascript"] }, out var faults));
        Assert.Equal("redirect-schemes", Assert.Single(faults).Setting);
    }

    [Fact]
    public async Task REG_17_a_client_reads_changes_and_deletes_its_registration_and_no_other()
    {
        await using var gate = await TestGate.StartAsync();
        var own = await (await RegisterAsync(gate, Metadata(method: "client_secret_basic"))).JsonAsync();
        var other = await (await RegisterAsync(gate, Metadata(method: "client_secret_basic"))).JsonAsync();

        var read = await ManageAsync(gate, HttpMethod.Get, own, own);
        var foreign = await ManageAsync(gate, HttpMethod.Get, other, own);
        var after = await ManageAsync(gate, HttpMethod.Get, own, own);
        var without = await gate.Http.GetAsync($"/register/{other.GetProperty("client_id").GetString()}", TestContext.Current.CancellationToken);
        var deleted = await ManageAsync(gate, HttpMethod.Delete, other, other);
        var gone = await ManageAsync(gate, HttpMethod.Get, other, other);

        Assert.Equal(own.GetProperty("client_id").GetString(), await IdAsync(read));
        Assert.Equal(HttpStatusCode.Unauthorized, foreign.StatusCode);
        Assert.Equal(Reason.RegistrationTokenMisused, gate.EventOf<ClientRefused>(foreign).Reason);
        // What was presented for another's registration is good no more, for its own neither.
        Assert.Equal(Reason.RegistrationTokenInvalid, gate.EventOf<ClientRefused>(after).Reason);
        Assert.Equal(Reason.RegistrationTokenMissing, gate.EventOf<ClientRefused>(without).Reason);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, gone.StatusCode);
    }

    [Fact]
    public async Task REG_18_a_change_of_redirect_URIs_voids_consent_and_a_change_of_name_does_not()
    {
        await using var gate = await TestGate.StartAsync();
        var registration = await (await RegisterAsync(gate, Metadata(method: "client_secret_post", redirects: TestClient.RedirectUri))).JsonAsync();
        var client = TestClient.Of(gate, registration);
        var tokens = await client.TokensAsync();

        var renamed = await ManageAsync(gate, HttpMethod.Put, registration, registration, new { client_id = client.Id, client_name = "B", token_endpoint_auth_method = "client_secret_post", redirect_uris = new[] { TestClient.RedirectUri } });
        Assert.Equal(HttpStatusCode.OK, renamed.StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        var moved = await ManageAsync(gate, HttpMethod.Put, registration, registration, new { client_id = client.Id, token_endpoint_auth_method = "client_secret_post", redirect_uris = new[] { "https://moved.example/cb" } });

        Assert.Equal(["https://moved.example/cb"], gate.EventOf<ClientChanged>(moved).RedirectUris);
        Assert.Equal(Reason.ClientRedirectsChanged, Assert.Single(gate.Events<TokenRevoked>()).Reason);
        Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        Assert.Equal("invalid_grant", await (await client.RefreshAsync(tokens.RefreshToken!)).ErrorAsync());
    }

    private static Task<HttpResponseMessage> ManageAsync(TestGate gate, HttpMethod method, JsonElement of, JsonElement by, object? body = null)
    {
        var request = new HttpRequestMessage(method, new Uri(of.GetProperty("registration_client_uri").GetString()!).AbsolutePath);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", by.GetProperty("registration_access_token").GetString());
        if (body is not null)
            request.Content = JsonContent.Create(body);
        return gate.Http.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
