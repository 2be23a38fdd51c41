using Microsoft.EntityFrameworkCore;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Tests.Authorization;

/// <summary>RFC 7662: ATTACKS INT, by their ids.</summary>
public class IntrospectionTests
{
    private const string Secret = "sp_cs_of-a-resource-server";

    [Fact]
    public async Task A_resource_server_learns_what_a_good_token_says()
    {
        await using var gate = await TestGate.StartAsync();
        await AddClientAsync(gate, "server");
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        var response = await IntrospectAsync(gate, "server", tokens.AccessToken);

        var answer = await response.JsonAsync();
        Assert.True(answer.GetProperty("active").GetBoolean());
        Assert.Equal((client.Id, "mcp", TestGate.UserName, gate.Url + "/mcp", gate.Url),
            (answer.GetProperty("client_id").GetString(), answer.GetProperty("scope").GetString(), answer.GetProperty("username").GetString(), answer.GetProperty("aud").GetString(), answer.GetProperty("iss").GetString()));
        Assert.Equal(gate.Time.GetUtcNow().AddHours(1).ToUnixTimeSeconds(), answer.GetProperty("exp").GetInt64());
        Assert.True(gate.EventOf<TokenIntrospected>(response).Active);
        // INT-04
        Assert.True(response.Headers.CacheControl!.NoStore);
        Assert.True((await (await IntrospectAsync(gate, "server", tokens.RefreshToken!)).JsonAsync()).GetProperty("active").GetBoolean());
    }

    [Fact]
    public async Task INT_01_nobody_else_may_ask()
    {
        await using var gate = await TestGate.StartAsync();
        var open = await TestClient.RegisterAsync(gate);
        var confidential = await TestClient.RegisterAsync(gate, "client_secret_post");
        await AddClientAsync(gate, "server");
        var token = (await open.TokensAsync()).AccessToken;

        var without = await gate.PostFormAsync("/introspect", ("token", token));
        var wrong = await IntrospectAsync(gate, "server", token, "wrong");
        var @public = await gate.PostFormAsync("/introspect", ("client_id", open.Id), ("token", token));
        var registered = await gate.PostFormAsync("/introspect", ("client_id", confidential.Id), ("client_secret", confidential.Secret!), ("token", token));

        Assert.Equal([HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden],
            new[] { without, wrong, @public, registered }.Select(response => response.StatusCode));
        Assert.Equal(Reason.IntrospectionNotAdmitted, gate.EventOf<TokenRefused>(registered).Reason);
        Assert.Empty(gate.Events<TokenIntrospected>());
    }

    [Fact]
    public async Task INT_02_of_a_token_that_is_revoked_expired_unknown_or_anothers_nothing_is_told()
    {
        await using var gate = await TestGate.StartAsync();
        await AddClientAsync(gate, "server");
        await AddClientAsync(gate, "client", "https://own.example/cb");
        var client = await TestClient.RegisterAsync(gate);
        var revoked = await client.TokensAsync();
        await client.RevokeAsync(revoked.RefreshToken!);
        var good = await client.TokensAsync();

        var answers = new List<HttpResponseMessage>
        {
            await IntrospectAsync(gate, "server", revoked.AccessToken),
            await IntrospectAsync(gate, "server", revoked.RefreshToken!),
            await IntrospectAsync(gate, "server", "sp_rt_made-up"),
            await IntrospectAsync(gate, "client", good.AccessToken),
        };
        gate.Time.Advance(TimeSpan.FromHours(1));
        answers.Add(await IntrospectAsync(gate, "server", good.AccessToken));

        foreach (var answer in answers)
        {
            Assert.Equal("""{"active":false}""", await answer.TextAsync());
            Assert.Null(gate.EventOf<TokenIntrospected>(answer).Token);
        }
    }

    [Fact]
    public async Task INT_03_a_scan_of_tokens_is_limited()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        await AddClientAsync(gate, "server");
        for (var i = 0; i < Limits.UnknownTokensPerClient; i++)
            Assert.Equal(HttpStatusCode.OK, (await IntrospectAsync(gate, "server", $"sp_rt_{i}")).StatusCode);

        var limited = await IntrospectAsync(gate, "server", "sp_rt_another");

        Assert.Equal(HttpStatusCode.TooManyRequests, limited.StatusCode);
        Assert.Equal((Reason.LimitClient, "server"), (gate.EventOf<RequestsLimited>(limited).Reason, gate.EventOf<RequestsLimited>(limited).Client));
    }

    private static Task<HttpResponseMessage> IntrospectAsync(TestGate gate, string client, string token, string secret = Secret) =>
        gate.PostFormAsync("/introspect", ("client_id", client), ("client_secret", secret), ("token", token));

    private static async Task AddClientAsync(TestGate gate, string id, params string[] redirects)
    {
        await using var db = await gate.Services.GetRequiredService<IDbContextFactory<SallyportDb>>().CreateDbContextAsync(TestContext.Current.CancellationToken);
        db.Clients.Add(new()
        {
            Id = id,
            AuthMethod = "client_secret_basic",
            SecretHash = OpaqueSecret.Hash(Secret),
            RedirectUris = [.. redirects],
            GrantTypes = ["authorization_code"],
            CreatedAt = gate.Time.GetUtcNow(),
            AddedByOperator = true,
        });
        await db.SaveChangesAsync(TestContext.Current.CancellationToken);
    }
}
