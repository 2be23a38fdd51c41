using Microsoft.EntityFrameworkCore;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Tests.Gateway;

public class GuardTests
{
    [Theory]
    [InlineData("Bearer garbage", Reason.TokenMalformed)]
    [InlineData("Bearer a.b.c", Reason.TokenMalformed)]
    [InlineData("Bearer", Reason.TokenMalformed)]
    [InlineData("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", Reason.TokenMalformed)]
    [InlineData("Bearer sp_at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Reason.TokenForged)]
    [InlineData("Bearer sp_at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!", Reason.TokenMalformed)]
    [InlineData("Bearer sp_at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA A", Reason.TokenMalformed)]
    [InlineData("Basic YTpi", Reason.TokenMalformed)]
    [InlineData("DPoP sp_at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Reason.TokenMalformed)]
    public async Task A_token_that_is_none_is_refused_by_its_form_alone(string authorization, Reason reason)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var request = gate.McpRequest(null, Messages.Initialize);
        request.Headers.TryAddWithoutValidation("Authorization", authorization);

        var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Contains("error=\"invalid_token\"", response.Headers.WwwAuthenticate.ToString());
        Assert.Equal(reason, gate.EventOf<AccessRefused>(response).Reason);
    }

    [Fact]
    public async Task A_token_of_our_making_that_was_never_issued_is_unknown()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await gate.PostMcpAsync(gate.Services.GetRequiredService<AccessTokenFormat>().New(out _), Messages.Initialize);

        Assert.Equal(Reason.TokenUnknown, gate.EventOf<AccessRefused>(response).Reason);
    }

    [Fact]
    public async Task Other_secrets_of_ours_are_no_access_tokens()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, "client_secret_post");
        var code = await client.CodeAsync();
        var tokens = await client.TokensAsync();

        foreach (var secret in new[] { code, tokens.RefreshToken!, client.Secret!, client.Id })
            Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(secret, Messages.Initialize)).StatusCode);
    }

    [Fact]
    public async Task The_scheme_may_be_written_in_any_case()
    {
        await using var gate = await TestGate.StartAsync();
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        foreach (var scheme in new[] { "bearer", "BEARER" })
        {
            var request = gate.McpRequest(null, Messages.Initialize);
            request.Headers.TryAddWithoutValidation("Authorization", $"{scheme} {tokens.AccessToken}");
            Assert.Equal(HttpStatusCode.OK, (await gate.Http.SendAsync(request, TestContext.Current.CancellationToken)).StatusCode);
        }
    }

    [Fact]
    public async Task A_token_in_the_query_is_refused_and_not_logged()
    {
        await using var gate = await TestGate.StartAsync();
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var alone = await gate.PostMcpAsync(null, Messages.Initialize, $"/mcp?access_token={tokens.AccessToken}");
        var beside = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize, $"/mcp?access_token={tokens.AccessToken}");

        foreach (var response in new[] { alone, beside })
        {
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.DoesNotContain("error=", response.Headers.WwwAuthenticate.ToString());
            Assert.Equal(("/mcp", Reason.TokenInQuery), (gate.EventOf<AccessRefused>(response).Path, gate.EventOf<AccessRefused>(response).Reason));
        }
        Assert.DoesNotContain(gate.Log.Lines, line => line.Contains(tokens.AccessToken, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_is_good_until_the_second_it_expires()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.AccessTokenSeconds = 60 });
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        gate.Time.Advance(TimeSpan.FromSeconds(59));
        var before = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        gate.Time.Advance(TimeSpan.FromSeconds(1));
        var after = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);

        Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        Assert.Equal(Reason.TokenExpired, gate.EventOf<AccessRefused>(after).Reason);
    }

    [Fact]
    public async Task A_token_for_another_audience_is_refused_and_names_its_owner_in_the_log()
    {
        using var data = new TestData();
        string token;
        await using (var elsewhere = await TestGate.StartAsync(new() { Data = data.Root, Settings = s => s.PublicUrl = "http://127.0.0.1:5000" }))
            token = (await (await TestClient.RegisterAsync(elsewhere)).TokensAsync()).AccessToken;
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);

        var response = await gate.PostMcpAsync(token, Messages.Initialize);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        var refused = gate.EventOf<AccessRefused>(response);
        Assert.Equal(Reason.TokenWrongAudience, refused.Reason);
        Assert.NotNull(refused.Subject);
    }

    [Theory]
    [InlineData("GET", "/nowhere", 404, Reason.RouteUnknown)]
    [InlineData("PUT", "/mcp", 405, Reason.MethodNotAllowed)]
    [InlineData("POST", "/sse", 405, Reason.MethodNotAllowed)]
    [InlineData("GET", "/messages/", 405, Reason.MethodNotAllowed)]
    [InlineData("TRACE", "/mcp", 405, Reason.MethodNotAllowed)]
    public async Task What_is_not_there_is_only_told_to_whom_has_a_token(string method, string path, int status, Reason reason)
    {
        await using var gate = await TestGate.StartAsync();
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        HttpRequestMessage With(string? token)
        {
            var request = new HttpRequestMessage(new(method), path);
            request.Headers.Authorization = token is null ? null : new("Bearer", token);
            return request;
        }

        var stranger = await gate.Http.SendAsync(With(null), TestContext.Current.CancellationToken);
        var caller = await gate.Http.SendAsync(With(tokens.AccessToken), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Unauthorized, stranger.StatusCode);
        Assert.Equal(status, (int)caller.StatusCode);
        Assert.Equal(status == 405, caller.Content.Headers.Allow.Count > 0);
        Assert.Equal(reason, gate.EventOf<AccessRefused>(caller).Reason);
        Assert.NotNull(gate.EventOf<AccessRefused>(caller).Token);
    }

    [Theory]
    [InlineData("/mcp/../healthz")]
    [InlineData("/healthz/../mcp")]
    [InlineData("/./mcp")]
    [InlineData("//mcp")]
    [InlineData("/mcp//")]
    [InlineData("/%6dcp")]
    [InlineData("/mcp%2f")]
    [InlineData("/mcp%2F..%2fhealthz")]
    [InlineData("/healthz%252f")]
    [InlineData("/healthz/..;/mcp")]
    [InlineData("/healthz\\..\\mcp")]
    [InlineData("/healthz%5c")]
    [InlineData("/healthz%00")]
    [InlineData("/healthz%")]
    [InlineData("/healthz%2e%2e")]
    [InlineData("http://localhost:5000/healthz")]
    [InlineData("*")]
    public async Task A_target_that_some_reader_could_take_for_another_is_refused(string target)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var answer = await gate.SendRawAsync($"{(target == "*" ? "OPTIONS" : "GET")} {target} HTTP/1.1\r\nHost: localhost:5000\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 400", answer);
    }

    [Theory]
    [InlineData("chunked, chunked")]
    [InlineData("gzip, chunked")]
    [InlineData("identity, chunked")]
    [InlineData("chunked\r\nContent-Length: 2")]
    public async Task A_body_whose_end_readers_could_see_elsewhere_is_refused_and_the_connection_ended(string transferEncoding)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var answer = await gate.SendRawAsync($"POST /mcp HTTP/1.1\r\nHost: localhost:5000\r\nTransfer-Encoding: {transferEncoding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 400", answer);
    }

    [Theory]
    [InlineData("localhost:5000", true)]
    [InlineData("127.0.0.1:5000", true)]
    [InlineData("[::1]:5000", true)]
    [InlineData("LOCALHOST:5000", true)]
    [InlineData("extra.example:5000", true)]
    [InlineData("evil.example", false)]
    [InlineData("localhost", false)]
    [InlineData("localhost:5001", false)]
    [InlineData("localhost.evil.example:5000", false)]
    [InlineData("localhost:5000@evil.example", false)]
    [InlineData("127.0.0.2:5000", false)]
    public async Task A_host_that_is_not_ours_is_refused_before_anything_else(string host, bool admitted)
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Hosts = ["extra.example:5000"] }, withUser: false);

        var answer = await gate.SendRawAsync($"GET /mcp HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: localhost:5000\r\nForwarded: host=localhost:5000\r\nConnection: close\r\n\r\n");

        Assert.DoesNotContain("evil", answer);
        if (admitted)
        {
            Assert.StartsWith("HTTP/1.1 401", answer);
            return;
        }
        Assert.Matches("^HTTP/1.1 4(00|21)", answer);
        if (answer.StartsWith("HTTP/1.1 421", StringComparison.Ordinal))
        {
            Assert.Contains("Location: http://localhost:5000", answer);
            Assert.Equal(Reason.HostUnknown, gate.Events<AccessRefused>().Single().Reason);
        }
    }

    [Theory]
    [InlineData("https://evil.example", false)]
    [InlineData("null", false)]
    [InlineData("http://localhost.evil.example", false)]
    [InlineData("not an origin", false)]
    [InlineData("http://localhost:5000", true)]
    [InlineData("http://localhost:6274", true)]
    [InlineData("http://127.0.0.1:9999", true)]
    [InlineData("https://chat.example", true)]
    [InlineData("https://chat.example:444", false)]
    public async Task A_page_of_an_origin_that_was_not_admitted_gets_nothing_whatever_its_token(string origin, bool admitted)
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Origins = ["https://chat.example"] });
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        var request = gate.McpRequest(tokens.AccessToken, Messages.Initialize);
        request.Headers.TryAddWithoutValidation("Origin", origin);

        var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(admitted ? HttpStatusCode.OK : HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal(admitted, response.Headers.TryGetValues("Access-Control-Allow-Origin", out var allowed) && allowed.Single() == origin);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Credentials"));
    }

    [Fact]
    public async Task Beside_a_public_URL_that_is_not_loopback_loopback_pages_are_foreign()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => (s.Urls, s.PublicUrl) = ("http://localhost:5000", "https://mcp.example") }, withUser: false);

        var response = await gate.Http.SendAsync(new(HttpMethod.Get, "/mcp") { Headers = { { "Origin", "http://localhost:6274" } } }, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
    }

    [Theory]
    [InlineData("/mcp", "http://localhost:6274", "http://localhost:6274")]
    [InlineData("/token", "https://any.example", "*")]
    [InlineData("/register", "https://any.example", "*")]
    [InlineData("/.well-known/oauth-protected-resource/mcp", "https://any.example", "*")]
    public async Task A_browsers_preflight_is_answered_by_the_gate(string path, string origin, string allowed)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var request = new HttpRequestMessage(HttpMethod.Options, path)
        {
            Headers = { { "Origin", origin }, { "Access-Control-Request-Method", "POST" }, { "Access-Control-Request-Headers", "authorization, mcp-protocol-version" } },
        };

        var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal(allowed, response.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.Equal("authorization, mcp-protocol-version", response.Headers.GetValues("Access-Control-Allow-Headers").Single());
        Assert.Empty(gate.Events<AccessAllowed>());
    }

    [Theory]
    [InlineData("/authorize")]
    [InlineData("/signin")]
    [InlineData("/consent")]
    public async Task No_page_can_be_read_across_origins(string path)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var request = new HttpRequestMessage(HttpMethod.Options, path) { Headers = { { "Origin", "http://localhost:6274" }, { "Access-Control-Request-Method", "POST" } } };

        var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task A_refusal_can_be_read_by_an_admitted_page()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await gate.Http.SendAsync(new(HttpMethod.Post, "/mcp") { Headers = { { "Origin", "http://localhost:6274" } } }, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal("http://localhost:6274", response.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.Contains("WWW-Authenticate", response.Headers.GetValues("Access-Control-Expose-Headers").Single());
    }

    [Theory]
    [InlineData("X-Original-URL", "/healthz")]
    [InlineData("X-Rewrite-URL", "/healthz")]
    [InlineData("X-Forwarded-Uri", "/healthz")]
    [InlineData("X-HTTP-Method-Override", "OPTIONS")]
    [InlineData("User-Agent", "kube-probe/1.30")]
    public async Task No_header_leads_around_the_guard(string name, string value)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var request = new HttpRequestMessage(HttpMethod.Post, "/mcp");
        request.Headers.TryAddWithoutValidation(name, value);

        Assert.Equal(HttpStatusCode.Unauthorized, (await gate.Http.SendAsync(request, TestContext.Current.CancellationToken)).StatusCode);
    }

    [Fact]
    public async Task RS_08_an_audience_is_the_very_text_or_another_one()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var databases = gate.Services.GetRequiredService<IDbContextFactory<SallyportDb>>();

        foreach (var audience in new[] { "/mc", "/mcp2", "/mcp/", "/MCP", "/mcp ", "/mcp\0", "/sse", "/", "" }.Select(path => gate.Url + path)
            .Concat(["http://LOCALHOST:5000/mcp", "http://localhost/mcp", "http://localhost:50000/mcp", "https://localhost:5000/mcp", "http://127.0.0.1:5000/mcp", "/mcp", ""]))
        {
            var token = (await client.TokensAsync()).AccessToken;
            await using (var db = await databases.CreateDbContextAsync(TestContext.Current.CancellationToken))
                await db.Grants.ExecuteUpdateAsync(set => set.SetProperty(grant => grant.Audience, audience), TestContext.Current.CancellationToken);

            var response = await gate.PostMcpAsync(token, Messages.Initialize);

            Assert.True(response.StatusCode == HttpStatusCode.Unauthorized, audience);
            Assert.Equal(Reason.TokenWrongAudience, gate.EventOf<AccessRefused>(response).Reason);
        }
    }

    /// <summary>Counts how often somebody wants to look into the stored state.</summary>
    private sealed class CountedDatabases(IDbContextFactory<SallyportDb> databases) : IDbContextFactory<SallyportDb>
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public SallyportDb CreateDbContext()
        {
            Interlocked.Increment(ref _count);
            return databases.CreateDbContext();
        }
    }

    [Fact]
    public async Task RS_26_a_guess_is_refused_before_anything_is_looked_up_whether_its_id_is_one_or_not()
    {
        await using var gate = await TestGate.StartAsync(new()
        {
            Services = services =>
            {
                var factory = services.Last(service => service.ServiceType == typeof(IDbContextFactory<SallyportDb>)).ImplementationFactory!;
                services.AddSingleton<IDbContextFactory<SallyportDb>>(provider => new CountedDatabases((IDbContextFactory<SallyportDb>)factory(provider)));
            },
        });
        var databases = (CountedDatabases)gate.Services.GetRequiredService<IDbContextFactory<SallyportDb>>();
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        static string Altered(string text, int at) => text[..at] + (text[at] == 'A' ? 'B' : 'A') + text[(at + 1)..];
        var before = databases.Count;

        var known = await gate.PostMcpAsync(Altered(token, token.Length - 1), Messages.Initialize);
        var unknown = await gate.PostMcpAsync(Altered(token, AccessTokenFormat.Prefix.Length + 10), Messages.Initialize);

        Assert.Equal(before, databases.Count);
        foreach (var guess in new[] { known, unknown })
        {
            Assert.Equal(HttpStatusCode.Unauthorized, guess.StatusCode);
            Assert.Equal(Reason.TokenForged, gate.EventOf<AccessRefused>(guess).Reason);
        }
        Assert.Equal(known.Headers.WwwAuthenticate.ToString(), unknown.Headers.WwwAuthenticate.ToString());
        Assert.Equal(await known.TextAsync(), await unknown.TextAsync());
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(token, Messages.Initialize)).StatusCode);
        Assert.True(databases.Count > before);
    }

    [Theory]
    [InlineData("100-continue")]
    [InlineData("nonsense")]
    public async Task PATH_15_who_waits_to_be_asked_for_a_body_is_asked_once_the_token_is_good(string expectation)
    {
        await using var gate = await TestGate.StartAsync();
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        Task<string> SendAsync(string authorization) => gate.SendRawAsync(
            $"POST /mcp HTTP/1.1\r\nHost: localhost:5000\r\nConnection: close\r\n{authorization}Expect: {expectation}\r\nContent-Type: application/json\r\nContent-Length: {Messages.Initialize.Length}\r\n\r\n{Messages.Initialize}");

        var stranger = await SendAsync("");
        var caller = await SendAsync($"Authorization: Bearer {token}\r\n");

        Assert.StartsWith("HTTP/1.1 401", stranger);
        Assert.Contains("HTTP/1.1 200", caller);
    }
}
