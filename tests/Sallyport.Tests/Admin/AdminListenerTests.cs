using Sallyport.Server.Configuration;

namespace Sallyport.Tests.Admin;

/// <summary>Two doors: what is behind one is not behind the other, whatever a request says.</summary>
public class AdminListenerTests
{
    private static Task<TestGate> StartAsync(string adminUrls = TestGate.AdminUrl) =>
        TestGate.StartAsync(new() { Settings = settings => settings.AdminUrls = adminUrls }, withUser: false);

    [Theory]
    [InlineData("/readyz", "application/json")]
    [InlineData("/metrics", "text/plain")]
    public async Task The_admin_listener_has_both(string path, string type)
    {
        await using var gate = await StartAsync();

        using var response = await gate.NewAdminClient().GetAsync(path, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(type, response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.True(response.Headers.CacheControl!.NoStore);
    }

    [Theory]
    [InlineData("/readyz")]
    [InlineData("/metrics")]
    [InlineData("/metrics/")]
    public async Task The_public_listener_has_neither_and_answers_as_to_anything_that_there_is_not(string path)
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => settings.AdminUrls = TestGate.AdminUrl });
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;

        using var without = await gate.Http.GetAsync(path, TestContext.Current.CancellationToken);
        using var with = await gate.GetWithTokenAsync(path, token);
        using var unknown = await gate.GetWithTokenAsync("/no-such-path", token);
        // Whatever it calls itself, a connection is one of the listener that accepted it.
        var named = await gate.SendRawAsync($"GET {path} HTTP/1.1\r\nHost: localhost:5001\r\nConnection: close\r\n\r\n");
        var absolute = await gate.SendRawAsync($"GET http://localhost:5001{path} HTTP/1.1\r\nHost: localhost:5001\r\nConnection: close\r\n\r\n");
        var forwarded = await gate.SendRawAsync($"GET {path} HTTP/1.1\r\nHost: localhost:5000\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: localhost:5001\r\nX-Forwarded-Port: 5001\r\nConnection: close\r\n\r\n");

        Assert.Equal(HttpStatusCode.Unauthorized, without.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, with.StatusCode);
        Assert.Equal(await unknown.TextAsync(), await with.TextAsync());
        Assert.StartsWith("HTTP/1.1 421", named);
        Assert.DoesNotContain("sallyport_", named + absolute + forwarded);
        Assert.StartsWith("HTTP/1.1 401", forwarded);
    }

    [Theory]
    [InlineData("GET", "/")]
    [InlineData("GET", "/healthz")]
    [InlineData("POST", "/mcp")]
    [InlineData("GET", "/sse")]
    [InlineData("POST", "/token")]
    [InlineData("POST", "/register")]
    [InlineData("GET", "/authorize")]
    [InlineData("GET", "/.well-known/oauth-authorization-server")]
    [InlineData("GET", "/metrics/")]
    [InlineData("GET", "/metrics/..%2fmcp")]
    [InlineData("GET", "//metrics")]
    public async Task The_admin_listener_has_nothing_else_not_even_with_a_good_token(string method, string path)
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => settings.AdminUrls = TestGate.AdminUrl });
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;

        var answer = await gate.SendRawAsync($"{method} {path} HTTP/1.1\r\nHost: localhost:5001\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", toAdmin: true);
        var asPublic = await gate.SendRawAsync($"{method} {path} HTTP/1.1\r\nHost: localhost:5000\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", toAdmin: true);

        Assert.StartsWith("HTTP/1.1 404", answer);
        Assert.StartsWith("HTTP/1.1 421", asPublic);
        Assert.Empty(gate.Events<AccessAllowed>());
        Assert.Equal([Reason.RouteUnknown, Reason.HostUnknown], gate.Events<AccessRefused>().Select(refused => refused.Reason));
    }

    [Theory]
    [InlineData("evil.example")]
    [InlineData("evil.example:5001")]
    [InlineData("localhost")]
    [InlineData("localhost:5000")]
    [InlineData("localhost.evil.example:5001")]
    [InlineData("127.0.0.1.evil.example:5001")]
    [InlineData("127.0.0.2:5001")]
    [InlineData("")]
    public async Task A_name_that_is_rebound_to_this_machine_gets_nothing(string host)
    {
        await using var gate = await StartAsync();

        foreach (var path in (string[])["/metrics", "/readyz"])
        {
            var answer = await gate.SendRawAsync($"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", toAdmin: true);

            Assert.StartsWith("HTTP/1.1 421", answer);
            Assert.DoesNotContain("sallyport_", answer);
            Assert.DoesNotContain("ready", answer);
        }
        Assert.Equal(2, gate.Events<AccessRefused>().Count(refused => refused.Reason == Reason.HostUnknown));
    }

    [Theory]
    [InlineData("localhost:5001", "http://localhost:5001")]
    [InlineData("127.0.0.1:5001", "http://localhost:5001")]
    [InlineData("[::1]:5001", "http://localhost:5001")]
    [InlineData("LOCALHOST:5001", "http://127.0.0.1:5001")]
    [InlineData("127.0.0.1:5001", "http://127.0.0.1:5001")]
    public async Task The_listener_answers_to_its_address_and_to_localhost(string host, string url)
    {
        await using var gate = await StartAsync(url);

        Assert.StartsWith("HTTP/1.1 200", await gate.SendRawAsync($"GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", toAdmin: true));
    }

    [Theory]
    [InlineData("https://evil.example")]
    [InlineData("http://localhost:5000")]
    [InlineData("http://localhost:5001")]
    [InlineData("null")]
    public async Task A_page_gets_nothing_whatever_its_origin(string origin)
    {
        await using var gate = await StartAsync();
        var request = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        request.Headers.Add("Origin", origin);

        using var response = await gate.NewAdminClient().SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Equal(Reason.OriginForeign, Assert.Single(gate.Events<AccessRefused>()).Reason);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("DELETE")]
    [InlineData("OPTIONS")]
    public async Task Nothing_can_be_done_there(string method)
    {
        await using var gate = await StartAsync();

        using var response = await gate.NewAdminClient().SendAsync(new(new(method), "/metrics"), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal(["GET", "HEAD"], response.Content.Headers.Allow);
    }

    [Fact]
    public async Task Reading_leaves_no_event()
    {
        await using var gate = await StartAsync();
        var before = gate.Events().Count(e => e is not CheckpointSigned);

        await gate.ScrapeAsync();
        using var ready = await gate.NewAdminClient().GetAsync("/readyz", TestContext.Current.CancellationToken);

        Assert.Equal(before, gate.Events().Count(e => e is not CheckpointSigned));
    }

    [Theory]
    [InlineData("http://0.0.0.0:8790", "can be reached from other machines")]
    [InlineData("http://192.0.2.1:8790", "can be reached from other machines")]
    [InlineData("http://[::]:8790", "can be reached from other machines")]
    [InlineData("http://metrics.example:8790", "names a host")]
    [InlineData("https://127.0.0.1:8790", "is not http")]
    [InlineData("http://127.0.0.1:0", "port 0")]
    [InlineData("http://127.0.0.1:8790/metrics", "no address to listen on")]
    [InlineData("8790", "no address to listen on")]
    [InlineData("http://127.0.0.1:8700", "port 8700 is the gate's own")]
    public void What_is_no_loopback_address_of_its_own_is_a_fault_with_a_hint(string adminUrls, string problem)
    {
        Assert.Null(GateConfiguration.From(new() { AdminUrls = adminUrls, Data = "data" }, out var faults));

        var fault = Assert.Single(faults);
        Assert.Equal("admin-urls", fault.Setting);
        Assert.Contains(problem, fault.Problem);
        Assert.NotEmpty(fault.Hint);
    }
}
