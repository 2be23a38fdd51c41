using Microsoft.AspNetCore.Http;
using Sallyport.Server.Configuration;
using Sallyport.Tests.House;

namespace Sallyport.Tests.Gateway;

/// <summary>Each upstream is a resource of its own: its path, its audience, its metadata.</summary>
public class SeveralUpstreamsTests
{
    private const string KeyVariable = "TEST_UPSTREAM_KEY";

    /// <summary>A server that says by its name which one it is, and keeps the headers that it got.</summary>
    private static Task<HttpServer> ServerAsync(string name, Action<IHeaderDictionary>? seen = null) => HttpServer.StartAsync(context =>
    {
        seen?.Invoke(context.Request.Headers);
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync($$$"""{"jsonrpc":"2.0","id":1,"result":{"name":"{{{name}}}"}}""");
    });

    private static async Task<string> TokenAsync(TestGate gate, string resource) =>
        (await (await TestClient.RegisterAsync(gate)).TokensAsync(TestGate.UserName, ("resource", resource))).AccessToken;

    [Fact]
    public async Task Each_upstream_answers_at_its_own_path_with_its_own_token_only()
    {
        await using var notes = await ServerAsync("notes");
        await using var root = await ServerAsync("root");
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = [$"notes={notes.Url}", root.Url] });
        var rootToken = await TokenAsync(gate, gate.Url + "/mcp");
        var notesToken = await TokenAsync(gate, gate.Url + "/notes/mcp");

        var atNotes = await gate.PostMcpAsync(notesToken, Messages.Call(1, "x"), "/notes/mcp");
        var atRoot = await gate.PostMcpAsync(rootToken, Messages.Call(1, "x"));
        var crossed = await gate.PostMcpAsync(rootToken, Messages.Call(1, "x"), "/notes/mcp");
        var crossedBack = await gate.PostMcpAsync(notesToken, Messages.Call(1, "x"), "/");

        Assert.Equal("notes", (await atNotes.JsonAsync()).GetProperty("result").GetProperty("name").GetString());
        Assert.Equal("root", (await atRoot.JsonAsync()).GetProperty("result").GetProperty("name").GetString());
        Assert.Equal(gate.Url + "/notes/mcp", gate.EventOf<AccessAllowed>(atNotes).Audience);
        foreach (var (refused, path) in new[] { (crossed, "/notes/mcp"), (crossedBack, "") })
        {
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            Assert.Equal(Reason.TokenWrongAudience, gate.EventOf<AccessRefused>(refused).Reason);
            Assert.Contains($"resource_metadata=\"{gate.Url}/.well-known/oauth-protected-resource{path}\"", refused.Headers.WwwAuthenticate.ToString());
        }
    }

    [Theory]
    [InlineData("/notes/mcp", "/notes/mcp")]
    [InlineData("/notes/mcp/", "/notes/mcp/")]
    [InlineData("/notes/other", "/notes/mcp")]
    [InlineData("/notes", "/notes/mcp")]
    [InlineData("/notesx/mcp", "/mcp")]
    [InlineData("/mcp", "/mcp")]
    public async Task A_challenge_names_the_metadata_of_the_upstream_that_was_asked(string path, string resource)
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = ["http://127.0.0.1:9/mcp", "notes=http://127.0.0.1:9/other"] });

        var response = await gate.PostMcpAsync(null, Messages.Initialize, path);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Contains($"resource_metadata=\"{gate.Url}/.well-known/oauth-protected-resource{resource}\"", response.Headers.WwwAuthenticate.ToString());
    }

    [Fact]
    public async Task Each_has_its_metadata_in_every_form_and_what_is_unknown_has_none()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = ["notes=http://127.0.0.1:9/mcp", "mail=http://127.0.0.1:9/mcp"] });
        async Task<(HttpStatusCode, string?)> ResourceAsync(string path)
        {
            var response = await gate.Http.GetAsync(path, TestContext.Current.CancellationToken);
            return (response.StatusCode, response.IsSuccessStatusCode ? (await response.JsonAsync()).GetProperty("resource").GetString() : null);
        }

        Assert.Equal((HttpStatusCode.OK, gate.Url + "/notes/mcp"), await ResourceAsync("/.well-known/oauth-protected-resource/notes/mcp"));
        Assert.Equal((HttpStatusCode.OK, gate.Url + "/mail/mcp/"), await ResourceAsync("/.well-known/oauth-protected-resource/mail/mcp/"));
        Assert.Equal((HttpStatusCode.OK, gate.Url + "/mail/mcp"), await ResourceAsync("/mail/mcp/.well-known/oauth-protected-resource"));
        foreach (var unknown in new[] { "/other/mcp", "/mcp", "/notes", "" })
            Assert.Equal((HttpStatusCode.NotFound, null), await ResourceAsync("/.well-known/oauth-protected-resource" + unknown));
        // Where the origin could be several, it still is the issuer.
        Assert.Equal(HttpStatusCode.OK, (await gate.Http.GetAsync("/.well-known/oauth-authorization-server", TestContext.Current.CancellationToken)).StatusCode);
    }

    [Fact]
    public async Task A_single_one_with_a_name_is_meant_by_the_origin_too()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = ["notes=http://127.0.0.1:9/mcp"] });
        var client = await TestClient.RegisterAsync(gate);

        await client.TokensAsync(TestGate.UserName, ("resource", gate.Url));
        await client.TokensAsync(TestGate.UserName, ("resource", null));

        Assert.All(gate.Events<TokenIssued>(), issued => Assert.Equal(gate.Url + "/notes/mcp", issued.Audience));
    }

    [Fact]
    public async Task Resources_that_mean_several_upstreams_are_refused_and_a_token_is_for_what_was_granted()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = ["notes=http://127.0.0.1:9/mcp", "mail=http://127.0.0.1:9/mcp"] });
        var client = await TestClient.RegisterAsync(gate);
        var both = client.AuthorizeUrl(("resource", gate.Url + "/notes/mcp")) + "&resource=" + Uri.EscapeDataString(gate.Url + "/mail/mcp");
        var origin = client.AuthorizeUrl(("resource", gate.Url));

        foreach (var url in new[] { both, origin })
            Assert.Equal("invalid_target", (await gate.Http.GetAsync(url, TestContext.Current.CancellationToken)).Headers.Location!.Query("error"));
        var code = await client.CodeAsync(TestGate.UserName, ("resource", gate.Url + "/notes/mcp"));
        var exchanged = await client.ExchangeAsync(code, ("resource", gate.Url + "/mail/mcp"));
        Assert.Equal("invalid_target", await exchanged.ErrorAsync());
    }

    [Fact]
    public async Task What_does_not_exist_is_not_found_with_a_token_and_401_without()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = ["notes=http://127.0.0.1:9/mcp"] });
        var token = await TokenAsync(gate, gate.Url + "/notes/mcp");

        foreach (var path in new[] { "/other/mcp", "/mcp", "/notes/other", "/notes/sse/x" })
        {
            Assert.Equal(HttpStatusCode.NotFound, (await gate.PostMcpAsync(token, Messages.Initialize, path)).StatusCode);
            Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(null, Messages.Initialize, path)).StatusCode);
        }
    }

    [Fact]
    public async Task A_session_with_one_upstream_is_none_with_another()
    {
        await using var server = await HttpServer.StartAsync(context =>
        {
            context.Response.Headers["Mcp-Session-Id"] = "s";
            context.Response.ContentType = "application/json";
            return context.Response.WriteAsync("""{"jsonrpc":"2.0","id":0,"result":{}}""");
        });
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = [$"a={server.Url}", $"b={server.Url}"] });
        var client = await TestClient.RegisterAsync(gate);
        var forA = (await client.TokensAsync(TestGate.UserName, ("resource", gate.Url + "/a/mcp"))).AccessToken;
        var forB = (await client.TokensAsync(TestGate.UserName, ("resource", gate.Url + "/b/mcp"))).AccessToken;
        var session = (await gate.PostMcpAsync(forA, Messages.Initialize, "/a/mcp")).Headers.GetValues("Mcp-Session-Id").Single();

        var response = await gate.PostMcpAsync(forB, Messages.Call(1, "x"), "/b/mcp", session);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal(Reason.SessionUnknown, gate.EventOf<AccessRefused>(response).Reason);
    }

    [Fact]
    public async Task A_header_from_the_environment_reaches_its_upstream_only_and_no_sink()
    {
        const string Secret = "Bearer the-upstreams-own-key";
        Environment.SetEnvironmentVariable(KeyVariable, Secret);
        var (notesSaw, mailSaw) = ("", "");
        await using var notes = await ServerAsync("notes", headers => notesSaw = headers.Authorization.ToString());
        await using var mail = await ServerAsync("mail", headers => mailSaw = headers.Authorization.ToString());
        await using var gate = await TestGate.StartAsync(new()
        {
            Settings = s => (s.Upstreams, s.UpstreamHeaders) = ([$"notes={notes.Url}", $"mail={mail.Url}"], [$"notes/Authorization={KeyVariable}"]),
            Logged = Microsoft.Extensions.Logging.LogLevel.Trace,
        });

        await gate.PostMcpAsync(await TokenAsync(gate, gate.Url + "/notes/mcp"), Messages.Call(1, "x"), "/notes/mcp");
        await gate.PostMcpAsync(await TokenAsync(gate, gate.Url + "/mail/mcp"), Messages.Call(1, "x"), "/mail/mcp");

        Assert.Equal((Secret, ""), (notesSaw, mailSaw));
        Assert.DoesNotContain(gate.Log.Lines, line => line.Contains(Secret, StringComparison.Ordinal));
        Assert.DoesNotContain(Secret, gate.Configuration.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, string.Join('\n', gate.Configuration.Upstreams.SelectMany(upstream => upstream.Headers)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mcp=http://127.0.0.1:9/mcp")]
    [InlineData("Notes=http://127.0.0.1:9/mcp")]
    [InlineData("no/tes=http://127.0.0.1:9/mcp")]
    [InlineData("=http://127.0.0.1:9/mcp")]
    [InlineData("notes=")]
    [InlineData("notes=ftp://127.0.0.1/mcp")]
    [InlineData("notes=http://user:secret@127.0.0.1:9/mcp")]
    [InlineData("notes=http://localhost:5000/mcp")]
    [InlineData("http://127.0.0.1:9/a;http://127.0.0.1:9/b")]
    [InlineData("a=http://127.0.0.1:9/a;a=http://127.0.0.1:9/b")]
    public void What_is_no_upstream_is_a_fault(string written) =>
        Assert.Equal("upstream", Assert.Single(Faults(written.Split(';'), [])).Setting);

    [Theory]
    [InlineData("Authorization")]
    [InlineData("Authorization=NO_SUCH_VARIABLE")]
    [InlineData("Auth orization=PATH")]
    [InlineData("Host=PATH")]
    [InlineData("mcp-session-id=PATH")]
    [InlineData("other/Authorization=PATH")]
    public void What_is_no_header_for_an_upstream_is_a_fault(string written) =>
        Assert.Equal("upstream-header", Assert.Single(Faults(["http://127.0.0.1:9/a"], [written])).Setting);

    [Fact]
    public void With_several_upstreams_a_header_has_to_say_which() =>
        Assert.Single(Faults(["a=http://127.0.0.1:9/a", "b=http://127.0.0.1:9/b"], ["Authorization=PATH"]));

    [Fact]
    public async Task Every_path_of_the_gate_itself_is_reserved()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = s => s.WitnessFor = [] }, withUser: false);

        var segments = RouteInventory.Of(gate).Select(row => row.Path.Split('/')[1]).Where(segment => segment.Length > 0 && segment[0] != '.');

        Assert.All(segments, segment => Assert.Contains(segment, UpstreamReader.ReservedNames));
    }

    private static IReadOnlyList<ConfigurationFault> Faults(string[] upstreams, string[] headers)
    {
        GateConfiguration.From(new() { Urls = "http://localhost:5000", Data = Path.GetTempPath(), Upstreams = upstreams, UpstreamHeaders = headers }, out var faults);
        return faults;
    }
}
