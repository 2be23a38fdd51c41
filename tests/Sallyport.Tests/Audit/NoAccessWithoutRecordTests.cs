using Microsoft.Data.Sqlite;
using Sallyport.Server.Audit;

namespace Sallyport.Tests.Audit;

public class NoAccessWithoutRecordTests
{
    private static Task<TestGate> GateAsync(FaultyDisk disk, CountingUpstream upstream) =>
        TestGate.StartAsync(new() { Journal = disk.Options, Settings = s => s.Upstreams = [upstream.Url] });

    [Fact]
    public async Task When_the_record_cannot_be_written_the_upstream_sees_no_byte_and_the_gate_closes()
    {
        var disk = new FaultyDisk();
        await using var upstream = new CountingUpstream();
        await using var gate = await GateAsync(disk, upstream);
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        disk.Fails = true;
        var refused = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        disk.Fails = false;
        var later = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        var registration = await gate.Http.PostAsync("/register", new StringContent("{}"), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("temporarily_unavailable", await refused.ErrorAsync());
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.ServiceUnavailable), (later.StatusCode, registration.StatusCode));
        Assert.Equal(0, upstream.Bytes);
        Assert.Empty(gate.Events<AccessAllowed>());
        Assert.Contains(gate.Log.Lines, line => line.StartsWith("Critical", StringComparison.Ordinal));
    }

    [Fact]
    public async Task STORE_02_A_commit_that_fails_by_itself_gives_nobody_anything_and_leaves_the_code_as_it_was()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var code = await client.CodeAsync();
        var events = gate.Events().Count;
        // All statements of a change succeed, and a reference that is judged at its end does not hold.
        await ChangeDatabaseAsync(gate, """
            CREATE TABLE Absent (Id INTEGER PRIMARY KEY);
            CREATE TABLE Refused (Id INTEGER REFERENCES Absent (Id) DEFERRABLE INITIALLY DEFERRED);
            CREATE TRIGGER AtCommit AFTER INSERT ON Outbox BEGIN INSERT INTO Refused VALUES (1); END
            """);

        var exchanged = await client.ExchangeAsync(code);
        var registered = await gate.Http.PostAsync(
            "/register", new StringContent("""{"redirect_uris":["https://other.example/cb"]}""", System.Text.Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken);

        foreach (var response in new[] { exchanged, registered })
        {
            Assert.InRange((int)response.StatusCode, 500, 503);
            var body = await response.TextAsync();
            Assert.DoesNotContain("access_token", body, StringComparison.Ordinal);
            Assert.DoesNotContain("client_id", body, StringComparison.Ordinal);
        }
        Assert.DoesNotContain(gate.Events().Skip(events), e => e is TokenIssued or ClientRegistered or TokenRefused);

        await ChangeDatabaseAsync(gate, "DROP TRIGGER AtCommit; DROP TABLE Refused; DROP TABLE Absent");
        await TestClient.ReadAsync(await client.ExchangeAsync(code));
        Assert.Single(gate.Events<TokenIssued>());
    }

    private static async Task ChangeDatabaseAsync(TestGate gate, string sql)
    {
        await using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = Path.Combine(gate.Data, "sallyport.db"), Pooling = false }.ToString());
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task When_the_record_does_not_come_the_caller_gets_503_in_time_and_the_upstream_sees_no_byte()
    {
        var disk = new FaultyDisk();
        await using var upstream = new CountingUpstream();
        await using var gate = await GateAsync(disk, upstream);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        disk.Hang();
        var posting = gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        await disk.Reached.WaitAsync(TestContext.Current.CancellationToken);
        while (!posting.IsCompleted)
        {
            // The wait for the record may not have begun yet when time moves.
            gate.Time.Advance(TimeSpan.FromSeconds(5));
            await Task.Yield();
        }
        var refused = await posting;

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal(0, upstream.Bytes);
        disk.GoOn();
        await gate.StopAsync();
        var access = gate.Events<AccessAllowed>().Single();
        Assert.Equal(new AccessFailure(access.Id, Reason.RecordLate), gate.Events<AccessOutcome>().Single().NotForwarded.Single());
        Assert.Equal(0, upstream.Bytes);
    }

    [Fact]
    public async Task While_the_record_is_being_written_the_upstream_waits_for_it()
    {
        var disk = new FaultyDisk();
        await using var upstream = new CountingUpstream();
        await using var gate = await GateAsync(disk, upstream);
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();

        disk.Hang();
        var posting = gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        await disk.Reached.WaitAsync(TestContext.Current.CancellationToken);
        var refusal = gate.Http.GetAsync("/mcp", TestContext.Current.CancellationToken);
        Assert.False(upstream.Touched.IsCompleted);
        Assert.Empty(gate.Events<AccessAllowed>());
        disk.GoOn();
        await upstream.Touched.WaitAsync(TestContext.Current.CancellationToken);

        Assert.Single(gate.Events<AccessAllowed>());
        Assert.Equal(HttpStatusCode.Unauthorized, (await refusal).StatusCode);
        Assert.False(posting.IsCompleted);
    }

    [Fact]
    public async Task A_refusal_that_cannot_be_recorded_is_answered_503_too()
    {
        var disk = new FaultyDisk();
        await using var gate = await TestGate.StartAsync(new() { Journal = disk.Options });

        disk.Fails = true;

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await gate.Http.GetAsync("/mcp", TestContext.Current.CancellationToken)).StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await gate.Http.GetAsync("/healthz", TestContext.Current.CancellationToken)).StatusCode);
    }

    [Fact]
    public async Task A_change_that_was_committed_when_the_log_failed_is_in_the_log_after_the_next_start()
    {
        using var data = new TestData();
        var disk = new FaultyDisk();
        string code;
        TestClient client;
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Journal = disk.Options }))
        {
            client = await TestClient.RegisterAsync(gate);
            code = await client.CodeAsync();
            disk.Fails = true;
            var exchanged = await client.ExchangeAsync(code);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, exchanged.StatusCode);
            Assert.DoesNotContain("sp_at_", await exchanged.TextAsync());
            Assert.Empty(gate.Events<TokenIssued>());
        }

        await using var next = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);

        // Read once: the gate goes on writing.
        var events = next.Events();
        var started = events.OfType<Started>().Last();
        Assert.Equal((1, false), (started.Recovered, started.AfterCleanStop));
        Assert.True(started.BytesCut > 0);
        Assert.Single(events.OfType<TokenIssued>());
        Assert.Equal(events.Count, events.Select(e => e.Id).Distinct().Count());
    }

    [Fact]
    public async Task A_start_after_a_clean_stop_recovers_nothing_and_says_so()
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
            await TestClient.RegisterAsync(gate);

        await using var next = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);

        var started = next.Events<Started>().Last();
        Assert.Equal((0, true, 0L), (started.Recovered, started.AfterCleanStop, started.BytesCut));
        Assert.Single(next.Events<ClientRegistered>());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(40)]
    public async Task A_record_that_was_torn_at_the_end_is_cut_off_and_the_start_says_how_much(int bytesLeft)
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
            await TestClient.RegisterAsync(gate);
        var path = JournalFiles.Segments(data.Log).Single().Path;
        var whole = new FileInfo(path).Length;
        var record = (await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken))[..bytesLeft];
        await File.AppendAllBytesAsync(path, record, TestContext.Current.CancellationToken);

        await using var next = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);

        var started = next.Events<Started>().Last();
        Assert.Equal((bytesLeft, false), (started.BytesCut, started.AfterCleanStop));
        Assert.Single(next.Events<ClientRegistered>());
    }

    [Fact]
    public async Task A_log_that_is_damaged_in_its_midst_is_kept_as_it_is_and_the_gate_does_not_start()
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
            await TestClient.RegisterAsync(gate);
        var path = JournalFiles.Segments(data.Log).Single().Path;
        var bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        bytes[20] ^= 1;
        await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<DamagedLogException>(() => TestGate.StartAsync(new() { Data = data.Root }, withUser: false));

        Assert.Equal(bytes, await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
    }
}
