using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.WebUtilities;

namespace Sallyport.EndToEnd.Support;

/// <summary>Tokens, as the gate gave them.</summary>
internal sealed record Tokens(
    [property: JsonPropertyName("access_token")] string AccessToken,
    [property: JsonPropertyName("refresh_token")] string RefreshToken);

/// <summary>A public client that speaks plain HTTP, for what no SDK would do.</summary>
internal sealed class GateClient : IDisposable
{
    private const string RedirectUrl = "http://localhost:8123/callback";
    private const string Verifier = "a-verifier-that-is-long-enough-for-RFC-7636-section-4.1";

    private const string McpPath = "/mcp";

    private static int s_clients;

    private readonly string _origin;
    private readonly string _redirectUrl;
    private readonly HttpClient _client;
    private readonly Browser _browser;

    private GateClient(string origin, string redirectUrl, ICollection<string>? answeredEvents)
    {
        (_origin, _redirectUrl) = (origin, redirectUrl);
        _client = new(new EventCollector(new SocketsHttpHandler(), answeredEvents)) { BaseAddress = new(origin) };
        _browser = new(answeredEvents);
    }

    public string Id { get; private set; } = "";

    /// <param name="origin">The gate's public URL.</param>
    /// <param name="answeredEvents">Gets the ids of the events that answers name.</param>
    public static async Task<GateClient> RegisterAsync(string origin, ICollection<string>? answeredEvents = null, string redirectUrl = RedirectUrl)
    {
        var client = new GateClient(origin, redirectUrl, answeredEvents);
        using var response = await client._client.PostAsJsonAsync("/register", new Dictionary<string, object>
        {
            ["client_name"] = $"The tests {Interlocked.Increment(ref s_clients)}",
            ["redirect_uris"] = new[] { redirectUrl },
            ["token_endpoint_auth_method"] = "none",
        }, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        var registration = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        client.Id = registration.GetProperty("client_id").GetString()!;
        return client;
    }

    /// <summary>Signs in and allows; null when the sign-in was refused.</summary>
    public async Task<string?> AuthorizeAsync(string userName, string password, bool remember = false)
    {
        var location = await _browser.AllowAsync(AuthorizationUrl(), _redirectUrl, userName, password, remember);
        return location is null ? null : QueryHelpers.ParseQuery(location.Query)["code"].Single()!;
    }

    /// <summary>Where a browser begins.</summary>
    /// <param name="resource">The path of the upstream that the tokens are to be for; without one, of the first.</param>
    public string AuthorizationUrl(string? resource = null)
    {
        var query = new QueryBuilder
        {
            { "response_type", "code" },
            { "client_id", Id },
            { "redirect_uri", _redirectUrl },
            { "code_challenge", WebEncoders.Base64UrlEncode(SHA256.HashData(Encoding.ASCII.GetBytes(Verifier))) },
            { "code_challenge_method", "S256" },
            { "scope", "mcp" },
        };
        if (resource is not null)
            query.Add("resource", _origin + resource);
        return $"{_origin}/authorize{query}";
    }

    /// <summary>From nothing to tokens.</summary>
    public async Task<Tokens> SignInAsync(string userName, string password)
    {
        using var response = await RedeemAsync((await AuthorizeAsync(userName, password))!);
        return await ReadTokensAsync(response);
    }

    public Task<HttpResponseMessage> RedeemAsync(string code) => PostTokenAsync(new()
    {
        ["grant_type"] = "authorization_code",
        ["code"] = code,
        ["code_verifier"] = Verifier,
        ["redirect_uri"] = _redirectUrl,
        ["client_id"] = Id,
    });

    public Task<HttpResponseMessage> RefreshAsync(string refreshToken) => PostTokenAsync(new()
    {
        ["grant_type"] = "refresh_token",
        ["refresh_token"] = refreshToken,
        ["client_id"] = Id,
    });

    public static async Task<Tokens> ReadTokensAsync(HttpResponseMessage response)
    {
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync<Tokens>(TestContext.Current.CancellationToken))!;
    }

    /// <summary>OAuth's error code in an answer.</summary>
    public static async Task<string?> ReadErrorAsync(HttpResponseMessage response) =>
        (await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("error").GetString();

    /// <summary>Opens a session of the built-in server, calls <c>echo</c> in it and closes it. Gives what came back.</summary>
    public async Task<string?> EchoAsync(string accessToken, string message)
    {
        var session = await OpenSessionAsync(accessToken);
        using var answered = await EchoAsync(accessToken, session, message);
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
        var answer = await answered.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        using var closed = await SendAsync(HttpMethod.Delete, accessToken, session);
        Assert.Equal(HttpStatusCode.NoContent, closed.StatusCode);
        return answer.GetProperty("result").GetProperty("content")[0].GetProperty("text").GetString();
    }

    /// <summary>Opens a session, and gives its id.</summary>
    public async Task<string> OpenSessionAsync(string accessToken)
    {
        using var opened = await PostMessageAsync(accessToken, null, """
            {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"tests","version":"1"}}}
            """);
        Assert.Equal(HttpStatusCode.OK, opened.StatusCode);
        return opened.Headers.GetValues("Mcp-Session-Id").Single();
    }

    /// <summary>Calls <c>echo</c> in a session, whosever it is.</summary>
    public Task<HttpResponseMessage> EchoAsync(string accessToken, string session, string message) => PostMessageAsync(accessToken, session,
        $$$"""{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"message":{{{JsonSerializer.Serialize(message)}}} } } }""");

    /// <summary>Whether the gate takes the token: a request that lacks its session is refused for that, not for its token.</summary>
    public async Task<bool> IsAcceptedAsync(string accessToken)
    {
        using var response = await SendAsync(HttpMethod.Delete, accessToken, session: null);
        if (response.StatusCode == HttpStatusCode.Unauthorized)
            return false;
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        return true;
    }

    /// <summary>Calls a tool; without a session, of an upstream that needs none.</summary>
    public Task<HttpResponseMessage> CallAsync(string accessToken, string tool, string path = McpPath, string? session = null) => PostMessageAsync(accessToken, session,
        $$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":{{{JsonSerializer.Serialize(tool)}}} } }""", path);

    /// <summary>Revokes an access token, or all that a refresh token belongs to.</summary>
    public Task<HttpResponseMessage> RevokeAsync(string token) =>
        PostFormAsync("/revoke", new() { ["token"] = token, ["client_id"] = Id });

    public void Dispose()
    {
        _client.Dispose();
        _browser.Dispose();
    }

    private Task<HttpResponseMessage> PostTokenAsync(Dictionary<string, string> form) => PostFormAsync("/token", form);

    private Task<HttpResponseMessage> PostFormAsync(string path, Dictionary<string, string> form) =>
        _client.PostAsync(path, new FormUrlEncodedContent(form), TestContext.Current.CancellationToken);

    private Task<HttpResponseMessage> PostMessageAsync(string accessToken, string? session, string message, string path = McpPath)
    {
        var content = new StringContent(message, Encoding.UTF8, "application/json");
        return SendAsync(HttpMethod.Post, accessToken, session, content, path);
    }

    private Task<HttpResponseMessage> SendAsync(HttpMethod method, string accessToken, string? session, HttpContent? content = null, string path = McpPath)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", accessToken);
        request.Headers.Accept.ParseAdd("application/json");
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (session is not null)
            request.Headers.Add("Mcp-Session-Id", session);
        return _client.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
