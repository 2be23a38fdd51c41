using System.Buffers.Binary;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Storage;

namespace Sallyport.Tests.Audit;

/// <summary>
/// The gate ends after each commit that its database has ever seen, and the log has got as far as it may have (STORE-01, AUD-13):
/// to just before the next change, somewhere before that, or no further than it was synced.
/// </summary>
public class CommittedStatesTests
{
    [Fact]
    public async Task A_database_file_that_is_still_empty_becomes_one_with_a_write_ahead_log()
    {
        using var data = new TestData(inMemory: true);
        await File.WriteAllBytesAsync(Path.Combine(data.Root, "sallyport.db"), [], TestContext.Current.CancellationToken);

        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });

        await (await TestClient.RegisterAsync(gate)).TokensAsync();
        // https://www.sqlite.org/fileformat2.html: bytes 18 and 19 are 2 where there is one.
        using var database = new FileStream(Path.Combine(data.Root, "sallyport.db"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var head = new byte[20];
        await database.ReadExactlyAsync(head, TestContext.Current.CancellationToken);
        Assert.Equal([2, 2], head[18..]);
    }

    [Fact]
    public async Task STORE_01_AUD_13_Whichever_commit_was_the_last_and_however_far_the_log_had_got_the_next_start_makes_them_agree()
    {
        using var story = new TestData(inMemory: true);
        await TellAsync(story);
        var wal = await File.ReadAllBytesAsync(Path.Combine(story.Root, "sallyport.db-wal"), TestContext.Current.CancellationToken);
        var journal = await File.ReadAllBytesAsync(JournalFiles.Segments(story.Log).Single().Path, TestContext.Current.CancellationToken);
        var leaves = JournalFiles.ReadAll(story.Log).ToList();
        var commits = Commits(wal).ToList();
        var signed = leaves.Max(leaf => (leaf.Event as CheckpointSigned)?.Size) ?? 1;
        var starts = 0;
        var mostChanges = 0;

        foreach (var commit in commits)
        {
            var changes = await ReadOutboxAsync(story.Root, wal[..commit]);
            mostChanges = Math.Max(mostChanges, changes?.Count ?? 0);
            // The log ends before the first change that is not committed yet. Without an outbox it was not even opened.
            var later = changes is null ? [] : (await ReadOutboxAsync(story.Root, wal))!.Skip(changes.Count).ToHashSet();
            var legal = changes is null ? 0 : leaves.TakeWhile(leaf => !later.Contains(leaf.Event.Id)).Count();
            // Synced is only the start event, and that only once it is there; torn is whatever comes next.
            foreach (var (kept, torn) in new[] { (legal, 0), (legal, 11), (legal / 2, 11), (Math.Min(legal, 1), 0) }.Distinct())
            {
                using var data = new TestData(inMemory: true);
                data.CopyFrom(story);
                await File.WriteAllBytesAsync(Path.Combine(data.Root, "sallyport.db-wal"), wal[..commit], TestContext.Current.CancellationToken);
                var whole = leaves.Take(kept).Sum(leaf => Sallyport.Proof.Journal.JournalRecord.SizeOf(leaf.Bytes.Length));
                var tail = kept < leaves.Count ? torn : 0;
                await File.WriteAllBytesAsync(JournalFiles.PathOf(data.Log, 0), journal[..(whole + tail)], TestContext.Current.CancellationToken);

                // A checkpoint signs what was synced before: of a log that had not got there, nothing was signed yet.
                foreach (var name in kept < signed ? new[] { ILogStore.Checkpoint, ILogStore.Checkpoints } : [])
                    File.Delete(Path.Combine(data.Log, name));

                await using var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);

                var events = gate.Events();
                Assert.Equal(leaves.Take(kept).Select(leaf => leaf.Event.Id), events.Take(kept).Select(e => e.Id));
                var start = Assert.IsType<Started>(events[kept]);
                var missing = (changes ?? []).Except(leaves.Take(kept).Select(leaf => leaf.Event.Id)).ToList();
                Assert.Equal((missing.Count, tail), (start.Recovered, (int)start.BytesCut));
                Assert.Equal(missing, events.Skip(kept + 1).Where(e => e is not (CheckpointSigned or FindingRaised)).Select(e => e.Id));
                await AssertAgreesAsync(gate);
                starts++;
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{commits.Count} commits, {mostChanges} events of changes, {starts} starts");
        Assert.True(mostChanges >= 15, $"The story has only {mostChanges} events of changes");
    }

    /// <summary>Some of everything that changes stored state; then what lies on the disk, while the outbox still holds it all.</summary>
    private static async Task TellAsync(TestData copy)
    {
        // The first gate of all closes every database of this process once, which would empty this one's write-ahead log.
        await using (await TestGate.StartAsync())
        {
        }
        using var data = new TestData(inMemory: true);
        // Its clock stands still: no sweep runs.
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });
        var client = await TestClient.RegisterAsync(gate);
        var code = await client.CodeAsync();
        var tokens = await TestClient.ReadAsync(await client.ExchangeAsync(code));
        var refreshed = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));
        await client.RefreshAsync(tokens.RefreshToken!);
        await gate.PostMcpAsync(refreshed.AccessToken, Messages.Initialize);
        await client.RevokeAsync(refreshed.AccessToken);
        var other = await TestClient.RegisterAsync(gate, "client_secret_post");
        var wrong = await other.CodeAsync();
        await other.ExchangeAsync(wrong, ("code_verifier", client.Verifier));
        var otherTokens = await other.TokensAsync();
        await other.RevokeAsync(otherTokens.RefreshToken!);
        await client.ExchangeAsync(code);
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        await client.TokensAsync();
        await gate.AddUserAsync("bob");
        copy.CopyFrom(data);
    }

    /// <summary>Each row has its event and each event its row.</summary>
    private static async Task AssertAgreesAsync(TestGate gate)
    {
        await using var db = await gate.Services.GetRequiredService<IDbContextFactory<SallyportDb>>().CreateDbContextAsync(TestContext.Current.CancellationToken);
        var events = gate.Events();
        Assert.Equal(events.Count, events.Select(e => e.Id).Distinct().Count());
        var clients = await db.Clients.AsNoTracking().ToListAsync(TestContext.Current.CancellationToken);
        var users = await db.Users.AsNoTracking().ToListAsync(TestContext.Current.CancellationToken);
        var grants = await db.Grants.AsNoTracking().ToListAsync(TestContext.Current.CancellationToken);
        var accessTokens = await db.AccessTokens.AsNoTracking().ToListAsync(TestContext.Current.CancellationToken);
        var refreshTokens = await db.RefreshTokens.AsNoTracking().ToListAsync(TestContext.Current.CancellationToken);

        Same(clients.Select(client => client.Id), Of<ClientRegistered>(e => e.Client));
        Same(users.Select(user => user.Id), Of<OperatorActed>(e => e.Target));
        Same(grants.Select(grant => grant.ConsentId), Of<ConsentGiven>(e => e.Consent));
        Same(grants.Select(grant => grant.CodeId), Of<CodeIssued>(e => e.Code));
        Same(accessTokens.Select(token => token.Id), Of<TokenIssued>(e => e.Token));
        Same(refreshTokens.Select(token => token.Id), Of<TokenIssued>(e => e.RefreshToken));
        // A code is used up by the exchange that it was refused to, too.
        Same(grants.Where(grant => grant.CodeRedeemedAt is not null).Select(grant => grant.CodeId),
            [.. Of<TokenIssued>(e => e.GrantType == "authorization_code" ? e.Parent : null), .. Of<TokenRefused>(e => e.Reason == Reason.PkceWrong ? e.Presented : null)]);
        Same(refreshTokens.Where(token => token.UsedAt is not null).Select(token => token.Id), Of<TokenIssued>(e => e.GrantType == "refresh_token" ? e.Parent : null));
        Same(grants.Where(grant => grant.RevokedAt is not null).Select(grant => grant.Id), Of<TokenRevoked>(e => e.Token is null ? e.Grant : null));
        Same(accessTokens.Where(token => token.RevokedAt is not null).Select(token => token.Id), Of<TokenRevoked>(e => e.Token));

        IEnumerable<string> Of<T>(Func<T, string?> id) where T : AuditEvent => events.OfType<T>().Select(id).OfType<string>();
        static void Same(IEnumerable<string> rows, IEnumerable<string> told) => Assert.Equal(rows.Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
    }

    /// <summary>Where the write-ahead log ends after each of its commits (https://www.sqlite.org/fileformat2.html#walformat).</summary>
    private static IEnumerable<int> Commits(byte[] wal)
    {
        const int HeaderBytes = 32;
        const int FrameHeaderBytes = 24;

        var page = (int)BinaryPrimitives.ReadUInt32BigEndian(wal.AsSpan(8));
        for (var frame = HeaderBytes; frame + FrameHeaderBytes + page <= wal.Length; frame += FrameHeaderBytes + page)
        {
            Assert.Equal(wal[16..24], wal[(frame + 8)..(frame + 16)]);
            if (BinaryPrimitives.ReadUInt32BigEndian(wal.AsSpan(frame + 4)) != 0)
                yield return frame + FrameHeaderBytes + page;
        }
    }

    /// <summary>The ids of the events in the outbox, in order; null while there is no outbox.</summary>
    private static async Task<List<string>?> ReadOutboxAsync(string root, byte[] wal)
    {
        using var data = new TestData(inMemory: true);
        var path = Path.Combine(data.Root, "sallyport.db");
        File.Copy(Path.Combine(root, "sallyport.db"), path);
        await File.WriteAllBytesAsync(path + "-wal", wal, TestContext.Current.CancellationToken);
        await using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'Outbox'";
        if ((long)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))! == 0)
            return null;
        command.CommandText = "SELECT EventId FROM Outbox ORDER BY Id";
        await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        var ids = new List<string>();
        while (await reader.ReadAsync(TestContext.Current.CancellationToken))
            ids.Add(reader.GetString(0));
        return ids;
    }
}
