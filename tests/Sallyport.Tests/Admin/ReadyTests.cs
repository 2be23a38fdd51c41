using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Tests.Admin;

/// <summary>/readyz: 200, or 503 and what is missing.</summary>
public class ReadyTests
{
    private static TestGateOptions Options(Action<GateSettings>? settings = null) => new()
    {
        Settings = all =>
        {
            all.AdminUrls = TestGate.AdminUrl;
            settings?.Invoke(all);
        },
    };

    private static async Task<(HttpStatusCode Status, string[] Missing, JsonElement Body)> AskAsync(TestGate gate)
    {
        using var response = await gate.NewAdminClient().GetAsync("/readyz", TestContext.Current.CancellationToken);
        var body = await response.JsonAsync();
        Assert.Equal(response.StatusCode == HttpStatusCode.OK, body.GetProperty("ready").GetBoolean());
        return (response.StatusCode, [.. body.GetProperty("missing").EnumerateArray().Select(word => word.GetString()!)], body);
    }

    private static HeartbeatAnswered Round(TestGate gate, params HeartbeatAnswer[] answers) => new()
    {
        Id = AuditLog.NewId(),
        Audience = gate.Configuration.Default.Audience,
        Interval = 300,
        Ways = ["POST /mcp"],
        Answers = answers,
    };

    private static readonly HeartbeatAnswer s_right = new(HeartbeatClass.None, ByGate: true, 401, Reason.TokenMissing);
    private static readonly HeartbeatAnswer s_wrong = new(HeartbeatClass.None, ByGate: false, 200);
    private static readonly HeartbeatAnswer s_away = new(HeartbeatClass.None, ByGate: false);

    [Fact]
    public async Task A_gate_that_is_well_is_ready()
    {
        await using var gate = await TestGate.StartAsync(Options(), withUser: false);

        Assert.Equal((HttpStatusCode.OK, []), await AskAsync(gate) is var (status, missing, _) ? (status, missing) : default);
    }

    [Fact]
    public async Task A_gate_whose_log_failed_is_not()
    {
        await using var gate = await TestGate.StartAsync(Options() with { IsBroken = true }, withUser: false);
        gate.Services.GetRequiredService<AuditLog>().Close(new IOException("the disk is gone"));

        var (status, missing, _) = await AskAsync(gate);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Equal(["log.closed"], missing);
        Assert.Equal(0, (await gate.ScrapeAsync()).Value("sallyport_log_open"));
    }

    [Fact]
    public async Task A_gate_whose_database_is_gone_is_not()
    {
        await using var gate = await TestGate.StartAsync(Options(), withUser: false);
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        var database = Path.Combine(gate.Data, "sallyport.db");
        File.Move(database, database + ".away");
        Directory.CreateDirectory(database);

        var (status, missing, _) = await AskAsync(gate);
        Directory.Delete(database);
        File.Move(database + ".away", database);
        var (after, _, _) = await AskAsync(gate);

        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK), (status, after));
        Assert.Equal(["database.away"], missing);
    }

    [Fact]
    public async Task An_upstream_that_does_not_answer_is_told_and_is_no_reason()
    {
        await using var gate = await TestGate.StartAsync(Options(settings => settings.Upstreams = ["http://127.0.0.1:9/mcp"]));
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var (_, _, before) = await AskAsync(gate);
        using var response = await gate.PostMcpAsync(token, Messages.Initialize);

        var (status, _, after) = await AskAsync(gate);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(("ok", "upstream.unreachable"), (before.GetProperty("upstreams").GetProperty("/").GetString(), after.GetProperty("upstreams").GetProperty("/").GetString()));
        Assert.Equal(0, (await gate.ScrapeAsync()).Value("sallyport_upstream_up"));
    }

    [Theory]
    [InlineData("text/html", "<h1>It works!</h1>", "upstream.malformed")]
    [InlineData("application/json", "<h1>It works!</h1>", "upstream.malformed")]
    [InlineData("text/event-stream", "data: <h1>It works!</h1>\n\n", "upstream.malformed")]
    [InlineData("text/event-stream", ": nothing\n\n", "upstream.ended")]
    public async Task An_upstream_whose_answers_cannot_be_used_is_told_and_once_in_the_log_until_one_can_be(string type, string body, string reason)
    {
        var (isWell, answer) = (false, """{"jsonrpc":"2.0","id":1,"result":{}}""");
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            context.Response.ContentType = isWell ? "application/json" : type;
            return context.Response.WriteAsync(isWell ? answer : body);
        });
        await using var gate = await TestGate.StartAsync(Options(settings => settings.Upstreams = [upstream.Url]));
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        async Task<string> StateAsync() => (await AskAsync(gate)).Body.GetProperty("upstreams").GetProperty("/").GetString()!;

        for (var i = 0; i < 3; i++)
            await (await gate.PostMcpAsync(token, Messages.Call(1, "x"))).TextAsync();
        var (before, up) = (await StateAsync(), (await gate.ScrapeAsync()).Value("sallyport_upstream_up"));
        isWell = true;
        for (var i = 0; i < 3; i++)
            await (await gate.PostMcpAsync(token, Messages.Call(1, "x"))).TextAsync();
        var (after, upAgain) = (await StateAsync(), (await gate.ScrapeAsync()).Value("sallyport_upstream_up"));

        Assert.Equal((reason, 0.0, "ok", 1.0), (before, up, after, upAgain));
        Assert.Single(gate.Log.Lines, line => line.Contains($"gives no usable answer ({reason})", StringComparison.Ordinal));
        Assert.Single(gate.Log.Lines, line => line.Contains("answers again", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_wrong_answer_to_a_heartbeat_turns_it_red_where_the_operator_wants_that_until_the_next_round_is_right()
    {
        await using var wanted = await TestGate.StartAsync(Options(settings => (settings.ReadyNeedsHeartbeats, settings.HeartbeatSeconds) = (true, 86_400)) with { IsBroken = true, Services = WithoutBeats }, withUser: false);
        await using var unwanted = await TestGate.StartAsync(Options() with { IsBroken = true }, withUser: false);
        foreach (var gate in (TestGate[])[wanted, unwanted])
        {
            await gate.EventAsync<Started>();
            await gate.Services.GetRequiredService<AuditLog>().AppendAsync(Round(gate, s_right, s_wrong));
        }

        var (status, missing, _) = await AskAsync(wanted);
        var (elsewhere, _, _) = await AskAsync(unwanted);
        await wanted.Services.GetRequiredService<AuditLog>().AppendAsync(Round(wanted, s_right));
        var (after, _, _) = await AskAsync(wanted);

        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK, HttpStatusCode.OK), (status, elsewhere, after));
        Assert.Equal(["heartbeat.wrong"], missing);
    }

    [Fact]
    public async Task A_public_address_that_cannot_be_reached_turns_it_not_red_for_it_may_be_reached_once_the_gate_is_ready()
    {
        await using var gate = await TestGate.StartAsync(Options(settings => (settings.ReadyNeedsHeartbeats, settings.HeartbeatSeconds) = (true, 86_400)), withUser: false);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(gate)).Status);
        await gate.Services.GetRequiredService<AuditLog>().AppendAsync(Round(gate, s_away));

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(gate)).Status);
    }

    /// <summary>A gate's heartbeats wait for nobody: what would beat is not there.</summary>
    private static void WithoutBeats(IServiceCollection services) => services.Remove(services.Single(service => service.ImplementationType?.Name == "HeartbeatService"));

    [Fact]
    public async Task Rounds_that_no_longer_come_turn_it_red()
    {
        await using var gate = await TestGate.StartAsync(
            Options(settings => (settings.ReadyNeedsHeartbeats, settings.HeartbeatSeconds) = (true, 10)) with { Services = WithoutBeats }, withUser: false);
        var before = await AskAsync(gate);
        gate.Time.Advance(TimeSpan.FromMinutes(3));

        var (status, missing, _) = await AskAsync(gate);

        Assert.Equal(HttpStatusCode.OK, before.Status);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Equal(["heartbeat.missing"], missing);
    }

    [Fact]
    public void To_need_heartbeats_and_send_none_is_a_fault()
    {
        Assert.Null(GateConfiguration.From(new() { ReadyNeedsHeartbeats = true, HeartbeatSeconds = 0, Data = "data" }, out var faults));

        Assert.Equal("ready-needs-heartbeats", Assert.Single(faults).Setting);
    }

    [Fact]
    public async Task A_gate_that_stops_says_so_to_who_still_asks()
    {
        await using var gate = await TestGate.StartAsync(Options(), withUser: false);
        gate.Services.GetRequiredService<Microsoft.Extensions.Hosting.IHostApplicationLifetime>().StopApplication();

        var (status, missing, _) = await AskAsync(gate);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Equal(["stopping"], missing);
    }
}
