using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Web;
using ModelContextProtocol.Authentication;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using static System.Net.HttpStatusCode;

namespace Sallyport.Demonstration;

/// <summary>
/// The session that the story began with, played by a real MCP client (the C# SDK's, with its own OAuth code) against the gate's public
/// address, then what the gate has to refuse. Every answer is checked.
/// </summary>
internal sealed class Story(string gate, Witness witness, Action<string> chapter)
{
    /// <summary>The recorded client's own address. Nobody there is contacted: the browser stops before it.</summary>
    private static readonly Uri s_redirectUri = new("https://chatgpt.com/connector_platform_oauth_redirect");

    private static readonly HttpMethod s_get = HttpMethod.Get;
    private static readonly HttpMethod s_post = HttpMethod.Post;

    private const string UserName = "owner";
    private const string Password = "a password for one minute";
    private const string Echoed = "through the gate and back";
    private const string InitializeBody =
        """{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"try","version":"1"}}}""";

    private TokenContainer? _tokens;
    private string? _clientId;
    private string? _clientSecret;

    /// <param name="ownerLink">Null where an identity provider vouches for the user.</param>
    /// <param name="cancellationToken">Ends the story.</param>
    public async Task PlayAsync(string? ownerLink, CancellationToken cancellationToken)
    {
        using var browser = new ScriptedBrowser(witness, gate, UserName, Password);
        if (ownerLink is not null)
            await EnrolAsync(ownerLink, cancellationToken);

        chapter("What ChatGPT once did at a protected server (*), step by step, by a real MCP client");
        await PlaySessionAsync(browser, byProvider: ownerLink is null, cancellationToken);

        chapter("What has to be refused");
        await PlayRefusalsAsync(cancellationToken);
        witness.EnsureAllSeen();
    }

    private async Task EnrolAsync(string ownerLink, CancellationToken cancellationToken)
    {
        chapter("The owner enrols by the one-time link");
        witness.Expect(
            new(s_get, "/enrol", OK, "the owner's link is opened"),
            new(s_post, "/enrol", OK, "the owner is enrolled"));
        using var ownersBrowser = new ScriptedBrowser(witness, gate, UserName, Password);
        await ownersBrowser.EnrolAsync(ownerLink, cancellationToken);
    }

    private async Task PlaySessionAsync(ScriptedBrowser browser, bool byProvider, CancellationToken cancellationToken)
    {
        witness.Expect(
            new(s_get, "/sse", Unauthorized, "no token yet: told where to get one"),
            new(s_get, "/.well-known/oauth-protected-resource/sse", OK, "which authorization server?"),
            new(s_get, "/.well-known/oauth-authorization-server", OK, "where are its endpoints?"),
            new(s_post, "/register", Created, "client registered", Recorded: true),
            new(s_get, "/authorize", Found, "authorization started", Recorded: true),
            new(s_get, "/signin", OK, "the sign-in page"),
            byProvider
                ? new(s_post, "/signin", Found, "to the identity provider, with a state of our own")
                : new(s_post, "/signin", Found, "the user signed in"));
        if (byProvider)
            witness.Expect(new Expectation(s_get, "/oauth/callback", Found, "back from the provider: the user signed in", Recorded: true));
        witness.Expect(
            new(s_get, "/consent", OK, "the consent page"),
            new(s_post, "/consent", Found, "the user allowed it; a code goes to the client"),
            new(s_post, "/token", OK, "code exchanged for tokens, PKCE verified", Recorded: true),
            new(s_get, "/sse", OK, "authenticated: the stream is open", Recorded: true),
            new(s_post, "/messages/", Accepted, "initialize", Recorded: true),
            new(s_post, "/messages/", Accepted, "initialized"));
        using var http = new HttpClient(witness, disposeHandler: false);
        await using var transport = new HttpClientTransport(new HttpClientTransportOptions
        {
            Endpoint = new(gate + "/sse"),
            TransportMode = HttpTransportMode.Sse,
            MaxReconnectionAttempts = 0,
            OAuth = new()
            {
                RedirectUri = s_redirectUri,
                TokenCache = new Cache(this),
                DynamicClientRegistration = new()
                {
                    ClientName = "The recorded client",
                    ResponseDelegate = (registration, _) =>
                    {
                        (_clientId, _clientSecret) = (registration.ClientId, registration.ClientSecret);
                        return Task.CompletedTask;
                    },
                },
                AuthorizationCallbackHandler = async (context, token) =>
                {
                    var answer = HttpUtility.ParseQueryString((await browser.AuthorizeAsync(context.AuthorizationUri, token)).Query);
                    return new AuthorizationResult { Code = answer["code"], State = answer["state"], Iss = answer["iss"] };
                },
            },
        }, http);
        await using var client = await McpClient.CreateAsync(transport, new McpClientOptions { ProtocolVersion = "2024-11-05" }, cancellationToken: cancellationToken);

        witness.Expect(new Expectation(s_post, "/messages/", Accepted, "ListToolsRequest", Recorded: true));
        var tools = await client.ListToolsAsync(cancellationToken: cancellationToken);
        Check(tools.Any(tool => tool.Name == "echo"), "the list of tools has echo in it");

        witness.Expect(new Expectation(s_post, "/messages/", Accepted, "CallToolRequest: echo", Recorded: true));
        var result = await client.CallToolAsync("echo", new Dictionary<string, object?> { ["message"] = Echoed }, cancellationToken: cancellationToken);
        Check(result.Content is [TextContentBlock { Text: Echoed }], "echo gives the message back");
    }

    private async Task PlayRefusalsAsync(CancellationToken cancellationToken)
    {
        var token = _tokens!.AccessToken;
        await RefusedAsync(new(s_get, "/sse", Unauthorized, "no token", Recorded: true), cancellationToken);
        await RefusedAsync(new(s_get, "/messages/", Unauthorized, "no token", Recorded: true), cancellationToken);
        await RefusedAsync(new(s_post, "/messages/", Unauthorized, "no token"), cancellationToken);
        await RefusedAsync(new(s_post, "/mcp", Unauthorized, "no token"), cancellationToken);
        await RefusedAsync(new(s_get, "/mcp", Unauthorized, "no token"), cancellationToken);
        await RefusedAsync(new(s_get, "/elsewhere", Unauthorized, "no token, and nothing there"), cancellationToken);
        await RefusedAsync(new(s_post, "/mcp", Unauthorized, "a made-up token"), cancellationToken, authorization: "Bearer made-up");
        await RefusedAsync(new(s_post, "/mcp", Unauthorized, "a token with one letter changed"), cancellationToken, authorization: "Bearer " + Changed(token));
        await RefusedAsync(new(s_post, "/mcp", Unauthorized, "a good token, but in the query"), cancellationToken, query: "?access_token=" + token);
        await RefusedAsync(new(s_post, "/mcp", Unauthorized, "a refresh token for an access token"), cancellationToken, authorization: "Bearer " + _tokens.RefreshToken);
        await RefusedAsync(new(s_post, "/mcp", Forbidden, "a page of another origin"), cancellationToken, authorization: "Bearer " + token, origin: "https://evil.example");
        await RefusedAsync(new(s_post, "/mcp", MisdirectedRequest, "another host name"), cancellationToken, authorization: "Bearer " + token, host: "evil.example");
        await RefusedAsync(new(s_post, "/messages/", NotFound, "a session of nobody"), cancellationToken, authorization: "Bearer " + token, query: "?session_id=0123456789abcdef0123456789abcdef");
        await RefusedAsync(new(s_get, "/authorize", BadRequest, "asks for the code at an address that nobody registered"), cancellationToken,
            query: $"?response_type=code&client_id={_clientId}&redirect_uri=https%3A%2F%2Fevil.example%2F&code_challenge={new string('a', 43)}&code_challenge_method=S256");

        chapter("The token is good until it is revoked, and not a moment longer");
        await SendAsync(new(s_post, "/mcp", OK, "the same token at the other transport"), cancellationToken, authorization: "Bearer " + token);
        witness.Expect(new Expectation(s_post, "/revoke", OK, "the client revokes its refresh token"));
        using (var http = new HttpClient(witness, disposeHandler: false))
        {
            using var revoked = await http.PostAsync(gate + "/revoke", new FormUrlEncodedContent(new Dictionary<string, string>
            {
                ["client_id"] = _clientId!,
                ["client_secret"] = _clientSecret!,
                ["token"] = _tokens.RefreshToken!,
            }), cancellationToken);
        }
        await RefusedAsync(new(s_post, "/mcp", Unauthorized, "the access token that came with it"), cancellationToken, authorization: "Bearer " + token);
    }

    /// <summary>A refusal names no tool; a 401 says where to learn how to get in.</summary>
    private async Task RefusedAsync(
        Expectation expectation, CancellationToken cancellationToken, string? authorization = null, string query = "", string? origin = null, string? host = null)
    {
        var (headers, body) = await SendAsync(expectation, cancellationToken, authorization, query, origin, host);
        Check(!body.Contains("echo", StringComparison.Ordinal), "a refusal names no tool");
        if (expectation.Status == Unauthorized)
        {
            Check(headers.WwwAuthenticate.Any(challenge => challenge.Scheme == "Bearer"
                && challenge.Parameter!.Contains($"resource_metadata=\"{gate}/.well-known/oauth-protected-resource", StringComparison.Ordinal)),
                "a 401 carries resource_metadata");
        }
    }

    private async Task<(HttpResponseHeaders Headers, string Body)> SendAsync(
        Expectation expectation, CancellationToken cancellationToken, string? authorization = null, string query = "", string? origin = null, string? host = null)
    {
        witness.Expect(expectation);
        using var http = new HttpClient(witness, disposeHandler: false);
        using var request = new HttpRequestMessage(expectation.Method, gate + expectation.Path + query);
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        if (origin is not null)
            request.Headers.Add("Origin", origin);
        request.Headers.Host = host;
        if (expectation.Method == s_post)
        {
            request.Headers.Accept.ParseAdd("application/json, text/event-stream");
            request.Content = new StringContent(InitializeBody, Encoding.UTF8, "application/json");
        }
        using var response = await http.SendAsync(request, cancellationToken);
        return (response.Headers, await response.Content.ReadAsStringAsync(cancellationToken));
    }

    private static string Changed(string token) => token[..^5] + (token[^5] == 'A' ? 'B' : 'A') + token[^4..];

    private static void Check(bool holds, string what)
    {
        if (!holds)
            throw new UnexpectedAnswerException($"It does not hold that {what}");
    }

    /// <summary>Where the client keeps its tokens, so that the story can go on with them.</summary>
    private sealed class Cache(Story story) : ITokenCache
    {
        public ValueTask StoreTokensAsync(TokenContainer tokens, CancellationToken cancellationToken)
        {
            story._tokens = tokens;
            return ValueTask.CompletedTask;
        }

        public ValueTask<TokenContainer?> GetTokensAsync(CancellationToken cancellationToken) => new(story._tokens);
    }
}
