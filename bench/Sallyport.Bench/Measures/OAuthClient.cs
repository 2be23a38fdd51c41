using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.WebUtilities;

namespace Sallyport.Bench.Measures;

internal sealed record Tokens(
    [property: JsonPropertyName("access_token")] string AccessToken,
    [property: JsonPropertyName("refresh_token")] string RefreshToken);

/// <summary>A public client with PKCE, and the browser of its user, who signs in and allows whatever is asked.</summary>
internal sealed class OAuthClient : IDisposable
{
    private const string RedirectUrl = "http://localhost:8123/callback";
    private const string Verifier = "a-verifier-that-is-long-enough-for-RFC-7636-section-4.1";
    private const int MostPages = 20;

    private readonly string _origin;
    private readonly string _clientId;
    private readonly string _authorizationPath;
    private readonly string _user;
    private readonly string _password;
    private readonly HttpClient _tokens = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false });
    private readonly CookieJar _cookies = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false });
    private readonly HttpClient _browser;
    private readonly bool _signsInAnew;

    /// <param name="signsInAnew">For each code. Needed where a user's new authorization ends the one before.</param>
    public OAuthClient(string origin, string clientId, string authorizationPath, string user, string password, bool signsInAnew)
    {
        (_origin, _clientId, _authorizationPath, _user, _password, _signsInAnew) = (origin, clientId, authorizationPath, user, password, signsInAnew);
        _browser = new(_cookies);
        _browser.DefaultRequestHeaders.Accept.ParseAdd("text/html");
    }

    /// <summary>Registers with a gate.</summary>
    public static async Task<OAuthClient> RegisterAsync(string origin, string user, string password)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        using var response = await client.PostAsJsonAsync(origin + "/register", new Dictionary<string, object>
        {
            ["client_name"] = "The bench",
            ["redirect_uris"] = new[] { RedirectUrl },
            ["token_endpoint_auth_method"] = "none",
        });
        if (response.StatusCode != HttpStatusCode.Created)
            throw new BenchFault($"The registration was answered {response.StatusCode}");
        var registration = await response.Content.ReadFromJsonAsync<JsonElement>();
        return new(origin, registration.GetProperty("client_id").GetString()!, "/authorize", user, password, signsInAnew: false);
    }

    /// <summary>A new authorization code.</summary>
    public async Task<string> AuthorizeAsync()
    {
        if (_signsInAnew)
            _cookies.Clear();
        var query = new QueryBuilder
        {
            { "response_type", "code" },
            { "client_id", _clientId },
            { "redirect_uri", RedirectUrl },
            { "code_challenge", WebEncoders.Base64UrlEncode(SHA256.HashData(Encoding.ASCII.GetBytes(Verifier))) },
            { "code_challenge_method", "S256" },
            { "scope", "mcp" },
        };
        var answer = await _browser.GetAsync($"{_origin}{_authorizationPath}{query}");
        for (var pages = 0; pages < MostPages; pages++)
        {
            using var page = answer;
            var at = page.RequestMessage!.RequestUri!;
            if (page.Headers.Location is { } location)
            {
                var target = new Uri(at, location);
                if (!target.AbsoluteUri.StartsWith(RedirectUrl, StringComparison.Ordinal))
                {
                    answer = await _browser.GetAsync(target);
                    continue;
                }
                return QueryHelpers.ParseQuery(target.Query).TryGetValue("code", out var code)
                    ? code.Single()!
                    : throw new BenchFault($"No code came: {target.Query}");
            }
            var html = await page.Content.ReadAsStringAsync();
            if (page.StatusCode != HttpStatusCode.OK)
                throw new BenchFault($"{at.AbsolutePath} was answered {page.StatusCode}: {html}");
            using var document = await new HtmlParser().ParseDocumentAsync(html);
            answer = await SubmitAsync(at, document.Forms.Single());
        }
        throw new BenchFault("The pages go round in circles");
    }

    public Task<Tokens> RedeemAsync(string code) => PostTokenAsync(new()
    {
        ["grant_type"] = "authorization_code",
        ["code"] = code,
        ["code_verifier"] = Verifier,
        ["redirect_uri"] = RedirectUrl,
        ["client_id"] = _clientId,
    });

    public Task<Tokens> RefreshAsync(string refreshToken) => PostTokenAsync(new()
    {
        ["grant_type"] = "refresh_token",
        ["refresh_token"] = refreshToken,
        ["client_id"] = _clientId,
    });

    public void Dispose()
    {
        _tokens.Dispose();
        _browser.Dispose();
    }

    private async Task<Tokens> PostTokenAsync(Dictionary<string, string> form)
    {
        using var content = new FormUrlEncodedContent(form);
        using var response = await _tokens.PostAsync(_origin + "/token", content);
        if (response.StatusCode != HttpStatusCode.OK)
            throw new BenchFault($"{form["grant_type"]} was answered {response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        return (await response.Content.ReadFromJsonAsync<Tokens>())!;
    }

    private Task<HttpResponseMessage> SubmitAsync(Uri page, IHtmlFormElement form)
    {
        var fields = form.Elements.OfType<IHtmlInputElement>().Where(input => input.Type != "checkbox").ToDictionary(input => input.Name!, input => input.Value);
        if (fields.ContainsKey("username"))
            (fields["username"], fields["password"]) = (_user, _password);
        else
            fields["decision"] = "allow";
        return _browser.SendAsync(new(HttpMethod.Post, new Uri(page, form.GetAttribute("action")))
        {
            Content = new FormUrlEncodedContent(fields),
            Headers = { { "Origin", page.GetLeftPart(UriPartial.Authority) } },
        });
    }
}
