using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Data.Sqlite;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>Secrets never: whatever secret comes to the gate or from it, in its place or out of it, is in no sink afterwards.</summary>
public sealed class SecretsNeverTests : IAsyncLifetime
{
    private const string RedirectUrl = "http://localhost:8123/callback";
    private const string UserName = "owner";

    private readonly List<string> _answers = [];
    private Sinks _sinks = null!;

    private Canaries Canaries => _sinks.Canaries;

    public async ValueTask InitializeAsync() => _sinks = await Sinks.OpenAsync();

    public ValueTask DisposeAsync() => _sinks.DisposeAsync();

    [Fact]
    public async Task No_secret_that_comes_to_it_or_from_it_is_in_any_sink()
    {
        await using (var gate = await _sinks.StartGateAsync(Ports.Free()))
        {
            var client = await UseAsync(gate, _sinks.Data);
            await MisuseAsync(gate, client);
            await BreakAsync(gate, _sinks.Data, client);
            await _sinks.StopAsync(gate);
        }
        Assert.Contains("failed", _sinks.Words, StringComparison.Ordinal);
        Assert.True(Canaries.Count > 35);

        // The owner link is meant to lie in its file; it is dead once it was used.
        Assert.Empty(await _sinks.SearchAsync(RedirectUrl, (secret, path) => secret.StartsWith("owner link", StringComparison.Ordinal) && Path.GetFileName(path) == "owner-link"));

        // What a stranger is told of a fault: neither where it is nor of what it is made.
        Assert.All(_answers, answer => Assert.DoesNotMatch("(?i)   at |exception|\\.cs|sqlite|kestrel|asp\\.net|/tmp/|sallyport/0|0\\.1\\.0", answer));
    }

    /// <summary>Every secret where it belongs.</summary>
    private async Task<Client> UseAsync(GateProcess gate, DataFolder data)
    {
        // The owner, by the link; a user, from the shell.
        var password = Canaries.Plant("password");
        var link = (await File.ReadAllTextAsync(Path.Combine(data.Path, "owner-link"), TestContext.Current.CancellationToken)).Trim();
        Canaries.Note("owner link", link[(link.IndexOf('=') + 1)..]);
        using var browser = new Browser();
        using (var page = await browser.OpenAsync(link))
        using (var enrolled = await browser.FillInAsync(page, new() { ["username"] = UserName, ["password"] = password }))
            Assert.Equal(HttpStatusCode.OK, enrolled.StatusCode);
        foreach (var cookie in browser.Cookies)
            Canaries.Note($"owner's cookie {cookie.Name}", cookie.Value);
        await Executable.AddUserAsync(data, "added", Canaries.Plant("password at the shell"));

        var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ActivityHeadersPropagator = null }) { BaseAddress = new(gate.Origin) };
        var registration = await SendAsync(http, HttpMethod.Post, "/register", Json($$"""{"client_name":"App","redirect_uris":["{{RedirectUrl}}"],"token_endpoint_auth_method":"client_secret_post","software_id":"{{Canaries.Plant("unknown metadata")}}"}"""));
        var client = new Client(http, Text(registration, "client_id"), Canaries.Note("client secret", Text(registration, "client_secret")), password);

        // Wrong credentials, then right ones, with a state and a verifier.
        using var stranger = new Browser();
        using (var page = await SignInPageAsync(stranger, gate, AuthorizeUrl(gate, client, "x", "0")))
        using (var refused = await stranger.FillInAsync(page, new() { ["username"] = Canaries.Plant("password as user name"), ["password"] = Canaries.Plant("wrong password") }))
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        foreach (var cookie in stranger.Cookies)
            Canaries.Note($"stranger's cookie {cookie.Name}", cookie.Value);

        var verifier = Canaries.Note("verifier", "Verifier" + Convert.ToHexString(RandomNumberGenerator.GetBytes(24)));
        var code = await CodeAsync(gate, client, verifier, Canaries.Plant("state"), "code", cookies: true);
        var tokens = await TokenAsync(client, [("grant_type", "authorization_code"), ("code", code), ("code_verifier", verifier), ("redirect_uri", RedirectUrl)]);
        client.AccessToken = Canaries.Note("access token", Text(tokens, "access_token"));
        var refreshed = await TokenAsync(client, [("grant_type", "refresh_token"), ("refresh_token", Canaries.Note("refresh token", Text(tokens, "refresh_token")))]);
        Canaries.Note("second access token", Text(refreshed, "access_token"));
        client.RefreshToken = Canaries.Note("second refresh token", Text(refreshed, "refresh_token"));

        // A code that is redeemed with the wrong verifier, and one that is given up.
        var second = await CodeAsync(gate, client, verifier, "s", "code with the wrong verifier", cookies: false);
        await SendAsync(http, HttpMethod.Post, "/token", client.Form([("grant_type", "authorization_code"), ("code", second), ("code_verifier", Canaries.Note("wrong verifier", "Wrong" + Convert.ToHexString(RandomNumberGenerator.GetBytes(24)))), ("redirect_uri", RedirectUrl)]));
        await CodeAsync(gate, client, verifier, "s", "code that is not redeemed", cookies: false);

        // A tool call, with all that can stand around it.
        (string Name, string Value)[] headers =
        [
            ("Authorization", "Bearer " + client.AccessToken),
            ("Accept", "application/json, text/event-stream"),
            ("X-Api-Key", Canaries.Plant("X-Api-Key")),
            ("X-Forwarded-User", Canaries.Plant("X-Forwarded-User")),
            ("Cookie", "session=" + Canaries.Plant("foreign cookie")),
            ("Proxy-Authorization", "Basic " + Canaries.Plant("Proxy-Authorization")),
            ("traceparent", $"00-{Canaries.Note("trace id", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)))}-{Canaries.Note("parent id", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)))}-01"),
            ("tracestate", "vendor=" + Canaries.Plant("tracestate")),
            ("baggage", "user=" + Canaries.Plant("baggage")),
            ("Referer", "http://localhost/?code=" + Canaries.Plant("code in a Referer")),
            ("User-Agent", "agent/1"),
        ];
        using var opened = await RawAsync(http, HttpMethod.Post, "/mcp", Json(Initialize(Canaries.Plant("clientInfo"))), headers);
        Assert.Equal(HttpStatusCode.OK, opened.StatusCode);
        var session = ("Mcp-Session-Id", opened.Headers.GetValues("Mcp-Session-Id").Single());
        using var called = await RawAsync(http, HttpMethod.Post, "/mcp", Json($$$"""{"jsonrpc":"2.0","id":"{{{Canaries.Plant("message id")}}}","method":"tools/call","params":{"name":"echo","arguments":{"message":"{{{Canaries.Plant("tool argument")}}}"},"_meta":{"token":"{{{Canaries.Plant("_meta")}}}"} } }"""), [.. headers, session]);
        Assert.Equal(HttpStatusCode.OK, called.StatusCode);
        return client;
    }

    /// <summary>Secrets where they do not belong.</summary>
    private async Task MisuseAsync(GateProcess gate, Client client)
    {
        foreach (var scheme in (string[])["Basic", "Digest", "Negotiate", "DPoP", "bearer", "Token"])
        {
            using var refused = await RawAsync(client.Http, HttpMethod.Post, "/mcp", Json("{}"), [("Authorization", $"{scheme} {Canaries.Plant($"{scheme} credentials")}")]);
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        }
        var basic = Convert.ToBase64String(Encoding.ASCII.GetBytes($"{client.Id}:{Canaries.Plant("wrong client secret")}"));
        await SendAsync(client.Http, HttpMethod.Post, "/token", new FormUrlEncodedContent([new("grant_type", "refresh_token")]), ("Authorization", "Basic " + basic));
        var forged = Canaries.Note("forged token", client.AccessToken[..^8] + "AAAAAAAA");
        foreach (var path in (string[])[
            $"/mcp?access_token={client.AccessToken}", $"/mcp?access_token={Canaries.Plant("token in the query")}", $"/mcp/{client.AccessToken}",
            $"/{client.RefreshToken}/x", $"/enrol?token={Canaries.Plant("enrolment token")}", $"/consent?transaction={Canaries.Plant("transaction")}",
            $"/authorize?client_id={client.Id}&redirect_uri={RedirectUrl}&client_secret={client.Secret}&password={Canaries.Plant("password in the query")}",
            $"/authorize?client_id={Canaries.Plant("client id that is a secret")}&redirect_uri={RedirectUrl}?token={Canaries.Plant("token in a redirect URI")}",
            $"/.well-known/oauth-protected-resource/{client.Secret}", $"/token?client_secret={client.Secret}", $"/messages/?session_id={Canaries.Plant("session id")}"])
        {
            await SendAsync(client.Http, HttpMethod.Get, path, null, ("Authorization", "Bearer " + forged));
            await SendAsync(client.Http, HttpMethod.Post, path, Json("{}"), ("Origin", "https://" + Canaries.Plant("origin " + path)));
        }
        // The names of things, with the secrets of ours in them.
        await SendAsync(client.Http, HttpMethod.Post, "/mcp", Json($$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{client.RefreshToken}}}"} }"""), ("Authorization", "Bearer " + client.AccessToken));
        await SendAsync(client.Http, HttpMethod.Post, "/mcp", Json($$$"""{"jsonrpc":"2.0","id":1,"method":"{{{client.Secret}}}"}"""), ("Authorization", "Bearer " + client.AccessToken));
        await SendAsync(client.Http, HttpMethod.Post, "/revoke", client.Form([("token", Canaries.Plant("unknown token"))]));

        // What can't be parsed, and what isn't HTTP.
        foreach (var path in (string[])["/mcp", "/register", "/token", "/revoke", "/signin", "/consent", "/enrol"])
        {
            foreach (var type in (string[])["application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=b"])
                await SendAsync(client.Http, HttpMethod.Post, path, new StringContent($$"""{"password":"{{Canaries.Plant($"broken body {path} {type}")}}" %zz&""", Encoding.UTF8, MediaTypeHeaderValue.Parse(type)), ("Authorization", "Bearer " + client.AccessToken));
        }
        foreach (var request in (string[])[
            $"GET /{Canaries.Plant("broken request line")} HTTP/9.9\r\n\r\n",
            $"GET / HTTP/1.1\r\nHost: localhost:{gate.Port}\r\nAuthor\0ization: {Canaries.Plant("broken header")}\r\n\r\n",
            $"GET / HTTP/1.1\r\nHost: {Canaries.Plant("Host")}\r\nConnection: close\r\n\r\n",
            $"{client.AccessToken} / HTTP/1.1\r\nHost: localhost:{gate.Port}\r\nConnection: close\r\n\r\n",
            $"POST /token HTTP/1.1\r\nHost: localhost:{gate.Port}\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{Canaries.Plant("broken chunk")}\r\n\r\n",
            $"POST /token HTTP/1.1\r\nHost: localhost:{gate.Port}\r\nContent-Length: 900\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\ncode={Canaries.Plant("body that breaks off")}"])
        {
            using var connection = new TcpClient("localhost", gate.Port);
            var stream = connection.GetStream();
            await stream.WriteAsync(Encoding.Latin1.GetBytes(request), TestContext.Current.CancellationToken);
            connection.Client.Shutdown(SocketShutdown.Send);
            using var reader = new StreamReader(stream);
            try
            {
                _answers.Add(await reader.ReadToEndAsync(TestContext.Current.CancellationToken));
            }
            catch (IOException)
            {
                // Cut off, which is an answer too.
            }
        }
    }

    /// <summary>Faults of the gate's own, while it has secrets in its hands: a row of the database that can't be read.</summary>
    private async Task BreakAsync(GateProcess gate, DataFolder data, Client client)
    {
        await using (var connection = new SqliteConnection($"Data Source={Path.Combine(data.Path, "sallyport.db")};Pooling=False"))
        {
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = "UPDATE Clients SET RedirectUris = '{'";
            Assert.True(await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken) > 0);
        }
        var secret = Canaries.Plant("secret in a fault");
        using var fault = await RawAsync(client.Http, HttpMethod.Post, "/token", client.Form([("grant_type", "authorization_code"), ("code", secret), ("code_verifier", secret)]));
        Assert.Equal(HttpStatusCode.InternalServerError, fault.StatusCode);
        _answers.Add(await fault.Content.ReadAsStringAsync(TestContext.Current.CancellationToken) + fault.Headers);
        using var page = new Browser();
        using var shown = await page.OpenAsync(AuthorizeUrl(gate, client, secret, "0"));
        Assert.Equal(HttpStatusCode.InternalServerError, shown.StatusCode);
        _answers.Add(await shown.Content.ReadAsStringAsync(TestContext.Current.CancellationToken) + shown.Headers);
    }

    private async Task<string> CodeAsync(GateProcess gate, Client client, string verifier, string state, string name, bool cookies)
    {
        using var browser = new Browser();
        var target = await browser.AllowAsync(AuthorizeUrl(gate, client, state, verifier), RedirectUrl, UserName, client.Password);
        if (cookies)
        {
            foreach (var cookie in browser.Cookies)
                Canaries.Note($"user's cookie {cookie.Name}", cookie.Value);
        }
        return Canaries.Note(name, QueryHelpers.ParseQuery(target!.Query)["code"].Single()!);
    }

    private static string AuthorizeUrl(GateProcess gate, Client client, string state, string verifier) =>
        QueryHelpers.AddQueryString(gate.Origin + "/authorize", new Dictionary<string, string?>
        {
            ["response_type"] = "code",
            ["client_id"] = client.Id,
            ["redirect_uri"] = RedirectUrl,
            ["state"] = state,
            ["code_challenge"] = WebEncoders.Base64UrlEncode(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))),
            ["code_challenge_method"] = "S256",
        });

    private static async Task<HttpResponseMessage> SignInPageAsync(Browser browser, GateProcess gate, string authorizeUrl)
    {
        using var redirect = await browser.OpenAsync(authorizeUrl);
        return await browser.OpenAsync(gate.Origin + redirect.Headers.Location);
    }

    private static async Task<JsonElement> TokenAsync(Client client, (string, string)[] fields)
    {
        using var response = await RawAsync(client.Http, HttpMethod.Post, "/token", client.Form(fields));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
    }

    /// <summary>The answer's text is kept; what the gate is right to give its own client is not judged.</summary>
    private async Task<JsonElement> SendAsync(HttpClient http, HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var response = await RawAsync(http, method, path, content, headers);
        Assert.NotEqual(HttpStatusCode.InternalServerError, response.StatusCode);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        if (!response.IsSuccessStatusCode)
            _answers.Add(text + response.Headers);
        return response.Content.Headers.ContentType?.MediaType == "application/json" ? JsonDocument.Parse(text).RootElement : default;
    }

    private static Task<HttpResponseMessage> RawAsync(HttpClient http, HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        foreach (var (name, value) in headers)
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        return http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    private static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    private static string Initialize(string clientInfo) =>
        $$$"""{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"{{{clientInfo}}}","version":"1"} } }""";

    private sealed record Client(HttpClient Http, string Id, string Secret, string Password)
    {
        public string AccessToken { get; set; } = "";
        public string RefreshToken { get; set; } = "";

        public FormUrlEncodedContent Form((string Name, string Value)[] fields) =>
            new(fields.Append(("client_id", Id)).Append(("client_secret", Secret)).Select(field => KeyValuePair.Create(field.Item1, field.Item2)));
    }
}
