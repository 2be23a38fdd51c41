using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Notes;
using Sallyport.Server.Pipeline;

namespace Sallyport.Tests.House;

/// <summary>
/// <c>Routes.*.txt</c> are the reviewed inventories. A change of the routes changes them in the same commit, in the open.
/// </summary>
public class RouteInventoryTests
{
    private const string BuiltIn = "Routes.BuiltIn.txt";
    private const string Witness = "Routes.Witness.txt";
    private const string Relay = "Routes.Relay.txt";
    private static readonly string[] s_methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY"];

    private static TestGateOptions Options(string golden) => new()
    {
        OverSockets = true,
        Settings = settings =>
        {
            settings.Upstreams = golden == Relay ? ["http://127.0.0.1:9/mcp"] : [];
            settings.WitnessFor = golden == Witness ? [new VerifierKey("log.example", SignatureType.Ed25519, new byte[32]).ToString()] : [];
        },
    };

    [Theory]
    [InlineData(BuiltIn)]
    [InlineData(Relay)]
    [InlineData(Witness)]
    public async Task The_running_gate_has_the_reviewed_routes_and_no_others(string golden)
    {
        await using var gate = await TestGate.StartAsync(Options(golden), withUser: false);

        Assert.Empty(RouteInventory.Differences(gate, golden));
    }

    [Theory]
    [InlineData(BuiltIn)]
    [InlineData(Relay)]
    [InlineData(Witness)]
    public async Task Every_row_that_is_not_public_refuses_a_request_without_a_token_over_a_socket(string golden)
    {
        await using var gate = await TestGate.StartAsync(Options(golden), withUser: false);
        var rows = RouteInventory.Of(gate);

        foreach (var row in rows)
        {
            var methods = row.Method == "*" ? s_methods.Except(rows.Where(other => other.Path == row.Path && other.Method != "*").SelectMany(other => other.Method.Split(','))) : row.Method.Split(',');
            foreach (var method in methods)
            {
                var response = await gate.Http.SendAsync(new(new(method), row.Path.Replace("{**path}", "mcp").Replace("{log}", new string('0', 64))), TestContext.Current.CancellationToken);
                if (row.Policy.Guard == PathGuard.Public)
                {
                    // Its own credentials it may ask for (RFC 7592); the guard's it does not.
                    Assert.DoesNotContain("resource_metadata", response.Headers.WwwAuthenticate.ToString());
                    if (row.Path != "/register/{client}")
                        Assert.NotEqual(HttpStatusCode.Unauthorized, response.StatusCode);
                    Assert.True((int)response.StatusCode < 500, $"{method} {row.Path}: {(int)response.StatusCode}");
                    Assert.Equal(row.Refused, response.StatusCode == HttpStatusCode.MethodNotAllowed);
                }
                else
                {
                    AssertRefused(gate, method, row.Path, response);
                }
            }
        }
        Assert.Empty(gate.Events<AccessAllowed>());
    }

    [Fact]
    public async Task Two_hundred_random_paths_and_methods_without_a_token_are_refused_over_a_socket()
    {
        await using var gate = await TestGate.StartAsync(Options(BuiltIn), withUser: false);
        var @public = RouteInventory.Of(gate).Where(row => row.Policy.Guard == PathGuard.Public).Select(row => row.Path.Replace("/{**path}", "")).ToList();
        string[] words = ["mcp", "sse", "messages", "token", "authorize", ".well-known", "oauth-protected-resource", "admin", "metrics", "console", "healthz", "register", "api", "MCP", "signin"];

        for (var i = 0; i < 200; i++)
        {
            string path;
            do
            {
                path = "/" + string.Join('/', Enumerable.Range(0, RandomNumberGenerator.GetInt32(1, 5)).Select(_ =>
                    RandomNumberGenerator.GetInt32(3) == 0 ? RandomNumberGenerator.GetHexString(6, lowercase: true) : words[RandomNumberGenerator.GetInt32(words.Length)]));
            }
            while (@public.Any(prefix => prefix.Length > 1 && path.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)));
            var method = s_methods[RandomNumberGenerator.GetInt32(s_methods.Length)];

            var response = await gate.Http.SendAsync(new(new(method), path), TestContext.Current.CancellationToken);

            AssertRefused(gate, method, path, response);
        }
        Assert.Equal(200, gate.Events<AccessRefused>().Count(refused => refused.Reason == Reason.TokenMissing));
    }

    [Fact]
    public async Task A_planted_route_is_found_and_guarded_unless_it_says_that_it_is_public()
    {
        var options = Options(BuiltIn) with
        {
            Application = application =>
            {
                application.MapGet("/planted", () => "open");
                application.MapGet("/planted-public", () => "open").WithMetadata(PathPolicy.Page);
            },
        };
        await using var gate = await TestGate.StartAsync(options, withUser: false);

        var differences = RouteInventory.Differences(gate, BuiltIn);
        var planted = await gate.Http.GetAsync("/planted", TestContext.Current.CancellationToken);

        Assert.Equal(2, differences.Count);
        Assert.Contains(differences, row => row.StartsWith("+ GET        /planted ", StringComparison.Ordinal) && row.Contains(" token "));
        Assert.Contains(differences, row => row.StartsWith("+ GET        /planted-public ", StringComparison.Ordinal) && row.Contains(" public "));
        AssertRefused(gate, "GET", "/planted", planted);
    }

    private static void AssertRefused(TestGate gate, string method, string path, HttpResponseMessage response)
    {
        Assert.True(response.StatusCode == HttpStatusCode.Unauthorized, $"{method} {path}: {(int)response.StatusCode}");
        Assert.Contains($"resource_metadata=\"{gate.Url}/.well-known/oauth-protected-resource", response.Headers.WwwAuthenticate.ToString());
    }
}
