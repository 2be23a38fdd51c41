using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Findings;

namespace Sallyport.Tests.Findings;

/// <summary>Findings go to a receiver of the operator's, signed as Standard Webhooks 1.0.0 has it.</summary>
public class WebhookTests
{
    private const string Variable = "FINDINGS_TEST_SECRET";
    private static readonly byte[] s_secret = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];

    static WebhookTests() => Environment.SetEnvironmentVariable(Variable, "whsec_" + Convert.ToBase64String(s_secret));

    [Fact]
    public async Task A_finding_is_sent_as_it_stands_in_the_log_and_signed()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var gate = await StartAsync(receiver);
        await FindingsTests.ReuseAsync(gate);
        var finding = await FindingsTests.FindingAsync(gate);

        var got = await receiver.NextAsync();

        Assert.Equal(("POST", "application/json", finding.Id), (got.Method, got.Headers["Content-Type"], got.Headers["webhook-id"]));
        got.AssertSigned();
        Assert.Equal(gate.Time.GetUtcNow().ToUnixTimeSeconds(), long.Parse(got.Headers["webhook-timestamp"]!, CultureInfo.InvariantCulture), 5.0);
        using var body = JsonDocument.Parse(got.Body);
        Assert.Equal("finding.raised", body.RootElement.GetProperty("type").GetString());
        Assert.Equal(finding.Time, body.RootElement.GetProperty("timestamp").GetDateTimeOffset());
        var data = body.RootElement.GetProperty("data");
        Assert.Equal(gate.Events()[data.GetProperty("number").GetInt32()].Id, finding.Id);
        Assert.Equal(Encoding.UTF8.GetString(AuditEventJson.Write(finding)), data.GetProperty("event").GetRawText());
    }

    /// <summary>The example that the libraries of github.com/standard-webhooks test themselves with.</summary>
    [Fact]
    public void The_signature_is_that_of_the_specification()
    {
        var setting = WebhookSetting.Read("https://hooks.example/", "X", _ => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", [])!;

        Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", setting.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}"u8.ToArray()));
    }

    [Fact]
    public async Task What_fails_comes_again_under_the_same_id_later_and_later()
    {
        await using var receiver = await Receiver.StartAsync(500, 302, 429, 204);
        await using var gate = await StartAsync(receiver);
        await FindingsTests.ReuseAsync(gate);
        var mark = gate.Time.Timers;
        var finding = await FindingsTests.FindingAsync(gate);

        for (var attempt = 1; attempt <= 4; attempt++)
        {
            var got = await receiver.NextAsync();
            Assert.Equal(finding.Id, got.Headers["webhook-id"]);
            Assert.InRange(long.Parse(got.Headers["webhook-timestamp"]!, CultureInfo.InvariantCulture), gate.Time.GetUtcNow().ToUnixTimeSeconds() - 1, gate.Time.GetUtcNow().ToUnixTimeSeconds());
            got.AssertSigned();
            if (attempt < 4)
                mark = await PauseAsync(gate, mark, attempt);
        }

        await AssertLoggedAsync(gate, "takes findings again");
        Assert.Single(gate.Log.Lines, line => line.Contains("could not be sent to the webhook", StringComparison.Ordinal));
        Assert.Equal(0, receiver.Unread);
    }

    [Fact]
    public async Task One_that_hangs_is_left_and_holds_nothing_up()
    {
        await using var receiver = await Receiver.StartAsync(Receiver.Hang, 200);
        await using var gate = await StartAsync(receiver);
        await FindingsTests.ReuseAsync(gate);
        var mark = gate.Time.Timers;
        await FindingsTests.FindingAsync(gate);
        await receiver.NextAsync();

        // The gate serves meanwhile.
        Assert.Equal(HttpStatusCode.OK, (await gate.Http.GetAsync("/healthz", TestContext.Current.CancellationToken)).StatusCode);
        await TestClient.RegisterAsync(gate);

        gate.Time.Advance(Webhook.Patience);
        await PauseAsync(gate, mark, failures: 1);
        (await receiver.NextAsync()).AssertSigned();
        Assert.Contains(gate.Log.Lines, line => line.Contains("no answer within 15 s", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_that_is_gone_gets_no_more()
    {
        await using var receiver = await Receiver.StartAsync(410);
        await using var gate = await StartAsync(receiver);
        await FindingsTests.ReuseAsync(gate);
        await FindingsTests.FindingAsync(gate);
        await receiver.NextAsync();
        await AssertLoggedAsync(gate, "it is gone (410)");
        await FindingsTests.ReuseAsync(gate);
        Assert.Equal(2, (await FindingsTests.FindingsAsync(gate)).Count);
        gate.Time.Advance(TimeSpan.FromHours(2));
        await FindingsTests.RoundAsync(gate);

        Assert.Equal(0, receiver.Unread);
    }

    [Fact]
    public async Task What_cannot_be_delivered_for_a_day_is_given_up_and_told()
    {
        await using var receiver = await Receiver.StartAsync(503, 503);
        await using var gate = await StartAsync(receiver);
        await FindingsTests.ReuseAsync(gate);
        var mark = gate.Time.Timers;
        await FindingsTests.FindingAsync(gate);
        await receiver.NextAsync();
        await gate.Time.NextTimerAsync(mark, Webhook.PauseAfter(1, 0), Webhook.PauseAfter(1, 1));
        gate.Time.Advance(Webhook.GivenUpAfter);
        await receiver.NextAsync();

        await AssertLoggedAsync(gate, "is given up");
        var line = Assert.Single(gate.Log.Lines, line => line.Contains("is given up", StringComparison.Ordinal));
        Assert.StartsWith("Error The finding reuse (event ", line, StringComparison.Ordinal);
        Assert.Contains("after 2 attempts (it answers 503)", line, StringComparison.Ordinal);
        Assert.DoesNotContain("hook-path", string.Join('\n', gate.Log.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_not_delivered_when_the_gate_stops_is_told()
    {
        await using var receiver = await Receiver.StartAsync(503);
        await using var gate = await StartAsync(receiver);
        await FindingsTests.ReuseAsync(gate);
        var mark = gate.Time.Timers;
        await FindingsTests.FindingAsync(gate);
        await receiver.NextAsync();
        await gate.Time.NextTimerAsync(mark, Webhook.PauseAfter(1, 0), Webhook.PauseAfter(1, 1));
        await gate.StopAsync();

        Assert.Contains(gate.Log.Lines, line => line.Contains("The gate stops, and of its findings 1 were not delivered", StringComparison.Ordinal));
    }

    [Fact]
    public void Pauses_grow_to_an_hour_and_are_never_quite_the_same()
    {
        Assert.Equal([5, 20, 80, 320, 1280, 3600, 3600], Enumerable.Range(1, 7).Select(failures => Webhook.PauseAfter(failures, 0.5).TotalSeconds));
        Assert.Equal((4, 6), (Webhook.PauseAfter(1, 0).TotalSeconds, Webhook.PauseAfter(1, 1).TotalSeconds));
        Assert.Equal(3600, Webhook.PauseAfter(int.MaxValue, 0.5).TotalSeconds);
    }

    [Theory]
    [InlineData("http://hooks.example/", Variable, "webhook-url")]
    [InlineData("ftp://hooks.example/", Variable, "webhook-url")]
    [InlineData("hooks.example", Variable, "webhook-url")]
    [InlineData("https://user:word@hooks.example/", Variable, "webhook-url")]
    [InlineData("https://hooks.example/#f", Variable, "webhook-url")]
    [InlineData(null, Variable, "webhook-url")]
    [InlineData("https://hooks.example/", null, "webhook-secret-env")]
    [InlineData("https://hooks.example/", "NOT_THERE_AT_ALL", "webhook-secret-env")]
    [InlineData("https://hooks.example/", "whsec_c2VjcmV0", "webhook-secret-env")]
    [InlineData("https://hooks.example/", "PATH", "webhook-secret-env")]
    public void A_setting_that_cannot_be_is_a_fault_that_shows_no_secret(string? url, string? variable, string setting)
    {
        var faults = new List<ConfigurationFault>();

        Assert.Null(WebhookSetting.Read(url, variable, Environment.GetEnvironmentVariable, faults));
        var fault = Assert.Single(faults);
        Assert.Equal(setting, fault.Setting);
        Assert.DoesNotContain("c2VjcmV0", fault.Problem + fault.Hint, StringComparison.Ordinal);
        Assert.DoesNotContain("word", fault.Problem + fault.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://hooks.example/x?y=z")]
    [InlineData("http://localhost:9000/")]
    [InlineData("http://[::1]:9000/")]
    public void Https_and_loopback_can_be_and_no_text_shows_the_secret(string url)
    {
        var setting = Read(url, Variable)!;

        Assert.Equal(url, setting.Url.ToString());
        Assert.DoesNotContain(Convert.ToBase64String(s_secret), setting.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(23, false)]
    [InlineData(24, true)]
    [InlineData(64, true)]
    [InlineData(65, false)]
    public void A_secret_has_192_to_512_bits(int bytes, bool isGood)
    {
        var secret = "whsec_" + Convert.ToBase64String(new byte[bytes]);

        Assert.Equal(isGood, WebhookSetting.Read("https://hooks.example/", "X", _ => secret, []) is not null);
    }

    private static WebhookSetting? Read(string url, string variable) => WebhookSetting.Read(url, variable, Environment.GetEnvironmentVariable, []);

    private static Task<TestGate> StartAsync(Receiver receiver) => TestGate.StartAsync(new()
    {
        Settings = settings => (settings.WebhookUrl, settings.WebhookSecretEnv) = (receiver.Url, Variable),
    });

    /// <summary>Waits until the next attempt is due, and lets it be.</summary>
    /// <returns>How many timers there were then.</returns>
    private static async Task<int> PauseAsync(TestGate gate, int mark, int failures)
    {
        var due = await gate.Time.NextTimerAsync(mark, Webhook.PauseAfter(failures, 0), Webhook.PauseAfter(failures, 1) + TimeSpan.FromMilliseconds(1));
        mark = gate.Time.Timers;
        gate.Time.Advance(due);
        return mark;
    }

    private static async Task AssertLoggedAsync(TestGate gate, string what)
    {
        for (var begun = TimeProvider.System.GetTimestamp(); !gate.Log.Lines.Any(line => line.Contains(what, StringComparison.Ordinal));)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(30), what);
            // Time stands still: an answer that is on its way must not come too late.
            await gate.Services.GetRequiredService<AuditLog>().SyncAsync();
        }
    }

    private sealed record Delivered(string Method, IReadOnlyDictionary<string, string?> Headers, byte[] Body)
    {
        public void AssertSigned()
        {
            var signed = Encoding.UTF8.GetBytes($"{Headers["webhook-id"]}.{Headers["webhook-timestamp"]}.{Encoding.UTF8.GetString(Body)}");
            Assert.Equal("v1," + Convert.ToBase64String(HMACSHA256.HashData(s_secret, signed)), Headers["webhook-signature"]);
        }
    }

    /// <summary>Answers as it was told, then with 200.</summary>
    private sealed class Receiver : IAsyncDisposable
    {
        public const int Hang = 0;

        private readonly Channel<Delivered> _got = Channel.CreateUnbounded<Delivered>();
        private HttpServer? _server;

        public string Url => _server!.Url.Replace("/mcp", "/hook-path", StringComparison.Ordinal);

        public int Unread => _got.Reader.Count;

        public static async Task<Receiver> StartAsync(params int[] answers)
        {
            var (receiver, left) = (new Receiver(), new ConcurrentQueue<int>(answers));
            receiver._server = await HttpServer.StartAsync(async context =>
            {
                using var body = new MemoryStream();
                await context.Request.Body.CopyToAsync(body);
                var answer = left.TryDequeue(out var next) ? next : 200;
                await receiver._got.Writer.WriteAsync(new(context.Request.Method, context.Request.Headers.ToDictionary(header => header.Key, header => (string?)header.Value.ToString(), StringComparer.OrdinalIgnoreCase), body.ToArray()));
                if (answer == Hang)
                {
                    await context.LeftAsync();
                    return;
                }
                context.Response.StatusCode = answer;
                if (answer == 302)
                    context.Response.Headers.Location = "/elsewhere";
            });
            return receiver;
        }

        public async Task<Delivered> NextAsync() =>
            await _got.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);

        public ValueTask DisposeAsync() => _server!.DisposeAsync();
    }
}
