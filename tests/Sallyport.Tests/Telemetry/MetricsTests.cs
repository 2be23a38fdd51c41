using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Sallyport.Tests.Telemetry;

/// <summary>What a scraper sees, through the real /metrics.</summary>
public class MetricsTests
{
    private static Task<TestGate> StartAsync() => TestGate.StartAsync(new() { Settings = settings => settings.AdminUrls = TestGate.AdminUrl });

    [Fact]
    public async Task Every_figure_of_events_is_what_the_log_says()
    {
        await using var gate = await StartAsync();
        await GateTraffic.RunAsync(gate);

        var scrape = await gate.ScrapeAsync();

        var events = gate.Events().Where(e => e is not CheckpointSigned and not AccessOutcome).ToList();
        foreach (var type in events.GroupBy(WordOf))
            Assert.Equal(type.Count(), scrape.Value("sallyport_events_total", $"type=\"{type.Key}\""));
        Assert.True(events.GroupBy(WordOf).Count() >= 12);
        foreach (var reason in events.OfType<AccessRefused>().GroupBy(refused => refused.Reason))
            Assert.Equal(reason.Count(), scrape.Value("sallyport_refusals_total", "type=\"access.refused\"", $"reason=\"{reason.Key.Word()}\""));
        Assert.Equal(1, scrape.Value("sallyport_refusals_total", "type=\"token.refused\"", "reason=\"code.reused\""));
        Assert.Equal(1, scrape.Value("sallyport_accesses_total", "mcp_method_name=\"tools/call\"", "transport=\"streamable-http\"", "upstream=\"/\""));
        Assert.Equal(1, scrape.Value("mcp_server_operation_duration_seconds_count", "mcp_method_name=\"tools/call\""));
        Assert.Equal(1, scrape.Value("mcp_server_operation_duration_seconds_count", "mcp_method_name=\"_OTHER\"", "error_type=\"-32601\""));
        Assert.Equal(4, scrape.Value("sallyport_judgement_duration_seconds_count", "outcome=\"allowed\""));
        Assert.Equal(1, scrape.Value("sallyport_sessions", "transport=\"streamable-http\""));
        // Two classes at two ways, of which one does not tell; and what was not sent at all.
        var unsent = 2 * (Enum.GetValues<HeartbeatClass>().Length - 2);
        Assert.Equal((2, 0, 2 + unsent), (scrape.Value("sallyport_heartbeat_answers", "right"), scrape.Value("sallyport_heartbeat_answers", "wrong"), scrape.Value("sallyport_heartbeat_answers", "unknown")));
        Assert.Equal(2, scrape.Value("sallyport_heartbeats_total", "class=\"forged\"", "result=\"unknown\""));
        Assert.Equal(1, scrape.Value("sallyport_log_open"));
        Assert.True(scrape.Value("sallyport_log_size_bytes") > 1_000);
    }

    [Fact]
    public async Task What_becomes_of_accesses_is_counted_once_it_is_on_record()
    {
        await using var gate = await StartAsync();
        await GateTraffic.RunAsync(gate);
        gate.Time.Advance(TimeSpan.FromSeconds(1));
        await gate.EventAsync<AccessOutcome>();

        Assert.Equal(gate.Events<AccessOutcome>().Sum(outcome => outcome.Forwarded.Count), (await gate.ScrapeAsync()).Value("sallyport_outcomes_total", "outcome=\"forwarded\""));
    }

    [Fact]
    public async Task The_age_of_the_newest_checkpoint_and_what_none_covers_grow_until_the_next_one()
    {
        await using var gate = await TestGate.StartAsync(new()
        {
            Settings = settings => (settings.AdminUrls, settings.CheckpointSeconds) = (TestGate.AdminUrl, 86_400),
        });
        await GateTraffic.RunAsync(gate);
        gate.Time.Advance(TimeSpan.FromMinutes(2));
        for (var i = 0; i < 5; i++)
            await gate.PostMcpAsync(null, Messages.Initialize);

        var before = await gate.ScrapeAsync();
        await gate.Services.GetRequiredService<Sallyport.Server.Audit.Sealer>().SealAsync(TestContext.Current.CancellationToken);
        var after = await gate.ScrapeAsync();

        Assert.InRange(before.Value("sallyport_log_checkpoint_age_seconds")!.Value, 119, 121);
        Assert.True(before.Value("sallyport_log_unsigned") >= 6);
        Assert.Equal((0, 1), (after.Value("sallyport_log_checkpoint_age_seconds"), after.Value("sallyport_log_unsigned")));
    }

    [Fact]
    public async Task An_open_stream_is_seen_and_one_that_was_left_is_not()
    {
        await using var gate = await StartAsync();
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var stream = await gate.GetWithTokenAsync("/sse", token);
        await using (var body = await stream.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken))
        {
            await body.ReadExactlyAsync(new byte[1], TestContext.Current.CancellationToken);
            var open = await gate.ScrapeAsync();
            Assert.Equal((1, 1), (open.Value("sallyport_streams"), open.Value("sallyport_sessions", "transport=\"sse\"")));
        }
        stream.Dispose();
        await gate.EventAsync<SessionClosed>();

        // The event is written while the request ends.
        for (var begun = TimeProvider.System.GetTimestamp(); (await gate.ScrapeAsync()).Value("sallyport_streams") > 0;)
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Whatever_else_the_meter_has_is_exported()
    {
        await using var gate = await StartAsync();
        gate.Services.GetRequiredService<IMeterFactory>().Create("Sallyport").CreateCounter<long>("sallyport.planted").Add(3, new KeyValuePair<string, object?>("rule", "a"));

        Assert.Equal(3, (await gate.ScrapeAsync()).Value("sallyport_planted_total", "rule=\"a\""));
    }

    [Fact]
    public async Task Where_nobody_can_look_nothing_is_measured()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        Assert.Null(gate.Services.GetService<OpenTelemetry.Metrics.MeterProvider>());
        Assert.Null(gate.Services.GetService<OpenTelemetry.Trace.TracerProvider>());
    }

    [Fact]
    public async Task A_thousand_of_everything_that_a_caller_may_choose_make_no_more_series_than_one()
    {
        await using var gate = await StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var token = (await client.TokensAsync()).AccessToken;
        using var initialized = await gate.PostMcpAsync(token, Messages.Initialize);
        var session = initialized.Headers.GetValues("Mcp-Session-Id").Single();
        await RoundAsync();
        gate.Time.Advance(TimeSpan.FromSeconds(1));
        await gate.EventAsync<AccessOutcome>();
        var before = await gate.ScrapeAsync();

        for (var i = 0; i < 1_000; i++)
            await RoundAsync();
        var after = await gate.ScrapeAsync();

        // Requests of this process's own clients are everybody's, and what the runtime tells of itself is of no caller.
        Assert.Empty(Counted(after).Except(Counted(before)));
        Assert.True(after.Value("sallyport_refusals_total") > 5_000);
        Assert.DoesNotContain("random", after.Text);

        static IEnumerable<string> Counted(Scrape scrape) => scrape.Series.Where(series => !series.StartsWith("http_client_", StringComparison.Ordinal) && !series.StartsWith("dotnet_", StringComparison.Ordinal));

        async Task RoundAsync()
        {
            var random = "random" + RandomNumberGenerator.GetHexString(12, lowercase: true);
            var from = "10." + string.Join('.', RandomNumberGenerator.GetBytes(3));
            string[] raw =
            [
                $"GET /{random} HTTP/1.1\r\nHost: localhost:5000\r\n",
                $"GET /{random} HTTP/1.1\r\nHost: localhost:5000\r\nAuthorization: Bearer {token}\r\n",
                $"GET /.well-known/oauth-protected-resource/{random} HTTP/1.1\r\nHost: localhost:5000\r\n",
                $"{random.ToUpperInvariant()} /mcp HTTP/1.1\r\nHost: localhost:5000\r\n",
                $"GET /mcp?{random}={random} HTTP/1.1\r\nHost: {random}.example\r\n",
                $"GET /mcp HTTP/1.1\r\nHost: localhost:5000\r\nOrigin: https://{random}.example\r\n",
                $"GET /mcp HTTP/1.1\r\nHost: localhost:5000\r\nAuthorization: Bearer {random}\r\n",
                $"GET /authorize?client_id={random}&state={random} HTTP/1.1\r\nHost: localhost:5000\r\nUser-Agent: {random}\r\n",
            ];
            foreach (var request in raw)
                await gate.SendRawAsync(request + "Connection: close\r\n\r\n", from: from);
            foreach (var (message, of) in ((string, string?)[])[
                ($$"""{"jsonrpc":"2.0","id":"{{random}}","method":"{{random}}"}""", session),
                (Messages.Call(1, random), session),
                ($$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{random}}}","_meta":{"traceparent":"00-{{{RandomNumberGenerator.GetHexString(32, lowercase: true)}}}-0123456789abcdef-01","io.modelcontextprotocol/protocolVersion":"{{{random}}}"} } }""", session),
                (Messages.Call(1, "echo", new { message = random }), random)])
            {
                using var response = await gate.PostMcpAsync(token, message, session: of);
                await response.TextAsync();
            }
        }
    }

    [Fact]
    public async Task No_secret_is_in_any_metric()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        var gate = await TestGate.StartAsync(new()
        {
            Settings = settings =>
            {
                settings.AdminUrls = TestGate.AdminUrl;
                receiver.Tell(settings.OpenTelemetry);
            },
        });
        var secrets = await SecretTraffic.RunAsync(gate);
        var scrape = await gate.ScrapeAsync();
        await gate.StopAsync();
        await gate.DisposeAsync();

        Assert.NotEmpty(receiver.Metrics);
        Assert.Contains("sallyport.accesses", receiver.Text);
        foreach (var secret in secrets)
        {
            foreach (var form in (string[])[secret, Uri.EscapeDataString(secret)])
            {
                Assert.DoesNotContain(form, scrape.Text);
                Assert.DoesNotContain(form, receiver.Text);
            }
        }
    }

    private static string WordOf(AuditEvent e)
    {
        using var document = JsonDocument.Parse(AuditEventJson.Write(e));
        return document.RootElement.GetProperty("type").GetString()!;
    }
}
