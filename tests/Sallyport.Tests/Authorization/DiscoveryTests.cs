using System.Text.Json;

namespace Sallyport.Tests.Authorization;

public class DiscoveryTests
{
    [Theory]
    [InlineData("POST", "/mcp", "/mcp")]
    [InlineData("GET", "/mcp/", "/mcp/")]
    [InlineData("GET", "/sse", "/sse")]
    [InlineData("POST", "/messages/?session_id=0123456789abcdef0123456789abcdef", "/sse")]
    [InlineData("POST", "/", "")]
    [InlineData("DELETE", "/elsewhere", "/mcp")]
    public async Task A_request_without_a_token_is_told_where_to_get_one(string method, string path, string resource)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await gate.Http.SendAsync(new(new(method), path), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal(
            $"""Bearer resource_metadata="http://localhost:5000/.well-known/oauth-protected-resource{resource}", scope="mcp" """.TrimEnd(),
            response.Headers.WwwAuthenticate.ToString());
        Assert.DoesNotContain("echo", await response.TextAsync());
        Assert.Equal(Reason.TokenMissing, gate.EventOf<AccessRefused>(response).Reason);
    }

    [Theory]
    [InlineData("/.well-known/oauth-protected-resource", "")]
    [InlineData("/.well-known/oauth-protected-resource/mcp", "/mcp")]
    [InlineData("/.well-known/oauth-protected-resource/mcp/", "/mcp/")]
    [InlineData("/.well-known/oauth-protected-resource/sse", "/sse")]
    [InlineData("/mcp/.well-known/oauth-protected-resource", "/mcp")]
    public async Task A_resource_is_described_under_the_very_URL_that_was_asked_about(string path, string resource)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await gate.Http.GetAsync(path, TestContext.Current.CancellationToken);

        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        var document = await response.JsonAsync();
        Assert.Equal("http://localhost:5000" + resource, document.GetProperty("resource").GetString());
        Assert.Equal("http://localhost:5000", document.GetProperty("authorization_servers")[0].GetString());
        Assert.Equal("""["mcp"]""", document.GetProperty("scopes_supported").GetRawText());
        Assert.Equal("oauth-protected-resource", gate.EventOf<DiscoveryAnswered>(response).Document);
    }

    [Theory]
    [InlineData("/.well-known/oauth-protected-resource/other")]
    [InlineData("/.well-known/oauth-authorization-server/other")]
    [InlineData("/.well-known/openid-configuration/mcp/other")]
    public async Task A_resource_that_is_not_there_is_not_described(string path)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await gate.Http.GetAsync(path, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.DoesNotContain("other", await response.TextAsync());
        Assert.Equal(Reason.ResourceUnknown, gate.EventOf<AccessRefused>(response).Reason);
    }

    [Fact]
    public async Task The_authorization_server_is_described_alike_in_every_well_known_form()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        string[] names = ["oauth-authorization-server", "openid-configuration"];
        var paths = names.SelectMany(name => new[] { $"/.well-known/{name}", $"/.well-known/{name}/mcp", $"/.well-known/{name}/sse", $"/mcp/.well-known/{name}", $"/sse/.well-known/{name}" });

        var documents = new List<string>();
        foreach (var path in paths)
            documents.Add(await gate.Http.GetStringAsync(path, TestContext.Current.CancellationToken));

        Assert.Equal(10, documents.Count);
        Assert.Single(documents.Distinct());
        var document = JsonDocument.Parse(documents[0]).RootElement;
        Assert.Equal("http://localhost:5000", document.GetProperty("issuer").GetString());
        Assert.Equal("""["S256"]""", document.GetProperty("code_challenge_methods_supported").GetRawText());
        Assert.Equal("""["code"]""", document.GetProperty("response_types_supported").GetRawText());
        Assert.Equal("""["authorization_code","refresh_token"]""", document.GetProperty("grant_types_supported").GetRawText());
        Assert.Equal("""["client_secret_post","client_secret_basic","none"]""", document.GetProperty("token_endpoint_auth_methods_supported").GetRawText());
        Assert.True(document.GetProperty("authorization_response_iss_parameter_supported").GetBoolean());
    }

    [Fact]
    public async Task Every_endpoint_that_is_advertised_is_there()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var document = JsonDocument.Parse(await gate.Http.GetStringAsync("/.well-known/oauth-authorization-server", TestContext.Current.CancellationToken)).RootElement;
        var endpoints = document.EnumerateObject().Where(member => member.Name.EndsWith("_endpoint", StringComparison.Ordinal)).ToList();

        Assert.Equal(5, endpoints.Count);
        foreach (var endpoint in endpoints)
        {
            var response = await gate.Http.SendAsync(new(HttpMethod.Put, endpoint.Value.GetString()), TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        }
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task Metadata_can_only_be_read(string method)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await gate.Http.SendAsync(new(new(method), "/.well-known/oauth-authorization-server"), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal(["GET", "HEAD"], response.Content.Headers.Allow);
        Assert.Equal(Reason.MethodNotAllowed, gate.EventOf<AccessRefused>(response).Reason);
    }

    [Fact]
    public async Task Behind_a_proxy_all_addresses_are_the_public_ones()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => (s.Urls, s.PublicUrl) = ("http://localhost:5000", "https://mcp.example") }, withUser: false);

        var challenge = await gate.Http.SendAsync(new(HttpMethod.Get, "/mcp") { Headers = { Host = "mcp.example" } }, TestContext.Current.CancellationToken);
        var metadata = await gate.Http.SendAsync(new(HttpMethod.Get, "/.well-known/oauth-authorization-server") { Headers = { Host = "mcp.example" } }, TestContext.Current.CancellationToken);

        Assert.Contains("\"https://mcp.example/.well-known/oauth-protected-resource/mcp\"", challenge.Headers.WwwAuthenticate.ToString());
        Assert.Equal("https://mcp.example/token", (await metadata.JsonAsync()).GetProperty("token_endpoint").GetString());
    }
}
