using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>A database that is locked (STORE-03), or is none any more (STORE-09).</summary>
public sealed class DatabaseTests
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    /// <summary>How long the gate waits for a lock, and what a slow machine adds to it.</summary>
    private static readonly TimeSpan s_busyLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_slack = TimeSpan.FromSeconds(4);

    [Fact]
    public async Task STORE_03_While_another_process_locks_the_database_changes_get_503_after_a_bounded_wait_and_known_tokens_still_get_through()
    {
        var time = TimeProvider.System;
        await using var upstream = await NotingUpstream.StartAsync();
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data, "--upstream", upstream.Url);
        await Executable.AddUserAsync(data, UserName, Password);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var tokens = await client.SignInAsync(UserName, Password);
        using (var called = await client.CallAsync(tokens.AccessToken, "before"))
            Assert.Equal(HttpStatusCode.OK, called.StatusCode);

        await using (var connection = await LockAsync(data))
        {
            var begun = time.GetTimestamp();
            var refreshing = client.RefreshAsync(tokens.RefreshToken);
            using var called = await client.CallAsync(tokens.AccessToken, "during");
            Assert.Equal(HttpStatusCode.OK, called.StatusCode);
            using var refused = await refreshing;
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.Equal("temporarily_unavailable", JsonDocument.Parse(await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("error").GetString());
            Assert.InRange(time.GetElapsedTime(begun), s_busyLimit - s_slack, s_busyLimit + s_slack);
        }

        using var refreshed = await client.RefreshAsync(tokens.RefreshToken);
        await GateClient.ReadTokensAsync(refreshed);
        var log = await Verification.VerifyAsync(data);
        Assert.Equal(["before", "during"], log.All<AccessAllowed>().Select(access => access.Name));
        Assert.Equal(2, log.All<TokenIssued>().Count());
    }

    [Fact]
    public async Task STORE_03_A_lock_that_goes_in_time_costs_nothing_but_the_wait()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        await Executable.AddUserAsync(data, UserName, Password);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var tokens = await client.SignInAsync(UserName, Password);

        Task<HttpResponseMessage> refreshing;
        await using (var connection = await LockAsync(data))
        {
            refreshing = client.RefreshAsync(tokens.RefreshToken);
            // One that needs no lock has been answered meanwhile.
            Assert.True(await client.IsAcceptedAsync(tokens.AccessToken));
            Assert.False(refreshing.IsCompleted);
        }

        using var refreshed = await refreshing;
        await GateClient.ReadTokensAsync(refreshed);
    }

    [Fact]
    public async Task A_gate_starts_on_no_database_that_stays_locked_and_says_why()
    {
        using var data = await UsedDataAsync();
        await using var connection = await LockAsync(data);

        Faults.Assert(await Executable.RunAsync("serve", "--urls", GateProcess.OriginOf(Ports.Free()), "--data", data.Path), ExitCode.Unavailable);
    }

    [Theory]
    [InlineData(Damage.GarbageAtTheHead)]
    [InlineData(Damage.GarbageInTheSchema)]
    [InlineData(Damage.CutInHalf)]
    public async Task STORE_09_A_gate_does_not_start_on_a_damaged_database_says_so_and_changes_nothing(Damage damage)
    {
        using var data = await UsedDataAsync();
        await DamageAsync(data.Database, damage);
        var before = Fingerprints(data);

        var finished = await Executable.RunAsync("serve", "--urls", GateProcess.OriginOf(Ports.Free()), "--data", data.Path);

        Faults.Assert(finished, ExitCode.Unavailable);
        Assert.Contains("backup", finished.Error, StringComparison.Ordinal);
        // SQLite may leave its empty companions beside it.
        Assert.Equal(before, Fingerprints(data).Where(file => before.Any(one => one.Path == file.Path)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_gate_does_not_begin_anew_beside_a_log_whose_database_is_missing_or_empty(bool missing)
    {
        using var data = await UsedDataAsync();
        File.Delete(data.Database);
        if (!missing)
            await File.WriteAllBytesAsync(data.Database, [], TestContext.Current.CancellationToken);
        var before = Fingerprints(data);

        var served = await Executable.RunAsync("serve", "--urls", GateProcess.OriginOf(Ports.Free()), "--data", data.Path);
        var added = await Executable.RunWithInputAsync(Password + "\n", "user", "add", "bob", "--password-stdin", "--data", data.Path);

        Faults.Assert(served, ExitCode.Unavailable);
        Faults.Assert(added, ExitCode.Unavailable);
        Assert.Contains("backup", served.Error, StringComparison.Ordinal);
        Assert.Equal(before, Fingerprints(data));
    }

    /// <summary>Page by page: whether it starts or not, no damaged page makes it give or let through anything that it should not.</summary>
    [Fact]
    public async Task STORE_09_With_any_one_page_damaged_a_gate_refuses_to_start_or_answers_with_errors_and_never_forgets_a_revocation()
    {
        const int Pages = 4;

        var dice = new Dice();
        using var sound = new DataFolder();
        string revoked;
        await using (var gate = await GateProcess.StartAsync(sound))
        {
            await Executable.AddUserAsync(sound, UserName, Password);
            using var client = await GateClient.RegisterAsync(gate.Origin);
            var tokens = await client.SignInAsync(UserName, Password);
            using var revocation = await client.RevokeAsync(tokens.RefreshToken);
            revoked = tokens.AccessToken;
            await gate.StopAsync();
        }
        var pages = new FileInfo(sound.Database).Length / PageBytes;
        for (var i = 0; i < Pages; i++)
        {
            using var data = new DataFolder();
            Copy(sound.Path, data.Path);
            var page = dice.Throw(1, (int)pages - 1);
            await using (var database = File.OpenWrite(data.Database))
            {
                database.Seek((long)page * PageBytes, SeekOrigin.Begin);
                database.Write(RandomNumberGenerator.GetBytes(PageBytes));
            }
            var port = Ports.Free();
            var process = Executable.Start("serve", "--urls", GateProcess.OriginOf(port), "--data", data.Path);
            await using var held = process;
            using var http = new HttpClient();
            HttpResponseMessage? answer = null;
            // The banner begins once the gate listens; a fault may end both right then.
            if (await process.WritesAsync(() => process.Error.Contains("MCP server", StringComparison.Ordinal)))
            {
                try
                {
                    using var request = new HttpRequestMessage(HttpMethod.Delete, GateProcess.OriginOf(port) + "/mcp");
                    request.Headers.Authorization = new("Bearer", revoked);
                    answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
                }
                catch (HttpRequestException)
                {
                }
            }
            if (answer is null)
            {
                // The banner may have begun: it is the first to ask for users.
                var finished = await process.WaitAsync();
                Assert.True(finished.ExitCode == (int)ExitCode.Unavailable, $"Page {page}: {finished.Error}");
                Assert.Contains("sallyport: The database cannot be used", finished.Error, StringComparison.Ordinal);
                Assert.False(finished.Error.Contains("   at ", StringComparison.Ordinal), $"Page {page}: {finished.Error}");
            }
            else
                Assert.True(answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.InternalServerError, $"Page {page}: {answer.StatusCode}");
            answer?.Dispose();
        }
    }

    /// <summary>What may become of a database file.</summary>
    public enum Damage
    {
        GarbageAtTheHead,
        GarbageInTheSchema,
        CutInHalf,
    }

    private const int PageBytes = 4096;

    private static async Task DamageAsync(string path, Damage damage)
    {
        var bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        switch (damage)
        {
            case Damage.GarbageAtTheHead:
                RandomNumberGenerator.Fill(bytes.AsSpan(0, 512));
                break;
            case Damage.GarbageInTheSchema:
                RandomNumberGenerator.Fill(bytes.AsSpan(100, PageBytes - 100));
                break;
            case Damage.CutInHalf:
                bytes = bytes[..(bytes.Length / 2 / PageBytes * PageBytes)];
                break;
        }
        await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);
    }

    /// <summary>Of a gate that has had a user and a client, and was stopped.</summary>
    private static async Task<DataFolder> UsedDataAsync()
    {
        var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        await Executable.AddUserAsync(data, UserName, Password);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        await client.SignInAsync(UserName, Password);
        await gate.StopAsync();
        Assert.False(File.Exists(data.Database + "-wal"), "A gate that stops leaves one file");
        return data;
    }

    /// <summary>Locks it for writing until it is disposed.</summary>
    private static async Task<SqliteConnection> LockAsync(DataFolder data)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = data.Database, Pooling = false }.ToString());
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var begin = connection.CreateCommand();
        begin.CommandText = "BEGIN EXCLUSIVE";
        await begin.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        return connection;
    }

    private static List<(string Path, string Hash)> Fingerprints(DataFolder data) =>
        [.. Directory.EnumerateFiles(data.Path, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(path => (path, Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))))];

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (var directory in Directory.EnumerateDirectories(from))
            Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
    }
}
