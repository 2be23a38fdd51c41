using System.Diagnostics.Metrics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Sallyport.Tests.Gateway.Processes;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Telemetry;

/// <summary>What deploy/ asks for is what a gate has.</summary>
public partial class DashboardTests
{
    private static readonly string s_deploy = Path.Combine(VectorFiles.Root, "..", "deploy");
    private static readonly string s_dashboard = File.ReadAllText(Path.Combine(s_deploy, "grafana", "sallyport.json"));
    private static readonly string s_rules = File.ReadAllText(Path.Combine(s_deploy, "prometheus", "sallyport.rules.yml"));

    [Fact]
    public async Task Every_metric_that_dashboard_and_rules_ask_for_is_one_that_gates_have_after_some_traffic()
    {
        var asked = Queries().Concat(Expressions().Matches(s_rules).Select(match => match.Groups[1].Value)).SelectMany(NamesIn).ToHashSet(StringComparer.Ordinal);
        Assert.True(asked.Count > 25);
        // What Prometheus makes itself.
        asked.Remove("up");

        var names = await NamesAsync();

        Assert.Empty(asked.Except(names));
    }

    [Fact]
    public void The_dashboard_has_its_source_as_a_variable_and_each_panel_its_place()
    {
        using var document = JsonDocument.Parse(s_dashboard);
        var root = document.RootElement;
        var panels = root.GetProperty("panels").EnumerateArray().ToList();

        Assert.Equal("datasource", root.GetProperty("templating").GetProperty("list")[0].GetProperty("type").GetString());
        Assert.All(panels.Where(panel => panel.GetProperty("type").GetString() != "row"), panel => Assert.All(
            panel.GetProperty("targets").EnumerateArray(), target => Assert.Equal("${datasource}", target.GetProperty("datasource").GetProperty("uid").GetString())));
        Assert.Equal(panels.Count, panels.Select(panel => panel.GetProperty("id").GetInt32()).Distinct().Count());
        var cells = panels.Select(panel => panel.GetProperty("gridPos")).SelectMany(place =>
            from x in Enumerable.Range(place.GetProperty("x").GetInt32(), place.GetProperty("w").GetInt32())
            from y in Enumerable.Range(place.GetProperty("y").GetInt32(), place.GetProperty("h").GetInt32())
            select (x, y)).ToList();
        Assert.All(cells, cell => Assert.InRange(cell.x, 0, 23));
        Assert.Equal(cells.Count, cells.Distinct().Count());
        Assert.Equal(["Is it enforced?", "Traffic", "Refusals by reason", "OAuth funnel", "Latency", "Log", "Process"],
            panels.Where(panel => panel.GetProperty("type").GetString() == "row").Select(panel => panel.GetProperty("title").GetString()));
    }

    private static async Task<HashSet<string>> NamesAsync()
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var anchor = Path.GetTempFileName();
        await using (var upstream = await HttpServer.StartAsync(async context =>
        {
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync("""{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"a","version":"1"}}}""");
        }))
        await using (var gate = await TestGate.StartAsync(new()
        {
            Settings = settings => (settings.AdminUrls, settings.Upstreams, settings.Anchors) = (TestGate.AdminUrl, [upstream.Url], [anchor]),
        }))
        {
            // Counted elsewhere in the same meter.
            gate.Services.GetRequiredService<IMeterFactory>().Create("Sallyport").CreateCounter<long>("sallyport.findings").Add(1, new KeyValuePair<string, object?>("rule", "any"));
            var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
            using var initialized = await gate.PostMcpAsync(token, Messages.Initialize);
            Assert.Equal(HttpStatusCode.OK, initialized.StatusCode);
            await GateTraffic.BeatAsync(gate);
            gate.Time.Advance(TimeSpan.FromSeconds(1));
            await gate.EventAsync<AccessOutcome>();
            await gate.EventAsync<CheckpointSigned>(signed => signed.Anchors.Count > 0);
            names.UnionWith((await gate.ScrapeAsync()).Names);
        }
        await using (var process = await ScriptedServer.StartAsync("", settings: settings => settings.AdminUrls = TestGate.AdminUrl))
        {
            await GateTraffic.RunOAuthAsync(process.Gate);
            names.UnionWith((await process.Gate.ScrapeAsync()).Names);
        }
        File.Delete(anchor);
        return names;
    }

    private static IEnumerable<string> Queries()
    {
        using var document = JsonDocument.Parse(s_dashboard);
        return
        [
            .. from panel in document.RootElement.GetProperty("panels").EnumerateArray()
               where panel.TryGetProperty("targets", out _)
               from target in panel.GetProperty("targets").EnumerateArray()
               select target.GetProperty("expr").GetString()!,
        ];
    }

    /// <summary>The names of metrics in a query: what is neither a label, a text, nor a function.</summary>
    private static IEnumerable<string> NamesIn(string query) =>
        Name().Matches(NoName().Replace(query, "")).Select(match => match.Value);

    [GeneratedRegex(@"^ +expr: (.+)$", RegexOptions.Multiline)]
    private static partial Regex Expressions();

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)|\boffset \w+|\band\b|\bor\b|\bunless\b|[0-9.]+e[0-9]+")]
    private static partial Regex NoName();

    [GeneratedRegex(@"[a-z][a-z0-9_]*\b(?!\s*\()")]
    private static partial Regex Name();
}
