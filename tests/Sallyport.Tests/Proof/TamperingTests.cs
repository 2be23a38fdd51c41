using System.Collections.Concurrent;
using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>What is done to a log behind a checkpoint that somebody else holds comes out. What does not is tested too.</summary>
public class TamperingTests
{
    private const int Edits = 10_000;

    private static readonly ConcurrentDictionary<string, bool> s_checked = new();

    private static readonly NoteSigner s_log = new("log.example/test", "log");

    [Fact]
    public void Ten_thousand_ways_to_change_a_log_are_found()
    {
        var dice = Dice.New();
        var log = Traffic.Log(dice, s_log, 600);
        FindAll(dice, log.Files(), s_log.Verifier, log.Checkpoints[^1]);
    }

    [Fact]
    public async Task Ten_thousand_ways_to_change_a_log_that_the_gate_wrote_are_found()
    {
        var dice = Dice.New();
        using var data = new TestData();
        for (var start = 0; start < 2; start++)
        {
            await using var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: start == 0);
            var client = await TestClient.RegisterAsync(gate);
            var tokens = await client.TokensAsync();
            for (var i = 0; i < 170; i++)
            {
                using var response = await (dice.Below(5) switch
                {
                    0 => gate.Http.GetAsync("/.well-known/oauth-protected-resource/mcp", TestContext.Current.CancellationToken),
                    1 => gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize),
                    2 => gate.PostMcpAsync(tokens.AccessToken + "x", Messages.Initialize),
                    3 => gate.PostFormAsync("/token", ("grant_type", "refresh_token"), ("refresh_token", "sp_" + dice.Next()), ("client_id", client.Id)),
                    _ => gate.PostMcpAsync(null, "{}", path: "/" + dice.Next()),
                });
                if (dice.Below(40) == 0)
                    await gate.Services.GetRequiredService<Sealer>().SealAsync(TestContext.Current.CancellationToken);
            }
            await gate.StopAsync();
        }
        var files = MemoryLogStore.FilesOf(data.Log)
            .Where(file => MemoryLogStore.SegmentIndex(file.Key) is not null || file.Key.StartsWith("tile/", StringComparison.Ordinal)
                || file.Key is ILogStore.Checkpoint or ILogStore.Checkpoints or ILogStore.VerifierKey)
            .ToDictionary();
        Assert.True(VerifierKey.TryParse(Encoding.UTF8.GetString(files[ILogStore.VerifierKey]).TrimEnd('\n'), out var key));
        Assert.True(SignedNote.TryParse(files[ILogStore.Checkpoint], out var checkpoint));

        FindAll(dice, files, key, checkpoint);
    }

    [Fact]
    public void A_whole_log_is_whole_at_every_size_and_with_any_checkpoint_of_it()
    {
        var dice = Dice.New();
        foreach (var (size, unsigned, perSegment) in new[] { (1, 0, 100), (255, 0, 7), (256, 0, 256), (257, 1, 100), (300, 300, 100), (512, 3, 512), (600, 40, 50), (768, 0, 1000) })
        {
            var log = Traffic.Log(dice, s_log, size, unsigned, perSegment);
            var report = LogVerifier.Verify(new MemoryLogStore(log.Files()), NoteSigner.Check, s_log.Verifier, log.Checkpoints);
            Assert.True(report.IsWhole, $"seed {dice.Seed}: {size} leaves: " + string.Join("; ", report.Faults));
            Assert.Equal((size, log.Checkpoints.Count, 0L), ((int)report.Length, report.CheckpointsChecked, report.FirstIndex));
            Assert.Equal(log.Checkpoints.Count > 0 ? log.Checkpoints[^1].ToString() : null, report.Checkpoint?.ToString());
        }
    }

    /// <summary>Also for a log that a gate wrote: its files, its key, and the checkpoint that was its newest.</summary>
    internal static void FindAll(Dice dice, IReadOnlyDictionary<string, byte[]> files, VerifierKey key, SignedNote checkpoint)
    {
        var whole = LogVerifier.Verify(new MemoryLogStore(files), NoteSigner.Check, key, [checkpoint]);
        Assert.True(whole.IsWhole, $"seed {dice.Seed}: " + string.Join("; ", whole.Faults));
        Parallel.For(0, Edits, i =>
        {
            var tampering = new Tampering(new(dice.Seed + (ulong)i), files, key.Name);
            var (edited, what) = tampering.Edit();
            while (tampering.Harmless(edited) is not null)
                (edited, what) = tampering.Edit();
            if (!IsFound(edited, key, checkpoint, RememberedCheck))
                Assert.Fail($"seed {dice.Seed}, edit {i}: {what} was not found");
        });
    }

    [Fact]
    public void A_record_behind_the_checkpoint_and_what_is_left_of_the_history_are_no_tampering()
    {
        // Nobody has signed what comes behind a checkpoint: it may be changed, and it is seen by the next one only.
        var dice = Dice.New();
        var log = Traffic.Log(dice, s_log, 600, unsigned: 20);
        var files = log.Files();
        var last = MemoryLogStore.SegmentName(500);
        files[last] = LogWriter.Journal(LogWriter.LeavesOf(files[last])[..85]);
        Assert.False(IsFound(files, s_log.Verifier, log.Checkpoints[^1]));
        files[last] = LogWriter.Journal(LogWriter.LeavesOf(files[last])[..79]);
        Assert.True(IsFound(files, s_log.Verifier, log.Checkpoints[^1]));

        // What a killed process was writing.
        files = log.Files();
        files[last] = files[last][..^3];
        Assert.False(IsFound(files, s_log.Verifier, log.Checkpoints[^1]));
        files = log.Files();
        files[ILogStore.Checkpoints] = files[ILogStore.Checkpoints][..^9];
        Assert.False(IsFound(files, s_log.Verifier, log.Checkpoints[^1]));
        files[ILogStore.Checkpoints] = [.. files[ILogStore.Checkpoints], (byte)'\n'];
        Assert.True(IsFound(files, s_log.Verifier, log.Checkpoints[^1]));

        // Copies as a whole.
        foreach (var missing in new Func<string, bool>[] { name => name == ILogStore.Checkpoints, name => name == ILogStore.VerifierKey, name => MemoryLogStore.SegmentIndex(name) is not null })
        {
            files = log.Files();
            foreach (var name in files.Keys.Where(missing).ToList())
                files.Remove(name);
            Assert.False(IsFound(files, s_log.Verifier, log.Checkpoints[^1]));
        }

        // What a loss of power left of it. A head that somebody else holds says that it was there.
        files = log.Files();
        var signed = LogWriter.Journal(LogWriter.LeavesOf(files[last])[..85]).Length;
        files[last] = [.. files[last][..(signed + 10)], .. new byte[20], .. files[last][(signed + 30)..]];
        Assert.False(IsFound(files, s_log.Verifier, log.Checkpoints[^1]));
        Assert.True(IsFound(files, s_log.Verifier, log.Sign()));
    }

    [Fact]
    public void A_cut_tail_under_its_own_older_checkpoint_is_found_only_with_a_newer_one()
    {
        var log = Traffic.Log(new(1), s_log, 600);
        var cut = new LogWriter(s_log);
        foreach (var leaf in log.Leaves.Take(387))
        {
            if (cut.Size is 96 or 193 or 290)
                cut.Sign();
            cut.Append(leaf);
        }
        Assert.Equal(log.Checkpoints[3].ToString(), cut.Sign().ToString());

        Assert.False(IsFound(cut.Files(), s_log.Verifier, null));
        Assert.True(IsFound(cut.Files(), s_log.Verifier, log.Checkpoints[^1]));
        Assert.Contains(Verify(cut.Files(), log.Checkpoints[^1]).Faults, fault => fault is { Kind: LogFaultKind.Shorter, Index: 600 });
        // And with one that it still has, it is not.
        Assert.False(IsFound(cut.Files(), s_log.Verifier, log.Checkpoints[0]));
    }

    [Fact]
    public void Putting_back_the_older_checkpoint_alone_is_found_by_the_history()
    {
        var log = Traffic.Log(new(2), s_log, 600);
        var files = log.Files();
        files[ILogStore.Checkpoint] = log.Checkpoints[^2].ToBytes();

        Assert.True(IsFound(files, s_log.Verifier, null));
        files.Remove(ILogStore.Checkpoints);
        Assert.True(IsFound(files, s_log.Verifier, log.Checkpoints[^1]));
        files.Remove(ILogStore.Checkpoint);
        Assert.True(IsFound(files, s_log.Verifier, log.Checkpoints[^1]));
    }

    [Fact]
    public void A_log_written_anew_with_the_stolen_key_is_found_only_with_a_checkpoint_from_before()
    {
        var log = Traffic.Log(new(3), s_log, 600);
        var forged = Traffic.Log(new(4), s_log, 600);

        Assert.False(IsFound(forged.Files(), s_log.Verifier, null));
        foreach (var checkpoint in log.Checkpoints)
            Assert.True(IsFound(forged.Files(), s_log.Verifier, checkpoint));
        Assert.Contains(Verify(forged.Files(), log.Checkpoints[^1]).Faults, fault => fault.Kind == LogFaultKind.Root);
    }

    [Fact]
    public void A_log_written_anew_without_the_key_is_found()
    {
        var forged = Traffic.Log(new(4), new NoteSigner("log.example/test", "attacker"), 600).Files();

        Assert.True(IsFound(forged, s_log.Verifier, null));
        // Without a key from elsewhere it is the attacker's that is believed.
        Assert.True(LogVerifier.Verify(new MemoryLogStore(forged), NoteSigner.Check).IsWhole);
        forged[ILogStore.VerifierKey] = Encoding.UTF8.GetBytes(s_log.Verifier.ToString());
        Assert.True(IsFound(forged, s_log.Verifier, null));
        Assert.False(LogVerifier.Verify(new MemoryLogStore(forged), NoteSigner.Check).IsWhole);
    }

    [Fact]
    public void A_checkpoint_of_another_log_or_key_is_refused_and_not_passed_over()
    {
        var log = Traffic.Log(new(5), s_log, 300);
        var root = Convert.ToBase64String(log.Root());
        foreach (var wrong in new[]
        {
            s_log.Sign($"log.example/another\n300\n{root}\n"),
            new NoteSigner("log.example/test", "attacker").Sign($"log.example/test\n300\n{root}\n"),
            s_log.Sign("no checkpoint\n"),
            log.Checkpoints[^1] with { Signatures = [] },
        })
        {
            Assert.True(IsFound(log.Files(), s_log.Verifier, wrong));
        }
        Assert.True(IsFound(log.Files(), new NoteSigner("log.example/test", "attacker").Verifier, null));
        Assert.True(IsFound(log.Files(), new NoteSigner("log.example/another", "log").Verifier, null));
        Assert.False(IsFound(log.Files(), s_log.Verifier, log.Checkpoints[^1]));
    }

    [Fact]
    public void A_key_beside_the_log_that_is_none_is_found()
    {
        var log = Traffic.Log(new(6), s_log, 100);
        foreach (var wrong in new[] { "", "x", s_log.Verifier + "\n\n", s_log.Verifier.ToString()[1..], "\n" + s_log.Verifier })
        {
            var files = log.Files();
            files[ILogStore.VerifierKey] = Encoding.UTF8.GetBytes(wrong);
            Assert.True(IsFound(files, s_log.Verifier, log.Checkpoints[^1]), wrong);
        }
    }

    [Fact]
    public void Everything_removed_but_a_bundle_from_the_future_is_found()
    {
        var log = Traffic.Log(new(7), s_log, 600);
        foreach (var index in new[] { "003", "999", "x999/x999/x999/x999/x999/x999/999", "x009/x223/x372/x036/x854/x775/807" })
        {
            var files = log.Files();
            foreach (var name in files.Keys.Where(name => name.StartsWith("journal", StringComparison.Ordinal) || name.StartsWith("tile/entries", StringComparison.Ordinal)).ToList())
                files.Remove(name);
            files[$"tile/entries/{index}"] = [0, 1, 0];
            // A tree of that many leaves, out of nothing.
            files["tile/1/000.p/3"] = new byte[96];
            Assert.True(IsFound(files, s_log.Verifier, null), index);
        }
    }

    [Fact]
    public void A_log_that_was_pruned_says_so_under_its_signature()
    {
        var (files, log) = PrunedLog(s_log, says: true);
        var report = Verify(files, log.Checkpoints[^1]);
        Assert.True(report.IsWhole, string.Join("; ", report.Faults));
        Assert.Equal((512L, 900L), (report.FirstIndex, report.Length));
        // The checkpoints before are still held against the tiles, as long as there are any.
        Assert.True(Verify(files, log.Checkpoints[0]).IsWhole);
        Assert.Equal(log.Checkpoints.Count, Verify(files, log.Checkpoints[0]).CheckpointsChecked);

        files.Remove("tile/0/000");
        Assert.True(Verify(files, log.Checkpoints[^1]).IsWhole);
        Assert.Contains(Verify(files, log.Checkpoints[0]).Faults, fault => fault is { Kind: LogFaultKind.Root, Index: 96 });

        Assert.True(IsFound(PrunedLog(s_log, says: false).Files, s_log.Verifier, null));
    }

    [Fact]
    public void A_tile_that_is_missing_at_a_pruned_beginning_is_the_only_fault()
    {
        var (files, log) = PrunedLog(s_log, says: true);
        foreach (var tile in files.Keys.Where(name => name.StartsWith("tile/1/", StringComparison.Ordinal)).ToList())
            files.Remove(tile);

        var report = Verify(files, log.Checkpoints[^1]);

        Assert.Equal([LogFaultKind.Tile], report.Faults.Select(fault => fault.Kind));
    }

    [Fact]
    public void Pretending_to_have_pruned_does_not_hide_a_log_that_was_written_anew()
    {
        var honest = Traffic.Log(new(8), s_log, 300);
        var (files, _) = PrunedLog(s_log, says: true);

        Assert.False(IsFound(files, s_log.Verifier, null));
        Assert.True(IsFound(files, s_log.Verifier, honest.Checkpoints[^1]));
        foreach (var tile in files.Keys.Where(name => name.StartsWith("tile/0/", StringComparison.Ordinal)).Take(2).ToList())
            files.Remove(tile);
        Assert.True(IsFound(files, s_log.Verifier, honest.Checkpoints[^1]));
    }

    /// <summary>900 leaves, of which the first 512 are gone.</summary>
    private static (Dictionary<string, byte[]> Files, LogWriter Log) PrunedLog(NoteSigner signer, bool says)
    {
        var log = Traffic.Log(new(9), signer, 800);
        if (says)
            log.Append(new LogPruned { Id = "pruned", Time = Traffic.Time(800), MinimumIndex = 600, JournalIndex = 600, Snapshot = "s" });
        while (log.Size < 900)
            log.Append(Traffic.Event(new((ulong)log.Size), log.Size));
        log.Sign();
        var files = log.Files();
        foreach (var name in files.Keys.Where(name => MemoryLogStore.SegmentIndex(name) < 600 || name is "tile/entries/000" or "tile/entries/001" || name.StartsWith("tile/entries/001.p", StringComparison.Ordinal)).ToList())
            files.Remove(name);
        return (files, log);
    }

    /// <summary>Most of the time would go into the same few signatures.</summary>
    private static bool RememberedCheck(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        var question = Convert.ToHexString([.. publicKey, .. signature, .. message]);
        if (!s_checked.TryGetValue(question, out var holds))
            s_checked[question] = holds = NoteSigner.Check(publicKey, message, signature);
        return holds;
    }

    private static bool IsFound(IReadOnlyDictionary<string, byte[]> files, VerifierKey key, SignedNote? given, Ed25519Check? check = null)
    {
        try
        {
            return !LogVerifier.Verify(new MemoryLogStore(files), check ?? NoteSigner.Check, key, given is null ? [] : [given]).IsWhole;
        }
        catch (InvalidDataException)
        {
            // Larger than any file of a log.
            return true;
        }
    }

    private static LogReport Verify(IReadOnlyDictionary<string, byte[]> files, SignedNote given) =>
        LogVerifier.Verify(new MemoryLogStore(files), NoteSigner.Check, s_log.Verifier, [given]);
}
