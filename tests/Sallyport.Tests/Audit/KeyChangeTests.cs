using Sallyport.Proof.Notes;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Operation;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Audit;

/// <summary>The log's key is changed, and whoever has the old one can follow (AUD-15).</summary>
public class KeyChangeTests
{
    [Fact]
    public async Task AUD_15_A_log_whose_key_was_changed_twice_verifies_by_any_of_its_keys()
    {
        using var data = new TestData();
        var keys = await ChangedTwiceAsync(data);
        var files = new LogFiles(data.Log);
        var history = File.ReadAllText(Path.Combine(data.Log, ILogStore.Checkpoints));

        foreach (var key in keys.Append(null))
        {
            var report = LogVerifier.Verify(files, NoteKey.Check, key, [.. CheckpointLine.ReadAll(history)]);
            Assert.Empty(report.Faults);
            Assert.Equal((key ?? keys[2], keys[2], report.Length), (report.Key, report.NewestKey, report.SignedLength));
        }
        var said = JournalFiles.ReadAll(data.Log).Select(leaf => leaf.Event).OfType<LogKeyRotated>().ToList();
        Assert.Equal([(keys[0].ToString(), keys[1].ToString()), (keys[1].ToString(), keys[2].ToString())], said.Select(e => (e.Previous, e.Key)));
        Assert.Equal(3, keys.Distinct().Count());
        Assert.Single(keys.Select(key => key.Name).Distinct());
        // The newest is signed by the newest alone, and the key that signed the first is nowhere.
        Assert.True(SignedNote.TryParse(files.Read(ILogStore.Checkpoint, SignedNote.MaxBytes)!, out var newest));
        Assert.Equal([false, false, true], keys.Select(key => newest.IsSignedBy(key, NoteKey.Check)));
        Assert.Equal(["log.key"], Directory.EnumerateFiles(Path.Combine(data.Root, "keys"), "log.key*").Select(Path.GetFileName));
    }

    [Fact]
    public async Task AUD_15_A_key_that_no_old_key_introduced_is_a_fault_and_no_gate_starts_with_it()
    {
        using var data = new TestData();
        var keys = await ChangedTwiceAsync(data);
        var files = MemoryLogStore.FilesOf(data.Log);
        var lines = System.Text.Encoding.UTF8.GetString(files[ILogStore.VerifierKeys]).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (var (what, kept) in new (string, string)[]
        {
            ("the last is missing", lines[0] + "\n"),
            ("the first is missing", lines[1] + "\n"),
            ("they are swapped", $"{lines[1]}\n{lines[0]}\n"),
            ("one is there twice", $"{lines[0]}\n{lines[0]}\n{lines[1]}\n"),
            ("the last is cut", $"{lines[0]}\n{lines[1][..^9]}"),
            ("none is one", "\n"),
        })
        {
            files[ILogStore.VerifierKeys] = System.Text.Encoding.UTF8.GetBytes(kept);
            Assert.Contains(Verify(keys[0]).Faults, fault => fault.Kind == LogFaultKind.Signature);
            Assert.False(Verify(null).IsWhole, what);
        }
        files.Remove(ILogStore.VerifierKeys);
        Assert.All(keys.Append(null), key => Assert.False(Verify(key).IsWhole));

        // Signed by the new key alone, as a thief of the old one's log would: it says that it follows, and nobody vouches for it.
        File.WriteAllText(Path.Combine(data.Log, ILogStore.VerifierKeys), lines[0] + "\n");
        await Assert.ThrowsAsync<DamagedLogException>(() => TestGate.StartAsync(new() { Data = data.Root }, withUser: false));

        LogReport Verify(VerifierKey? key) => LogVerifier.Verify(new MemoryLogStore(files), NoteKey.Check, key);
    }

    [Fact]
    public async Task A_change_that_was_cut_short_is_finished_by_the_next_start_once_the_old_key_had_introduced_the_new_one()
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
            await gate.StopAsync();
        var (oldKey, oldVerifier) = (File.ReadAllBytes(PathOf("keys/log.key")), File.ReadAllBytes(PathOf("log/verifier-key")));
        using var killed = new TestData();
        string next;
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false))
        {
            next = await RotateAsync(gate);
            killed.CopyFrom(data);
        }
        // As it was before the old key went.
        File.Move(Path.Combine(killed.Root, "keys", "log.key"), Path.Combine(killed.Root, "keys", "log.key.new"));
        File.WriteAllBytes(Path.Combine(killed.Root, "keys", "log.key"), oldKey);
        File.WriteAllBytes(Path.Combine(killed.Log, ILogStore.VerifierKey), oldVerifier);
        Assert.Empty(LogVerifier.Verify(new LogFiles(killed.Log), NoteKey.Check).Faults);

        await using (var gate = await TestGate.StartAsync(new() { Data = killed.Root }, withUser: false))
        {
            Assert.Equal(next, gate.Services.GetRequiredService<Sealer>().Verifier.ToString());
            await gate.StopAsync();
        }
        Assert.Empty(LogVerifier.Verify(new LogFiles(killed.Log), NoteKey.Check).Faults);

        string PathOf(string name) => Path.Combine(data.Root, name);
    }

    [Fact]
    public async Task A_key_that_is_changed_after_a_head_could_not_be_kept_signs()
    {
        using var data = new TestData();
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });
        var sealer = gate.Services.GetRequiredService<Sealer>();
        await sealer.SealAsync(TestContext.Current.CancellationToken);
        var history = Path.Combine(data.Log, ILogStore.Checkpoints);
        await gate.PostMcpAsync(null, "{}");
        // The head is signed, and neither the history nor the log has it.
        File.Move(history, history + ".new");
        Directory.CreateDirectory(history);
        await sealer.SealAsync(TestContext.Current.CancellationToken);
        Directory.Delete(history);
        File.Move(history + ".new", history);
        Assert.Equal(gate.Events().Count, sealer.SealedSize);

        var key = await RotateAsync(gate);

        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);
        Assert.Empty(report.Faults);
        Assert.Equal(key, report.NewestKey?.ToString());
        Assert.True(report.Checkpoint!.IsSignedBy(report.NewestKey!, NoteKey.Check));
    }

    [Fact]
    public async Task A_new_key_that_nothing_introduced_yet_is_forgotten()
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
            await gate.StopAsync();
        var before = File.ReadAllText(Path.Combine(data.Log, ILogStore.VerifierKey));
        var pending = Path.Combine(data.Root, "keys", "log.key.new");
        foreach (var partial in new[] { false, true })
        {
            using (NoteKey.Create(pending, "sallyport/another", SignatureType.Ed25519))
            {
            }
            if (partial)
                File.WriteAllText(pending, "PRIVATE");
            await using var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);
            Assert.Equal(before, gate.Services.GetRequiredService<Sealer>().Verifier + "\n");
            Assert.False(File.Exists(pending));
            await gate.StopAsync();
        }
        Assert.Empty(LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).Faults);
    }

    /// <summary>By two gates, the second of which stops in order.</summary>
    private static async Task<IReadOnlyList<VerifierKey>> ChangedTwiceAsync(TestData data)
    {
        var keys = new List<VerifierKey>();
        for (var start = 0; start < 2; start++)
        {
            await using var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: start == 0);
            var sealer = gate.Services.GetRequiredService<Sealer>();
            await sealer.SealAsync(TestContext.Current.CancellationToken);
            keys.Add(sealer.Verifier);
            for (var i = 0; i < 140; i++)
                await gate.PostMcpAsync(null, "{}");
            await RotateAsync(gate);
            await gate.PostMcpAsync(null, "{}");
            await sealer.SealAsync(TestContext.Current.CancellationToken);
            if (start == 1)
                keys.Add(sealer.Verifier);
            await gate.StopAsync();
        }
        return keys;
    }

    private static Task<string> RotateAsync(TestGate gate) =>
        gate.Services.GetRequiredService<OperatorActs>().RotateLogKeyAsync(TestContext.Current.CancellationToken);
}
