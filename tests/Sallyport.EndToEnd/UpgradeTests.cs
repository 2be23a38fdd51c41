using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>Today's gate takes over the data of every release since the first, as they were left: by a stop, or by a kill.</summary>
public class UpgradeTests
{
    /// <summary>Where the gates of old were reached: their tokens are good there.</summary>
    private const string PublicUrl = "http://localhost:28731";

    public static TheoryData<string, bool> Releases => new()
    {
        { "0.1.0-clean", true },
        { "0.1.0-killed", false },
    };

    [Theory]
    [MemberData(nameof(Releases))]
    public async Task A_gate_starts_on_the_data_of_a_release_and_everything_in_it_is_as_it_was(string release, bool wasClean)
    {
        using var data = new DataFolder();
        var tokens = await UnpackAsync(release, data);
        await using (var gate = await GateProcess.StartAsync(data, Ports.Free(), "--public-url", PublicUrl))
        {
            using var client = new HttpClient { BaseAddress = new(gate.Origin) };
            client.DefaultRequestHeaders.Host = new Uri(PublicUrl).Authority;

            Assert.Equal(HttpStatusCode.BadRequest, await JudgeAsync(client, tokens.FirstAccessToken));
            Assert.Equal(HttpStatusCode.BadRequest, await JudgeAsync(client, tokens.AccessToken));
            Assert.Equal(HttpStatusCode.Unauthorized, await JudgeAsync(client, tokens.RevokedAccessToken));
            using var refreshed = await RefreshAsync(client, tokens.Client, tokens.RefreshToken);
            Assert.Equal(HttpStatusCode.OK, refreshed.StatusCode);
            var newest = (await refreshed.Content.ReadFromJsonAsync<Tokens>(TestContext.Current.CancellationToken))!;
            Assert.Equal(HttpStatusCode.BadRequest, await JudgeAsync(client, newest.AccessToken));
            await gate.StopAsync();
        }

        // The log goes on, and is signed from its first event on.
        var log = await data.ReadLogAsync();
        var starts = log.All<Started>().ToList();
        Assert.Equal(wasClean, starts[^1].AfterCleanStop);
        Assert.Equal(wasClean, starts[^1].BytesCut == 0);
        Assert.Equal(wasClean ? 0 : 1, starts[^1].Recovered);
        Assert.Equal(log.NumberOf(starts[^1]), starts[^1].FollowsSize);
        // One by the code, one by each refresh, one that was revoked.
        Assert.Equal(4, log.All<TokenIssued>().Count());
        var verified = await Executable.RunAsync("audit", "verify", data.Path, "--json");
        Assert.True(verified.ExitCode == (int)ExitCode.Success, verified.Output);
        using var verdict = JsonDocument.Parse(verified.Output);
        Assert.Equal(log.Events.Count, verdict.RootElement.GetProperty("signed_length").GetInt64());
        Assert.Equal(0, verdict.RootElement.GetProperty("first_index").GetInt64());
    }

    [Fact]
    public async Task Data_of_the_first_release_can_be_backed_up_as_it_is_and_restored()
    {
        using var data = new DataFolder();
        await UnpackAsync("0.1.0-clean", data);
        using var restored = new DataFolder();
        var file = Path.Combine(Path.GetDirectoryName(data.Path)!, "backup.tar.gz");

        var backup = await Executable.RunAsync("backup", file, "--data", data.Path);
        Assert.True(backup.ExitCode == (int)ExitCode.Success, backup.Error);
        var restore = await Executable.RunAsync("restore", file, "--data", restored.Path);

        Assert.True(restore.ExitCode == (int)ExitCode.Success, restore.Error);
        var log = await restored.ReadLogAsync();
        Assert.Equal("", log.Single<LogRestored>().PreviousOrigin);
        Assert.Single(log.All<TokenRevoked>());
    }

    [Fact]
    public async Task Data_of_a_gate_that_was_killed_with_changes_not_yet_in_its_log_is_refused_until_it_has_started_once()
    {
        using var data = new DataFolder();
        await UnpackAsync("0.1.0-killed", data);
        var file = Path.Combine(Path.GetDirectoryName(data.Path)!, "backup.tar.gz");

        Faults.Assert(await Executable.RunAsync("backup", file, "--data", data.Path), ExitCode.Unavailable);
        Assert.Equal([data.Path], Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(data.Path)!));

        await using (var gate = await GateProcess.StartAsync(data))
            await gate.StopAsync();
        var backup = await Executable.RunAsync("backup", file, "--data", data.Path);
        Assert.True(backup.ExitCode == (int)ExitCode.Success, backup.Error);
    }

    private static async Task<OldTokens> UnpackAsync(string release, DataFolder data)
    {
        Directory.CreateDirectory(data.Path);
        await using (var archive = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "Data", $"{release}.tar.gz")))
        await using (var tar = new GZipStream(archive, CompressionMode.Decompress))
            await TarFile.ExtractToDirectoryAsync(tar, data.Path, overwriteFiles: false, TestContext.Current.CancellationToken);

        // It is older than its tokens were to become: they are given the time back.
        await using (var connection = new SqliteConnection($"Data Source={Path.Combine(data.Path, "sallyport.db")};Pooling=False"))
        {
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = "UPDATE AccessTokens SET ExpiresAt = 4102444800000; UPDATE RefreshTokens SET ExpiresAt = 4102444800000";
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }
        var tokens = Path.Combine(data.Path, "tokens.json");
        var read = JsonSerializer.Deserialize<OldTokens>(await File.ReadAllBytesAsync(tokens, TestContext.Current.CancellationToken), s_json)!;
        File.Delete(tokens);
        return read;
    }

    private static readonly JsonSerializerOptions s_json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>What a request that lacks its session is answered: that it does, or that its token is no good.</summary>
    private static async Task<HttpStatusCode> JudgeAsync(HttpClient client, string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, "/mcp");
        request.Headers.Host = client.DefaultRequestHeaders.Host;
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        return response.StatusCode;
    }

    private static Task<HttpResponseMessage> RefreshAsync(HttpClient client, string clientId, string token) =>
        client.PostAsync("/token", new FormUrlEncodedContent(new Dictionary<string, string> { ["grant_type"] = "refresh_token", ["refresh_token"] = token, ["client_id"] = clientId }), TestContext.Current.CancellationToken);

    private sealed record OldTokens(string Client, string AccessToken, string RefreshToken, string FirstAccessToken, string RevokedAccessToken);
}
