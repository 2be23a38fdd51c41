using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Sallyport.Server.Configuration;

namespace Sallyport.Tests.Gateway;

/// <summary>An upstream learns who calls by a signed assertion, if it is to.</summary>
public class UpstreamIdentityTests
{
    private const string Header = "Sallyport-Jwt-Assertion";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static Task<HttpServer> ServerAsync(ConcurrentQueue<string> assertions) => HttpServer.StartAsync(context =>
    {
        assertions.Enqueue(context.Request.Headers[Header].ToString());
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync("""{"jsonrpc":"2.0","id":1,"result":{}}""");
    });

    private static Task<TestGate> GateAsync(string upstream, params string[] identity) =>
        TestGate.StartAsync(new() { Settings = s => (s.Upstreams, s.UpstreamIdentity, s.AccessTokens) = ([upstream], identity, ["jwt"]) });

    private static async Task<TokenValidationResult> CheckAsync(TestGate gate, string assertion)
    {
        var keys = new JsonWebKeySet(await gate.Http.GetStringAsync("/jwks", Cancellation));
        return await new JsonWebTokenHandler().ValidateTokenAsync(assertion, new()
        {
            ValidIssuer = gate.Url,
            ValidAudience = gate.Url + "/mcp",
            ValidTypes = ["sallyport-assertion+jwt"],
            ValidAlgorithms = ["ES256"],
            IssuerSigningKeys = keys.Keys,
            LifetimeValidator = (_, expires, _, _) => new DateTimeOffset(expires!.Value) - gate.Time.GetUtcNow() is { TotalSeconds: > 59 and <= 120 },
        });
    }

    [Fact]
    public async Task It_checks_who_calls_by_the_keys_that_are_published()
    {
        var seen = new ConcurrentQueue<string>();
        await using var upstream = await ServerAsync(seen);
        await using var gate = await GateAsync(upstream.Url, "jwt");
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        var answer = await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x"));

        var called = await CheckAsync(gate, seen.Last());
        Assert.True(called.IsValid, called.Exception?.Message);
        var allowed = gate.EventOf<AccessAllowed>(answer);
        Assert.Equal((allowed.Subject, client.Id), ((string)called.Claims["sub"], (string)called.Claims["client_id"]));
    }

    [Fact]
    public async Task Nobody_takes_it_for_an_access_token_nor_the_other_way_round()
    {
        var seen = new ConcurrentQueue<string>();
        await using var upstream = await ServerAsync(seen);
        await using var gate = await GateAsync(upstream.Url, "jwt");
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "x"));

        var replayed = await gate.PostMcpAsync(seen.Last(), Messages.Call(1, "x"));

        Assert.Equal(HttpStatusCode.Unauthorized, replayed.StatusCode);
        Assert.Equal(Reason.TokenForged, gate.EventOf<AccessRefused>(replayed).Reason);
        Assert.False((await CheckAsync(gate, tokens.AccessToken)).IsValid);
    }

    [Fact]
    public async Task It_is_renewed_while_it_is_good_and_each_caller_has_another()
    {
        var seen = new ConcurrentQueue<string>();
        await using var upstream = await ServerAsync(seen);
        await using var gate = await GateAsync(upstream.Url, "jwt");
        var one = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var other = (await (await TestClient.RegisterAsync(gate, "client_secret_post")).TokensAsync()).AccessToken;
        async Task<string> SentForAsync(string token)
        {
            await gate.PostMcpAsync(token, Messages.Call(1, "x"));
            return seen.Last();
        }

        var first = await SentForAsync(one);
        gate.Time.Advance(TimeSpan.FromSeconds(59));
        var again = await SentForAsync(one);
        var others = await SentForAsync(other);
        gate.Time.Advance(TimeSpan.FromSeconds(1));
        var later = await SentForAsync(one);

        Assert.Equal(first, again);
        Assert.NotEqual(first, others);
        Assert.NotEqual(first, later);
        Assert.True((await CheckAsync(gate, later)).IsValid);
    }

    [Fact]
    public async Task What_a_client_says_of_itself_is_dropped_and_nothing_is_said_where_nothing_is_to_be()
    {
        var seen = new ConcurrentQueue<string>();
        await using var upstream = await ServerAsync(seen);
        await using var asserting = await GateAsync(upstream.Url, "jwt");
        await using var silent = await GateAsync(upstream.Url);
        async Task<string> SentAsync(TestGate gate)
        {
            var request = gate.McpRequest((await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken, Messages.Call(1, "x"));
            request.Headers.Add(Header, "somebody else");
            await gate.Http.SendAsync(request, Cancellation);
            return seen.Last();
        }

        Assert.Equal("", await SentAsync(silent));
        Assert.True((await CheckAsync(asserting, await SentAsync(asserting))).IsValid);
    }

    /// <summary>That is what settles that nobody reaches it past the gate.</summary>
    [Fact]
    public async Task A_server_that_takes_nothing_without_one_works_over_either_transport()
    {
        var missing = 0;
        var gatesOwn = new ConcurrentQueue<string>();
        var server = new SseServer(id => "/post?s=" + id);
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            if (context.Request.Headers[Header].ToString() is not { Length: > 0 } assertion)
            {
                missing++;
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                return Task.CompletedTask;
            }
            if (!new JsonWebToken(assertion).TryGetPayloadValue("client_id", out string _))
                gatesOwn.Enqueue(assertion);
            return server.HandleAsync(context);
        });
        await using var gate = await GateAsync(upstream.Url, "jwt");
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        var opened = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        using var events = await EventBlocks.OfAsync(opened);
        await events.NextMessageAsync();

        Assert.Equal(HttpStatusCode.OK, opened.StatusCode);
        Assert.Equal("2025-11-25", (await events.NextMessageAsync()).GetProperty("result").GetProperty("protocolVersion").GetString());
        Assert.Equal(0, missing);
        // The question what it is.
        Assert.All(gatesOwn, assertion => Assert.Equal(gate.Url, new JsonWebToken(assertion).Subject));
        Assert.NotEmpty(gatesOwn);
    }

    [Theory]
    [InlineData("http://127.0.0.1:9/mcp", "yes")]
    [InlineData("http://127.0.0.1:9/mcp", "1")]
    [InlineData("http://127.0.0.1:9/mcp", "none,jwt")]
    [InlineData("http://127.0.0.1:9/mcp", "notes=jwt")]
    [InlineData("", "jwt")]
    public void What_cannot_be_is_a_fault(string upstream, string written)
    {
        GateConfiguration.From(new() { Data = "data", Upstreams = upstream.Split(';', StringSplitOptions.RemoveEmptyEntries), UpstreamIdentity = [written] }, out var faults);

        Assert.Equal("upstream-identity", Assert.Single(faults).Setting);
    }

    [Fact]
    public void It_is_set_for_one_upstream_or_for_all_that_speak_HTTP()
    {
        var configuration = GateConfiguration.From(new() { Data = "data", Upstreams = ["a=http://127.0.0.1:9/mcp", "b=http://127.0.0.1:9/mcp"], UpstreamIdentity = ["jwt", "b=none"] }, out _)!;

        Assert.Equal([("a", UpstreamIdentity.Jwt), ("b", UpstreamIdentity.None)], configuration.Upstreams.Select(upstream => (upstream.Name!, upstream.Identity)));
    }
}
