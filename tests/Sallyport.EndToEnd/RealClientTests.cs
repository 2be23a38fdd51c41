using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>Real clients and servers from npm, each in a process of its own, and what the gate's log says of them afterwards.</summary>
public sealed class RealClientTests
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";
    private const string AccessTokenSeconds = "4";

    private static readonly ToolCall s_echo = new("echo", new { message = "Is anybody there?" });

    [Theory]
    [InlineData("none")]
    [InlineData("client_secret_post")]
    [InlineData("client_secret_basic")]
    public async Task A_client_of_the_TypeScript_SDK_gets_from_its_first_401_to_a_tools_answer_over_Streamable_HTTP(string authMethod)
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data, "--access-token-seconds", AccessTokenSeconds);
        await Executable.AddUserAsync(data, UserName, Password);

        var steps = await TypeScriptClient.PlayAsync(new()
        {
            Server = gate.Origin + "/mcp",
            Transport = "streamable-http",
            AuthMethod = authMethod,
            Username = UserName,
            Password = Password,
            Calls = [s_echo, new("whoami", new { }), new("recent_events", new { count = 5 })],
        });

        Assert.Equal(["echo", "whoami", "oauth_status", "recent_events"], steps.Single(step => step.Name == "listed").Tools);
        Assert.Equal(["Is anybody there?", "Is anybody there?"], Answers(steps, "echo"));
        Assert.Contains("\"user\":\"alice\"", Assert.Single(Answers(steps, "whoami")), StringComparison.Ordinal);
        Assert.Contains("\"type\":\"access.allowed\"", Assert.Single(Answers(steps, "recent_events")), StringComparison.Ordinal);
        await gate.StopAsync();
        AssertToldInFull(steps, await data.ReadLogAsync(), gate.Origin, "/mcp", "streamable-http", authMethod);
    }

    [Theory]
    [InlineData("streamable-http", "/mcp", "streamableHttp", "Streamable HTTP, 2025-11-25")]
    [InlineData("sse", "/sse", "streamableHttp", "Streamable HTTP, 2025-11-25")]
    [InlineData("streamable-http", "/mcp", "sse", "HTTP+SSE, 2025-11-25")]
    [InlineData("sse", "/sse", "sse", "HTTP+SSE, 2025-11-25")]
    public async Task A_client_of_the_TypeScript_SDK_gets_from_its_first_401_to_a_tools_answer_of_a_relayed_server(
        string transport, string path, string serverTransport, string found)
    {
        const string AuthMethod = "client_secret_post";
        using var data = new DataFolder();
        await using var server = await McpServerProcess.StartEverythingAsync(serverTransport);
        await using var gate = await GateProcess.StartAsync(data, "--access-token-seconds", AccessTokenSeconds, "--upstream", server.Url);
        await Executable.AddUserAsync(data, UserName, Password);

        var steps = await TypeScriptClient.PlayAsync(new()
        {
            Server = gate.Origin + path,
            Transport = transport,
            AuthMethod = AuthMethod,
            Username = UserName,
            Password = Password,
            Calls = [s_echo, new("get-sum", new { a = 2, b = 3 })],
        });

        Assert.Contains(found, gate.Error, StringComparison.Ordinal);
        Assert.Contains("trigger-long-running-operation", steps.Single(step => step.Name == "listed").Tools);
        Assert.Equal(["Echo: Is anybody there?", "Echo: Is anybody there?"], Answers(steps, "echo"));
        Assert.Equal("The sum of 2 and 3 is 5.", Assert.Single(Answers(steps, "get-sum")));
        await gate.StopAsync();
        AssertToldInFull(steps, await data.ReadLogAsync(), gate.Origin, path, transport, AuthMethod);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("client_secret_basic")]
    public async Task A_client_of_the_TypeScript_SDK_gets_from_its_first_401_to_a_tools_answer_over_SSE(string authMethod)
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data, "--access-token-seconds", AccessTokenSeconds);
        await Executable.AddUserAsync(data, UserName, Password);

        var steps = await TypeScriptClient.PlayAsync(new()
        {
            Server = gate.Origin + "/sse",
            Transport = "sse",
            AuthMethod = authMethod,
            Username = UserName,
            Password = Password,
            Calls = [s_echo, new("whoami", new { })],
        });

        Assert.Equal(["Is anybody there?", "Is anybody there?"], Answers(steps, "echo"));
        await gate.StopAsync();
        var log = await data.ReadLogAsync();
        AssertToldInFull(steps, log, gate.Origin, "/sse", "sse", authMethod);
        Assert.Equal([Reason.TokenExpired, Reason.TokenRevoked], log.All<SessionClosed>().Select(closed => closed.Reason));
        Assert.All(log.All<SessionOpened>(), opened => Assert.Matches("^[0-9a-f]{32}$", opened.Session));
    }

    [Fact]
    public async Task A_client_whose_user_says_no_is_told_so_and_gets_no_code()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        var subject = await Executable.AddUserAsync(data, UserName, Password);

        var steps = await TypeScriptClient.PlayAsync(new()
        {
            Server = gate.Origin + "/mcp",
            Transport = "streamable-http",
            AuthMethod = "none",
            Username = UserName,
            Password = Password,
            Decision = "deny",
        });

        Assert.Equal("access_denied", steps.Single(step => step.Name == "denied").Error);
        await gate.StopAsync();
        var log = await data.ReadLogAsync();
        var refused = log.Single<ConsentRefused>();
        Assert.Equal(subject, refused.Subject);
        Assert.Equal(log.Single<AuthorizationStarted>().Transaction, refused.Transaction);
        Assert.Empty(log.All<CodeIssued>());
    }

    private static IEnumerable<string?> Answers(IReadOnlyList<Step> steps, string tool) =>
        steps.Where(step => step.Name == "called" && step.Tool == tool).Select(step => step.Text);

    /// <summary>The client's life as it saw it, and as the log has it, are the same.</summary>
    private static void AssertToldInFull(IReadOnlyList<Step> steps, Recording log, string origin, string path, string transport, string authMethod)
    {
        AssertSeenByClient(steps, origin, path, authMethod);
        AssertStreamIsOpen(steps, path);
        AssertAnswersAreRecorded(steps, log);
        AssertAccessesJoin(log, AssertChain(log, origin, authMethod), transport);
        AssertRefusals(steps, log);
    }

    private static void AssertSeenByClient(IReadOnlyList<Step> steps, string origin, string path, string authMethod)
    {
        var challenge = steps[0];
        Assert.Equal(("http", 401), (challenge.Name, challenge.Status));
        Assert.Equal($"Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource{path}\", scope=\"mcp\"", challenge.Challenge);
        Assert.Equal(
            ["registered", "asked", "token", "connected", "listed", "expired", "refreshed", "revoked", "invalidated", "refused", "done"],
            steps.Select(step => step.Name).Where(name => name is not ("http" or "page" or "called")));

        var registered = steps.Single(step => step.Name == "registered");
        Assert.Equal((authMethod, authMethod != "none"), (registered.AuthMethod, registered.Secret));
        var asked = steps.Single(step => step.Name == "asked");
        Assert.Equal((origin + path, "mcp", "S256"), (asked.Resource, asked.Scope, asked.ChallengeMethod));
        Assert.Equal("mcp", steps.Single(step => step.Name == "token").Scope);
        Assert.Equal("invalid_grant", steps.Single(step => step.Path == "/token" && step.Status == 400).Error);
    }

    /// <summary>The stream for what the server says of itself answers when it is opened, not when there is something to say.</summary>
    private static void AssertStreamIsOpen(IReadOnlyList<Step> steps, string path) =>
        Assert.Single(steps.TakeWhile(step => step.Name != "expired"), step => step is { Name: "http", Method: "GET", Status: 200 } && step.Path == path);

    /// <summary>Whatever was answered names its event, and the event is of the answer's kind.</summary>
    private static void AssertAnswersAreRecorded(IReadOnlyList<Step> steps, Recording log)
    {
        var answers = steps.Where(step => step.Name is "http" or "page" && step.Path!.StartsWith("/.well-known/", StringComparison.Ordinal) is false).ToList();
        // Showing a page changes nothing and allows nothing.
        foreach (var answer in answers.Where(answer => answer is not { Method: "GET", Path: "/signin" or "/consent" }))
        {
            Assert.True(answer.Event is not null, $"An answer without an event: {answer}");
            var recorded = log.Find(answer.Event);
            var kind = (answer.Path, answer.Status) switch
            {
                ("/register", 201) => typeof(ClientRegistered),
                ("/authorize", 302) => typeof(AuthorizationStarted),
                ("/signin", 302) => typeof(UserAuthenticated),
                ("/consent", 302) => typeof(CodeIssued),
                ("/token", 200) => typeof(TokenIssued),
                ("/token", 400) => typeof(TokenRefused),
                ("/revoke", 200) => typeof(TokenRevoked),
                ("/mcp" or "/sse" or "/messages/", 200 or 202) => typeof(AccessAllowed),
                ("/mcp" or "/sse" or "/messages/", 401) => typeof(AccessRefused),
                _ => null,
            };
            Assert.True(recorded.GetType() == kind, $"{answer} has the event {recorded}");
        }
    }

    /// <summary>From the registration to the first token, each event names the one that it rests on.</summary>
    private static TokenIssued AssertChain(Recording log, string origin, string authMethod)
    {
        var registered = log.Single<ClientRegistered>();
        Assert.Equal(authMethod, registered.AuthMethod);
        var started = log.Single<AuthorizationStarted>();
        Assert.Equal((registered.Client, origin + "/mcp"), (started.Client, started.Audience));
        Assert.Contains(started.RedirectUri, registered.RedirectUris);
        var authenticated = log.Single<UserAuthenticated>();
        Assert.Equal((started.Transaction, "pwd"), (authenticated.Transaction, authenticated.Method));
        Assert.Equal(log.Single<OperatorActed>().Target, authenticated.Subject);
        var consent = log.Single<ConsentGiven>();
        Assert.Equal((started.Transaction, authenticated.Authentication), (consent.Transaction, consent.Authentication));
        Assert.Equal((started.Client, authenticated.Subject, started.Audience), (consent.Client, consent.Subject, consent.Audience));
        var code = log.Single<CodeIssued>();
        Assert.Equal((consent.Consent, consent.Client, consent.Subject), (code.Consent, code.Client, code.Subject));
        var token = log.Single<TokenIssued>(issued => issued.GrantType == "authorization_code");
        Assert.True(token.Pkce);
        Assert.Equal((code.Code, code.Grant, code.Client, code.Subject), (token.Parent, token.Grant, token.Client, token.Subject));
        Assert.Equal((consent.Audience, "mcp"), (token.Audience, Assert.Single(token.Scopes)));
        log.AssertInOrder(registered, started, authenticated, consent, code, token);
        return token;
    }

    /// <summary>Each access names a token that was issued before it, and one outcome after it names the access.</summary>
    private static void AssertAccessesJoin(Recording log, TokenIssued first, string transport)
    {
        var refreshed = log.Single<TokenIssued>(issued => issued.GrantType == "refresh_token");
        Assert.Equal((first.RefreshToken, first.Grant, false), (refreshed.Parent, refreshed.Grant, refreshed.Pkce));
        var revoked = log.Single<TokenRevoked>();
        Assert.Equal((Reason.RevokedByClient, first.Grant), (revoked.Reason, revoked.Grant));

        var accesses = log.All<AccessAllowed>().ToList();
        Assert.Equal([first.Token, refreshed.Token], accesses.Select(access => access.Token).Distinct());
        var outcomes = log.All<AccessOutcome>().ToList();
        Assert.Empty(outcomes.SelectMany(outcome => outcome.NotForwarded));
        foreach (var access in accesses)
        {
            var token = access.Token == first.Token ? first : refreshed;
            Assert.Equal((token.Client, token.Subject, token.Audience, transport), (access.Client, access.Subject, access.Audience, access.Transport));
            Assert.InRange(access.AsOf, log.NumberOf(token), log.NumberOf(access) - 1);
            var outcome = Assert.Single(outcomes, outcome => outcome.Forwarded.Contains(access.Id));
            log.AssertInOrder(token, access, outcome);
            log.AssertInOrder(access, revoked);
        }
        Assert.Equal(accesses.Count, outcomes.Sum(outcome => outcome.Forwarded.Count));
        Assert.Contains(accesses, access => access is { Method: "tools/list", HttpMethod: "POST" });
        Assert.Equal(2, accesses.Count(access => access is { Method: "tools/call", Name: "echo" }));
        var sessions = log.All<SessionOpened>().Select(session => session.Session).ToHashSet();
        Assert.All(accesses.Where(access => access.Method == "tools/call"), access => Assert.Contains(access.Session!, sessions));
    }

    private static void AssertRefusals(IReadOnlyList<Step> steps, Recording log)
    {
        var refusals = steps.Where(step => step is { Name: "http", Status: 401 }).Select(step => Assert.IsType<AccessRefused>(log.Find(step.Event!))).ToList();
        Assert.Equal(
            [Reason.TokenMissing, Reason.TokenExpired, Reason.TokenRevoked],
            refusals.Select(refusal => refusal.Reason).Distinct());
        Assert.All(refusals, refusal => Assert.Equal(401, refusal.Status));
        var revoked = log.Single<TokenRevoked>();
        var refused = log.Single<TokenRefused>();
        Assert.Equal((Reason.GrantRevoked, revoked.Grant), (refused.Reason, refused.Grant));
        log.AssertInOrder(revoked, refused);
    }
}
