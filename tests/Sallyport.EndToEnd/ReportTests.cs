using System.Globalization;
using System.Text.Json;
using Microsoft.Playwright;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary><c>audit report</c> and <c>audit explain</c>, of logs that real gates wrote.</summary>
public sealed class ReportTests : IDisposable
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    private readonly DataFolder _data = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _data.Dispose();

    [Fact]
    public async Task A_gate_that_was_used_and_refused_is_reported_as_enforced_in_every_format()
    {
        await UseAsync();

        var text = await ReportAsync();
        var markdown = await ReportAsync("--format", "md");
        var json = await ReportAsync("--format", "json");

        Assert.Equal((int)ExitCode.Success, text.ExitCode);
        Assert.Equal("", text.Error);
        Assert.Contains("OAuth was enforced: each of the ", text.Output);
        Assert.DoesNotContain("\u001b", text.Output);
        Assert.StartsWith("# Is it being bypassed?\n\n**OAuth was enforced: ", markdown.Output);
        using var report = JsonDocument.Parse(json.Output);
        Assert.Equal("enforced", report.RootElement.GetProperty("judgement").GetProperty("verdict").GetString());
        var components = report.RootElement.GetProperty("components").EnumerateArray().ToDictionary(row => row.GetProperty("name").GetString()!, row => row.GetProperty("status").GetString());
        Assert.Equal(
            ["OAuth discovery", "Client registration", "Authorization flow", "Token exchange", "Authenticated access", "Unauthenticated blocking"], components.Keys);
        Assert.Equal("no_evidence", components["OAuth discovery"]);
        Assert.All(components.Skip(1), row => Assert.Equal("working", row.Value));
        var client = Assert.Single(report.RootElement.GetProperty("clients").EnumerateArray());
        Assert.Equal("called a tool", client.GetProperty("stage").GetString());
        Assert.StartsWith("The tests ", client.GetProperty("name").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gate_that_nobody_tried_without_a_token_is_not_proven_and_it_is_said_what_is_missing()
    {
        await Executable.AddUserAsync(_data, UserName, Password);
        await using (var gate = await GateProcess.StartAsync(_data))
        {
            await (await GateClient.RegisterAsync(gate.Origin)).SignInAsync(UserName, Password);
            await gate.StopAsync();
        }

        var report = await ReportAsync();

        Assert.Equal((int)ExitCode.NotProven, report.ExitCode);
        Assert.Contains("Not proven: nothing in the log contradicts that OAuth is enforced, but no request without a valid token is recorded", Joined(report.Output));
        Assert.Contains("Try without a token, once at each endpoint", Joined(report.Output));
    }

    [Fact]
    public async Task A_log_that_was_edited_is_tampered_with_whatever_else_it_says()
    {
        await UseAsync();
        var segment = Directory.GetFiles(_data.Log, "journal-*").Single();
        var bytes = await File.ReadAllBytesAsync(segment, Cancellation);
        bytes[^10] ^= 1;
        await File.WriteAllBytesAsync(segment, bytes, Cancellation);

        var report = await ReportAsync();

        Assert.Equal((int)ExitCode.Tampered, report.ExitCode);
        Assert.Contains("The log was tampered with: nothing else that the log says can be trusted.", Joined(report.Output));
    }

    [Fact]
    public async Task A_span_or_a_client_is_reported_by_itself_while_the_claims_are_decided_over_the_whole_log()
    {
        var client = await UseAsync();

        var ofNobody = await ReportAsync("--client", "nobody");
        var ofClient = await ReportAsync("--client", client, "--format", "json");
        var later = await ReportAsync("--since", "2099-01-01T00:00:00Z");

        Assert.Contains("No event is in what was asked about.", ofNobody.Output);
        Assert.Contains("No event is in what was asked about.", later.Output);
        using var report = JsonDocument.Parse(ofClient.Output);
        Assert.Equal(client, Assert.Single(report.RootElement.GetProperty("clients").EnumerateArray()).GetProperty("client").GetString());
        Assert.All([ofNobody, ofClient, later], finished => Assert.Equal((int)ExitCode.Success, finished.ExitCode));
    }

    [Fact]
    public async Task One_access_is_explained_back_to_the_registration_of_its_client()
    {
        await UseAsync();
        var log = await _data.ReadLogAsync();
        var call = log.All<AccessAllowed>().Single(access => access.Method == "tools/call");

        var explained = await Executable.RunAsync("audit", "explain", call.Id, "--data", _data.Path);

        Assert.Equal((int)ExitCode.Success, explained.ExitCode);
        string[] steps = ["access.allowed", "token.issued", "code.issued", "consent.given", "user.authenticated", "authorization.started", "client.registered"];
        var places = steps.Select(step => explained.Output.IndexOf($"  {step} ", StringComparison.Ordinal)).ToArray();
        Assert.DoesNotContain(-1, places);
        Assert.Equal(places.Order(), places);
        Assert.Contains("What became of it: it reached the server (event ", explained.Output);
        Assert.Contains("No claim is contradicted by it.", explained.Output);
        Assert.Matches(@"\nProof: \d+ hashes lead from it to the checkpoint of \d+ events, as was checked just now\.", explained.Output);
        Assert.Equal(explained.Output, (await Executable.RunAsync("audit", "explain", log.NumberOf(call).ToString(CultureInfo.InvariantCulture), "--data", _data.Path)).Output);
        Assert.Equal((int)ExitCode.RefusedInput, (await Executable.RunAsync("audit", "explain", "1000000", "--data", _data.Path)).ExitCode);
    }

    [Fact]
    public async Task The_access_log_of_another_server_is_consistent_with_enforcement_and_never_proof_of_it()
    {
        var recorded = Path.Combine(AppContext.BaseDirectory, "chatgpt-session.log");
        var open = Path.Combine(_data.Path, "open.log");
        Directory.CreateDirectory(_data.Path);
        await File.WriteAllTextAsync(open, "INFO:     127.0.0.1:1 - \"POST /mcp HTTP/1.1\" 200 OK\n", Cancellation);

        var consistent = await Executable.RunAsync("audit", "import", recorded);
        var piped = await Executable.RunWithInputAsync(await File.ReadAllTextAsync(recorded, Cancellation), "audit", "import", "-", "--format", "json");
        var together = await Executable.RunAsync("audit", "import", recorded, open);
        var missing = await Executable.RunAsync("audit", "import", Path.Combine(_data.Path, "none.log"));

        Assert.Equal(((int)ExitCode.NotProven, ""), (consistent.ExitCode, consistent.Error));
        Assert.Contains("Consistent with enforcement, not proven: nothing in the log contradicts enforcement, but whether the 2 requests that were let in carried a valid token is not recorded", Joined(consistent.Output));
        Assert.Contains("that GET /messages/ is refused says nothing about POST /messages/", Joined(consistent.Output));
        Assert.Equal((int)ExitCode.NotProven, piped.ExitCode);
        Assert.Equal("access_log", JsonDocument.Parse(piped.Output).RootElement.GetProperty("source").GetString());
        // A token had been given out by then: of both together, nothing is said that the lines do not show.
        Assert.Equal((int)ExitCode.NotProven, together.ExitCode);
        Assert.Equal((int)ExitCode.Bypassed, (await Executable.RunAsync("audit", "import", open)).ExitCode);
        Assert.Equal((int)ExitCode.NotProven, (await Executable.RunAsync("audit", "import", open, "--continued")).ExitCode);
        Assert.Equal((int)ExitCode.RefusedInput, missing.ExitCode);
        Assert.StartsWith("sallyport: There is no file ", missing.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_HTML_is_one_file_that_loads_nothing_and_shows_the_verdict_in_light_and_dark()
    {
        await UseAsync();
        var file = Path.Combine(_data.Path, "report.html");
        Assert.Equal((int)ExitCode.Success, (await ReportAsync("--out", file)).ExitCode);
        await using var chromium = await Chromium.StartAsync();

        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            var page = await chromium.OpenAsync(scheme: scheme);
            var asked = new List<string>();
            page.Request += (_, request) => asked.Add(request.Url);
            await page.GotoAsync(new Uri(file).AbsoluteUri);
            await Chromium.KeepAsync(page, $"report-{(scheme == ColorScheme.Dark ? "dark" : "light")}");

            Assert.Contains("OAuth was enforced", await page.Locator(".verdict").TextContentAsync(), StringComparison.Ordinal);
            Assert.Single(asked);
            // Each picture says in words what it shows.
            Assert.Equal(0, await page.Locator("svg:not([role=img][aria-label])").CountAsync());
            await page.SetViewportSizeAsync(320, 700);
            Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), "it is wider than 320 px");
        }
        Assert.Empty(chromium.TakeViolations());
    }

    /// <summary>A client signs in and calls a tool, and somebody tries without a token. Gives the client's id.</summary>
    private async Task<string> UseAsync()
    {
        await Executable.AddUserAsync(_data, UserName, Password);
        await using var gate = await GateProcess.StartAsync(_data);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var tokens = await client.SignInAsync(UserName, Password);
        Assert.Equal("hello", await client.EchoAsync(tokens.AccessToken, "hello"));
        Assert.False(await client.IsAcceptedAsync("made-up"));
        await gate.StopAsync();
        return client.Id;
    }

    private Task<Finished> ReportAsync(params string[] options) => Executable.RunAsync(["audit", "report", _data.Path, .. options]);

    /// <summary>Lines are broken where the page is full.</summary>
    private static string Joined(string output) => output.ReplaceLineEndings(" ").Replace("  ", " ", StringComparison.Ordinal);
}
