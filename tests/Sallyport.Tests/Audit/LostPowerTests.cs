using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Operation;
using Sallyport.Server.Storage;

namespace Sallyport.Tests.Audit;

/// <summary>
/// What was not synced when the power went may reach the disk in any order: zeros or garbage, and whole records behind them (AUD-13).
/// Nothing of it is signed, and all of it is cut; nothing that is signed ever is.
/// </summary>
public class LostPowerTests
{
    public enum Loss
    {
        Zeros,
        Garbage,
        OneBit,
    }

    [Theory]
    [InlineData(Loss.Zeros, 700)]
    [InlineData(Loss.Garbage, 700)]
    [InlineData(Loss.Zeros, 3)]
    [InlineData(Loss.OneBit, 1)]
    public async Task A_hole_in_what_is_not_signed_is_cut_with_all_behind_it_and_no_change_of_state_is_lost(Loss loss, int bytes)
    {
        using var data = new TestData();
        var signed = await KilledAsync(data);
        var leaves = JournalFiles.ReadAll(data.Log).ToList();
        // Before the hole and behind it there is a change of state.
        var at = (int)leaves.First(leaf => leaf.Index > signed && leaf.Event is AccessRefused).Index + 1;
        Assert.Contains(leaves[(int)signed..at], leaf => leaf.Event is ClientRegistered);
        Assert.Contains(leaves[(at + 3)..], leaf => leaf.Event is OperatorActed);
        var length = Spoil(data, leaves, at, loss, bytes);

        var before = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);

        Assert.Empty(before.Faults);
        Assert.Equal((at, signed), (before.Length, before.SignedLength));
        var events = gate.Events();
        Assert.Equal(leaves.Take(at).Select(leaf => leaf.Event.Id), events.Take(at).Select(e => e.Id));
        var start = Assert.IsType<Started>(events[at]);
        var changes = leaves[at..].Select(leaf => leaf.Event).Where(e => e is ClientRegistered or OperatorActed).Select(e => e.Id).ToList();
        Assert.Equal((before.TornBytes, changes.Count, false), (start.BytesCut, start.Recovered, start.AfterCleanStop));
        Assert.Equal(length, SizeOf(leaves.Take(at)) + start.BytesCut);
        Assert.Equal(changes, events.Skip(at + 1).Take(start.Recovered).Select(e => e.Id));
        await gate.StopAsync();
        Assert.Empty(LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).Faults);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_change_that_came_back_before_where_it_stood_comes_back_once_however_often_the_gate_is_killed(bool isSigned)
    {
        using var data = new TestData();
        var changes = await LosePowerAsync(data);
        using var killed = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false))
        {
            Assert.Equal(changes.Count, gate.Events<Started>()[^1].Recovered);
            // The start's own head is behind us, and nothing is signed while the files are copied.
            var sealer = gate.Services.GetRequiredService<Sealer>();
            await sealer.SealAsync(TestContext.Current.CancellationToken);
            // Its row is newer, and its leaf behind those that came back.
            await TestClient.RegisterAsync(gate);
            if (isSigned)
                await sealer.SealAsync(TestContext.Current.CancellationToken);
            killed.CopyFrom(data);

            // A backup that is made meanwhile has all changes that its database has.
            using var place = new TestData();
            await new Backup(new(data.Root), TimeProvider.System).WriteAsync(Path.Combine(place.Root, "backup.tar.gz"), TestContext.Current.CancellationToken);
        }

        await using var again = await TestGate.StartAsync(new() { Data = killed.Root }, withUser: false);

        Assert.Equal(0, again.Events<Started>()[^1].Recovered);
        var events = again.Events();
        Assert.Equal(events.Count, events.Select(e => e.Id).Distinct().Count());
        Assert.All(changes, change => Assert.Single(events, e => e.Id == change));
    }

    [Theory]
    [InlineData(Loss.Zeros, 700)]
    [InlineData(Loss.Zeros, 100_000)]
    [InlineData(Loss.OneBit, 1)]
    public async Task A_hole_in_what_is_signed_is_damage_and_stays_as_it_is(Loss loss, int bytes)
    {
        using var data = new TestData();
        var signed = await KilledAsync(data);
        var leaves = JournalFiles.ReadAll(data.Log).ToList();
        Spoil(data, leaves, (int)signed - 1, loss, bytes);
        var path = JournalFiles.Segments(data.Log).Single().Path;
        var before = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<DamagedLogException>(() => TestGate.StartAsync(new() { Data = data.Root }, withUser: false));

        Assert.False(LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).IsWhole);
        Assert.Equal(before, await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_gate_that_finds_an_older_checkpoint_than_its_history_has_does_not_start(bool missing)
    {
        using var data = new TestData();
        await KilledAsync(data);
        var path = Path.Combine(data.Log, ILogStore.Checkpoint);
        Assert.True(CheckpointLine.TryParse(File.ReadLines(Path.Combine(data.Log, ILogStore.Checkpoints)).First(), out var first));
        if (missing)
            File.Delete(path);
        else
            await File.WriteAllBytesAsync(path, first.ToBytes(), TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<DamagedLogException>(() => TestGate.StartAsync(new() { Data = data.Root }, withUser: false));
    }

    [Fact]
    public async Task A_gate_that_cannot_read_back_what_it_wrote_signs_nothing_and_closes()
    {
        using var data = new TestData();
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });
        var sealer = gate.Services.GetRequiredService<Sealer>();
        await sealer.SealAsync(TestContext.Current.CancellationToken);
        var signed = sealer.SealedSize;
        for (var i = 0; i < 10; i++)
            await gate.PostMcpAsync(null, "{}");
        var leaves = JournalFiles.ReadAll(data.Log).ToList();
        Spoil(data, leaves, (int)signed + 5, Loss.OneBit, 1);

        await sealer.SealAsync(TestContext.Current.CancellationToken);

        Assert.Equal(signed, sealer.SealedSize);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await gate.PostMcpAsync(null, "{}")).StatusCode);
        Assert.Contains(gate.Log.Lines, line => line.StartsWith("Critical", StringComparison.Ordinal) && line.Contains("cannot be read back", StringComparison.Ordinal));
    }

    /// <summary>A log with some events that are signed and many that are not, of all kinds, as a kill leaves it.</summary>
    /// <returns>How many are signed.</returns>
    private static async Task<long> KilledAsync(TestData copy)
    {
        using var data = new TestData();
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });
        var sealer = gate.Services.GetRequiredService<Sealer>();
        for (var i = 0; i < 5; i++)
            await gate.PostMcpAsync(null, "{}");
        await sealer.SealAsync(TestContext.Current.CancellationToken);
        for (var round = 0; round < 4; round++)
        {
            await TestClient.RegisterAsync(gate);
            await gate.PostMcpAsync(null, "{}");
            await gate.PostMcpAsync(null, "{}");
            await gate.AddUserAsync($"user{round}");
            await gate.PostMcpAsync(null, "{}");
        }
        copy.CopyFrom(data);
        return sealer.SealedSize;
    }

    /// <summary>What is left when the power goes after hundreds of accesses that were not synced, and a change behind them.</summary>
    /// <returns>The ids of the events of changes that the log has lost.</returns>
    private static async Task<IReadOnlyList<string>> LosePowerAsync(TestData left)
    {
        using var data = new TestData();
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });
        // The changes so far are signed, and their rows gone.
        var outbox = gate.Services.GetRequiredService<Outbox>();
        await outbox.SweepAsync(TestContext.Current.CancellationToken);
        await gate.PostMcpAsync(null, "{}");
        await gate.Services.GetRequiredService<Sealer>().SealAsync(TestContext.Current.CancellationToken);
        await outbox.SweepAsync(TestContext.Current.CancellationToken);
        var synced = gate.Events().Count;
        for (var i = 0; i < 300; i++)
            await gate.PostMcpAsync(null, "{}");
        await TestClient.RegisterAsync(gate);
        await gate.AddUserAsync("bob");
        var leaves = JournalFiles.ReadAll(data.Log).ToList();
        left.CopyFrom(data);
        using (var journal = new FileStream(JournalFiles.Segments(left.Log).Single().Path, FileMode.Open))
            journal.SetLength(SizeOf(leaves.Take(synced)));
        return [.. leaves.Skip(synced).Select(leaf => leaf.Event).Where(e => e is ClientRegistered or OperatorActed).Select(e => e.Id)];
    }

    /// <summary>Spoils the middle of an event, and what follows.</summary>
    /// <returns>How long the journal is.</returns>
    private static long Spoil(TestData data, IReadOnlyList<Leaf> leaves, int at, Loss loss, int bytes)
    {
        using var file = new FileStream(JournalFiles.Segments(data.Log).Single().Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var from = (int)SizeOf(leaves.Take(at)) + (JournalRecord.SizeOf(leaves[at].Bytes.Length) / 2);
        var content = new byte[file.Length];
        file.ReadExactly(content);
        var hole = content.AsSpan(from, Math.Min(bytes, content.Length - from));
        switch (loss)
        {
            case Loss.Zeros:
                hole.Clear();
                break;
            case Loss.Garbage:
                System.Security.Cryptography.RandomNumberGenerator.Fill(hole);
                break;
            default:
                hole[0] ^= 1;
                break;
        }
        file.Seek(0, SeekOrigin.Begin);
        file.Write(content);
        return file.Length;
    }

    private static long SizeOf(IEnumerable<Leaf> leaves) => leaves.Sum(leaf => (long)JournalRecord.SizeOf(leaf.Bytes.Length));
}
