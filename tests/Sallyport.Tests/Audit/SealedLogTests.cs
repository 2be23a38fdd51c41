using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;

namespace Sallyport.Tests.Audit;

public class SealedLogTests
{
    [Fact]
    public async Task A_log_that_the_gate_wrote_is_whole_and_signed_to_its_end()
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
        {
            for (var i = 0; i < 700; i++)
                await gate.PostMcpAsync(null, "{}");
            await gate.StopAsync();
        }

        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);

        Assert.Empty(report.Faults);
        Assert.True(report.Length > 700);
        Assert.Equal(report.Length, report.SignedLength);
        Assert.Equal(1, report.Starts);
        Assert.True(report.CheckpointsChecked > 0);
    }

    [Fact]
    public async Task A_log_goes_on_where_it_ended()
    {
        using var data = new TestData();
        for (var start = 0; start < 3; start++)
        {
            await using var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: start == 0);
            for (var i = 0; i < 130; i++)
                await gate.PostMcpAsync(null, "{}");
            await gate.Services.GetRequiredService<Sealer>().SealAsync(TestContext.Current.CancellationToken);
            Assert.Empty(LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).Faults);
            await gate.StopAsync();
        }

        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);

        Assert.Empty(report.Faults);
        Assert.Equal(3, report.Starts);
        Assert.Equal(0, report.UncleanStarts);
        Assert.Equal(report.Length, report.SignedLength);
    }

    [Fact]
    public async Task A_clock_that_went_back_is_an_event()
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
        {
            gate.Time.Advance(TimeSpan.FromHours(1));
            await gate.PostMcpAsync(null, "{}");
            await gate.StopAsync();
        }

        await using var again = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);
        await again.PostMcpAsync(null, "{}");
        // Nobody waits for its record: whoever noticed it first has queued it.
        await again.EventAsync<ClockWentBack>();

        var back = again.Events<ClockWentBack>().Single();
        Assert.InRange(back.Milliseconds, 3_500_000, 3_600_000);
        Assert.Empty(LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).Faults);
    }

    [Fact]
    public async Task A_gate_refuses_to_go_on_with_a_log_that_is_not_the_one_it_signed()
    {
        using var data = new TestData();
        await WriteAsync(data, 300);
        var leaves = JournalFiles.ReadAll(data.Log).ToList();
        var (_, path) = JournalFiles.Segments(data.Log).Single();
        var whole = File.ReadAllBytes(path);

        // Shorter than what was signed.
        File.WriteAllBytes(path, whole[..^(JournalRecord.SizeOf(leaves[^1].Bytes.Length) + 1)]);
        await Assert.ThrowsAsync<DamagedLogException>(() => TestGate.StartAsync(new() { Data = data.Root }));

        // An event changed, with a checksum that holds.
        var last = leaves[^1].Bytes;
        last[^3] ^= 1;
        JournalRecord.Write(last, whole.AsSpan(whole.Length - JournalRecord.SizeOf(last.Length)));
        File.WriteAllBytes(path, whole);
        await Assert.ThrowsAsync<DamagedLogException>(() => TestGate.StartAsync(new() { Data = data.Root }));
    }

    [Fact]
    public async Task Tiles_that_were_lost_are_made_anew_from_the_journal()
    {
        using var data = new TestData();
        await WriteAsync(data, 300);
        Directory.Delete(Path.Combine(data.Log, "tile"), recursive: true);

        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false))
            await gate.StopAsync();

        Assert.Empty(LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).Faults);
    }

    [Fact]
    public async Task A_log_of_the_first_release_is_signed_from_its_first_event_on()
    {
        using var data = new TestData();
        await WriteAsync(data, 300);
        Directory.Delete(Path.Combine(data.Log, "tile"), recursive: true);
        foreach (var name in new[] { ILogStore.Checkpoint, ILogStore.Checkpoints, ILogStore.VerifierKey })
            File.Delete(Path.Combine(data.Log, name));
        File.Delete(Path.Combine(data.Root, "keys", "log.key"));

        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false))
            await gate.StopAsync();

        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);
        Assert.Empty(report.Faults);
        Assert.Equal(report.Length, report.SignedLength);
    }

    [Fact]
    public void A_partial_bundle_goes_with_the_full_one_and_does_not_wait_for_the_next_head()
    {
        using var data = new TestData(inMemory: true);
        var tree = LogTree.Open(new(data.Log), null);
        for (var leaf = 0; leaf < 100; leaf++)
            tree.Append("{\"type\":\"stop\"}"u8);
        tree.Sync();
        Assert.True(File.Exists(Path.Combine(data.Log, "tile/entries/000.p/100")));
        for (var leaf = 100; leaf < 300; leaf++)
            tree.Append("{\"type\":\"stop\"}"u8);

        tree.Sync();

        Assert.Equal(
            ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"],
            Directory.EnumerateFiles(data.Log, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(data.Log, path)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_line_of_the_history_that_a_full_disk_left_unfinished_is_gone_before_the_next_one_is_added()
    {
        using var data = new TestData();
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });
        var sealer = gate.Services.GetRequiredService<Sealer>();
        await sealer.SealAsync(TestContext.Current.CancellationToken);
        var history = Path.Combine(data.Log, ILogStore.Checkpoints);
        var before = File.ReadAllLines(history);
        File.AppendAllText(history, before[^1][..40]);
        Assert.Empty(LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).Faults);
        await gate.PostMcpAsync(null, "{}");

        await sealer.SealAsync(TestContext.Current.CancellationToken);

        Assert.Empty(LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).Faults);
        Assert.Equal([.. before, CheckpointLine.Format(sealer.Newest!)], File.ReadAllLines(history));
    }

    private static async Task WriteAsync(TestData data, int events)
    {
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });
        for (var i = 0; i < events; i++)
            await gate.PostMcpAsync(null, "{}");
        await gate.StopAsync();
    }
}
