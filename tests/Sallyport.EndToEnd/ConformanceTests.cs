using System.Net.Http.Json;
using System.Text.Json;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>The official conformance suite, of every revision that it knows, against a server and against the gate in front of it.</summary>
public sealed class ConformanceTests
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    [Theory]
    [InlineData("2025-03-26", 3)]
    [InlineData("2025-06-18", 50)]
    [InlineData("2025-11-25", 80)]
    [InlineData("2026-07-28", 140)]
    public async Task The_conformance_suite_finds_no_difference_between_a_server_and_the_gate_in_front_of_it(string revision, int atLeast)
    {
        using var data = new DataFolder();
        await using var server = await McpServerProcess.StartConformanceAsync(stateless: revision == "2026-07-28");
        await using var gate = await GateProcess.StartAsync(data, "--upstream", server.Url);
        await Executable.AddUserAsync(data, UserName, Password);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        await using var proxy = await TokenProxy.StartAsync(gate.Origin, (await client.SignInAsync(UserName, Password)).AccessToken);

        var without = await ConformanceSuite.RunAsync(server.Url, revision);
        var through = await ConformanceSuite.RunAsync(proxy.Origin + "/mcp", revision);

        // The server does well itself, or there would be nothing to compare.
        Assert.DoesNotContain(without, check => check.Status == "FAILURE");
        Assert.InRange(without.Count(check => check.Status == "SUCCESS"), atLeast, int.MaxValue);
        var differing = through.ExceptBy(without.Select(check => check.Result), check => check.Result)
            .Concat(without.ExceptBy(through.Select(check => check.Result), check => check.Result));
        Assert.True(
            without.Select(check => check.Result).SequenceEqual(through.Select(check => check.Result)),
            $"{through.Count} checks instead of {without.Count}; these differ:\n{string.Join('\n', differing)}\n{gate.Error}");
    }

    [Fact]
    public async Task The_conformance_suite_finds_nothing_wrong_with_the_authorization_server()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        await Executable.AddUserAsync(data, UserName, Password);
        var callbackPort = Ports.Free();
        var redirectUri = $"http://127.0.0.1:{callbackPort}/callback";
        // A client without a secret: where "none" is offered the suite sends none.
        using var registrations = new HttpClient();
        var registered = await registrations.PostAsJsonAsync($"{gate.Origin}/register", new { redirect_uris = new[] { redirectUri }, token_endpoint_auth_method = "none" }, TestContext.Current.CancellationToken);
        var clientId = (await registered.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("client_id").GetString()!;
        using var browser = new Browser();

        var checks = await ConformanceSuite.AuthorizeAsync(gate.Origin, clientId, callbackPort, async url => (await browser.AllowAsync(url, redirectUri, UserName, Password))!);

        // A scenario that it skipped would be missing here, and its exit code would not tell. Client ID metadata documents are not offered yet.
        Assert.Equal(
            [
                ("authorization-code-grant", "authorization-code-grant", "SUCCESS"),
                ("authorization-server-metadata-endpoint", "authorization-server-metadata", "SUCCESS"),
                ("authorization-server-metadata-endpoint", "authorization-server-metadata-cimd", "WARNING"),
            ],
            checks.Select(check => check.Result));
    }
}
