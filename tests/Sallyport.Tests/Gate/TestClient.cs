using System.Buffers.Text;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sallyport.Tests.Gate;

internal sealed record Tokens(string AccessToken, string? RefreshToken);

/// <summary>An OAuth client that does each step by hand, so that a test can do one of them wrongly.</summary>
internal sealed class TestClient
{
    public const string RedirectUri = "https://client.example/callback";

    private readonly TestGate _gate;

    private TestClient(TestGate gate, string id, string? secret) => (_gate, Id, Secret) = (gate, id, secret);

    public string Id { get; }
    public string? Secret { get; }
    public string Verifier { get; } = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
    public string Challenge => Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(Verifier)));

    public static async Task<TestClient> RegisterAsync(TestGate gate, string authMethod = "none", string redirectUri = RedirectUri, string[]? grantTypes = null, string? name = null)
    {
        var response = await gate.Http.PostAsJsonAsync("/register", new
        {
            // The same public client has the same id.
            client_name = name ?? gate.NextClientName(),
            redirect_uris = new[] { redirectUri },
            token_endpoint_auth_method = authMethod,
            grant_types = grantTypes ?? ["authorization_code", "refresh_token"],
        }, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        return Of(gate, await response.JsonAsync());
    }

    /// <summary>The client that a registration was answered for.</summary>
    public static TestClient Of(TestGate gate, JsonElement registration) =>
        new(gate, registration.GetProperty("client_id").GetString()!, registration.TryGetProperty("client_secret", out var secret) ? secret.GetString() : null);

    /// <summary>An authorization address; a null value leaves a parameter out.</summary>
    public string AuthorizeUrl(params (string Name, string? Value)[] changes)
    {
        var parameters = new List<(string Name, string? Value)>
        {
            ("response_type", "code"),
            ("client_id", Id),
            ("redirect_uri", RedirectUri),
            ("state", "the state"),
            ("scope", "mcp"),
            ("code_challenge", Challenge),
            ("code_challenge_method", "S256"),
            ("resource", _gate.Url + "/mcp"),
        };
        foreach (var change in changes)
        {
            parameters.RemoveAll(parameter => parameter.Name == change.Name);
            parameters.Add(change);
        }
        return "/authorize?" + string.Join('&', parameters.Where(p => p.Value is not null).Select(p => $"{p.Name}={Uri.EscapeDataString(p.Value!)}"));
    }

    public async Task<string> CodeAsync(string user = TestGate.UserName, params (string Name, string? Value)[] changes)
    {
        var redirect = await new TestBrowser(_gate).AuthorizeAsync(AuthorizeUrl(changes), user);
        return redirect.Query("code") ?? throw new InvalidOperationException($"No code in {redirect}");
    }

    public Task<HttpResponseMessage> ExchangeAsync(string code, params (string Name, string? Value)[] changes) =>
        PostAsync("/token",
        [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", RedirectUri),
            ("code_verifier", Verifier),
        ], changes);

    public Task<HttpResponseMessage> RefreshAsync(string refreshToken, params (string Name, string? Value)[] changes) =>
        PostAsync("/token", [("grant_type", "refresh_token"), ("refresh_token", refreshToken)], changes);

    public Task<HttpResponseMessage> RevokeAsync(string token) => PostAsync("/revoke", [("token", token)], []);

    public async Task<Tokens> TokensAsync(string user = TestGate.UserName, params (string Name, string? Value)[] changes) =>
        await ReadAsync(await ExchangeAsync(await CodeAsync(user, changes)));

    public static async Task<Tokens> ReadAsync(HttpResponseMessage response)
    {
        var body = await response.JsonAsync();
        Assert.True(response.IsSuccessStatusCode, body.ToString());
        return new(body.GetProperty("access_token").GetString()!, body.TryGetProperty("refresh_token", out var refresh) ? refresh.GetString() : null);
    }

    /// <summary>Posts a form with this client's credentials in the body.</summary>
    private Task<HttpResponseMessage> PostAsync(string path, List<(string Name, string? Value)> fields, (string Name, string? Value)[] changes)
    {
        fields.Add(("client_id", Id));
        fields.Add(("client_secret", Secret));
        foreach (var change in changes)
        {
            fields.RemoveAll(field => field.Name == change.Name);
            fields.Add(change);
        }
        return _gate.PostFormAsync(path, [.. fields.Where(field => field.Value is not null).Select(field => (field.Name, field.Value!))]);
    }
}

/// <summary>Messages that tests send.</summary>
internal static class Messages
{
    public const string Initialize =
        """{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}""";

    public const string Initialized = """{"jsonrpc":"2.0","method":"notifications/initialized"}""";

    public static string Call(int id, string tool, object? arguments = null) =>
        new JsonObject
        {
            ["jsonrpc"] = "2.0",
            ["id"] = id,
            ["method"] = "tools/call",
            ["params"] = new JsonObject { ["name"] = tool, ["arguments"] = JsonNode.Parse(JsonSerializer.Serialize(arguments ?? new { })) },
        }.ToJsonString();
}
