using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Sallyport.EndToEnd.Support;

/// <summary>One check of a run of the official conformance suite.</summary>
/// <param name="Scenario">What it belongs to.</param>
/// <param name="Id">Its name in the suite.</param>
/// <param name="Status">What came of it.</param>
/// <param name="Message">Why it is no success; this may have ports and times in it.</param>
internal sealed record ConformanceCheck(string Scenario, string Id, string Status, string? Message)
{
    public (string Scenario, string Id, string Status) Result => (Scenario, Id, Status);
}

/// <summary>The official conformance suite. Its exit code says less than what it writes down: that is what is read.</summary>
internal static partial class ConformanceSuite
{
    private const string Program = "node_modules/@modelcontextprotocol/conformance/dist/index.js";

    /// <summary>All scenarios that it has for servers of a revision, and what came of each check in them.</summary>
    public static async Task<IReadOnlyList<ConformanceCheck>> RunAsync(string url, string revision)
    {
        var results = Directory.CreateTempSubdirectory("sallyport-conformance-");
        try
        {
            var finished = await ChildProcess.RunAsync(
                Repository.NewerNode,
                [Program, "server", "--url", url, "--suite", "all", "--spec-version", revision, "--output-dir", results.FullName],
                workingDirectory: Repository.Clients);
            return Read(finished, results);
        }
        finally
        {
            results.Delete(recursive: true);
        }
    }

    /// <summary>All scenarios that it has for authorization servers. It waits at its callback for what comes of the one authorization that it prints.</summary>
    public static async Task<IReadOnlyList<ConformanceCheck>> AuthorizeAsync(string issuer, string clientId, int callbackPort, Func<string, Task<Uri>> authorizeAsync)
    {
        var results = Directory.CreateTempSubdirectory("sallyport-conformance-");
        try
        {
            await using var suite = ChildProcess.Start(
                Repository.NewerNode,
                [Program, "authorization", "--url", issuer, "--client-id", clientId, "--resource", issuer + "/mcp", "-p", callbackPort.ToString(CultureInfo.InvariantCulture), "--output-dir", results.FullName],
                workingDirectory: Repository.Clients);
            Assert.True(await suite.WritesAsync(() => suite.Output.Contains("Callback server started", StringComparison.Ordinal)), suite.Output + suite.Error);
            using var client = new HttpClient();
            var callback = await authorizeAsync(AuthorizationUrl().Match(suite.Output).Value);
            (await client.GetAsync(callback, TestContext.Current.CancellationToken)).EnsureSuccessStatusCode();
            return Read(await suite.WaitAsync(), results);
        }
        finally
        {
            results.Delete(recursive: true);
        }
    }

    private static List<ConformanceCheck> Read(Finished finished, DirectoryInfo results)
    {
        Assert.True(finished.Output.Contains("=== SUMMARY ===", StringComparison.Ordinal), finished.Output + finished.Error);
        return [.. results.EnumerateDirectories()
            .SelectMany(scenario => JsonElement.Parse(File.ReadAllBytes(Path.Combine(scenario.FullName, "checks.json"))).EnumerateArray()
                .Select(check => new ConformanceCheck(
                    ScenarioName().Match(scenario.Name).Groups[1].Value, check.GetProperty("id").GetString()!, check.GetProperty("status").GetString()!,
                    check.TryGetProperty("errorMessage", out var message) ? message.GetString() : null)))
            .OrderBy(check => check.Result)];
    }

    [GeneratedRegex(@"^http\S+/authorize\?\S+$", RegexOptions.Multiline)]
    private static partial Regex AuthorizationUrl();

    /// <summary>Of a directory of results: the scenario, and when it ran.</summary>
    [GeneratedRegex(@"^(?:authorization-)?server-(.+)-\d{4}-\d\d-\d\dT[-\dZ]+$")]
    private static partial Regex ScenarioName();
}
