using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Anchors;
using Sallyport.Server.Witness;

namespace Sallyport.Tests.Audit.Anchors;

/// <summary>What a gate makes of its anchors: no trouble of one of them is one of the log, or of the others.</summary>
public sealed class AnchoringTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static Task<TestGate> StartAsync(string? data, params IAnchor[] anchors) => TestGate.StartAsync(new()
    {
        Data = data,
        Services = services =>
        {
            foreach (var anchor in anchors)
                services.AddSingleton(anchor);
        },
    }, withUser: false);

    private static Task SealAsync(TestGate gate) => gate.Services.GetRequiredService<Sealer>().SealAsync(Cancellation);

    /// <summary>The event of a checkpoint that was signed, once it is there; what happens meanwhile is that another one may be.</summary>
    private static async Task<CheckpointSigned> SealedAsync(TestGate gate)
    {
        await gate.PostMcpAsync(null, "{}");
        await gate.PostMcpAsync(null, "{}");
        await SealAsync(gate);
        await gate.Services.GetRequiredService<AuditLog>().SyncAsync();
        return gate.Events<CheckpointSigned>()[^1];
    }

    [Fact]
    public async Task An_anchor_that_does_not_answer_has_ten_seconds()
    {
        var silent = new PretendedAnchor("silent", async (count, cancellation) =>
        {
            if (count == 1)
                await new TaskCompletionSource().Task.WaitAsync(cancellation);
            return new(null, null);
        });
        var good = new PretendedAnchor("good");
        await using var gate = await StartAsync(null, silent, good);
        var sealing = SealAsync(gate);
        await silent.Asked;

        gate.Time.Advance(TimeSpan.FromSeconds(9.9));
        Assert.False(sealing.IsCompleted);
        Assert.Empty(gate.Events<CheckpointSigned>());
        gate.Time.Advance(TimeSpan.FromSeconds(0.2));
        await sealing;
        await gate.Services.GetRequiredService<AuditLog>().SyncAsync();

        var signed = gate.Events<CheckpointSigned>()[0];
        Assert.Equal(["good"], signed.Anchors);
        Assert.Equal([new("silent", Reason.AnchorUnreachable)], signed.Failures);
    }

    [Fact]
    public async Task An_anchor_that_blocks_its_thread_is_left_behind_until_it_comes_back()
    {
        using var comesBack = new ManualResetEventSlim();
        var blocked = new PretendedAnchor("blocked", (count, _) =>
        {
            if (count == 1)
                comesBack.Wait(CancellationToken.None);
            return Task.FromResult(new Anchored(null, null));
        });
        await using var gate = await StartAsync(null, blocked);
        var sealing = SealAsync(gate);
        await blocked.Asked;
        gate.Time.Advance(TimeSpan.FromSeconds(10.1));
        await sealing;

        var without = await SealedAsync(gate);
        comesBack.Set();
        await blocked.CameBack;
        var with = await SealedAsync(gate);

        Assert.Equal([new("blocked", Reason.AnchorUnreachable)], without.Failures);
        Assert.Equal(["blocked"], with.Anchors);
        Assert.Equal(2, blocked.Count);
    }

    [Fact]
    public async Task A_checkpoint_that_was_signed_is_kept_though_the_gate_stops_while_an_anchor_has_it()
    {
        using var data = new TestData();
        var slow = new PretendedAnchor("slow", async (count, cancellation) =>
        {
            if (count == 1)
                await new TaskCompletionSource().Task.WaitAsync(cancellation);
            return new(null, null);
        });
        await using var gate = await StartAsync(data.Root, slow);
        await slow.Asked;

        await gate.StopAsync();

        Assert.Equal(2, File.ReadAllLines(Path.Combine(data.Log, ILogStore.Checkpoints)).Length);
        Assert.Equal([new("slow", Reason.AnchorUnreachable)], Assert.Single(gate.Events<CheckpointSigned>()).Failures);
    }

    [Fact]
    public async Task A_start_is_signed_and_given_to_the_anchors_though_nothing_else_happens()
    {
        using var data = new TestData();
        for (var start = 0; start < 2; start++)
        {
            var anchor = new PretendedAnchor("anchor");
            await using var gate = await StartAsync(data.Root, anchor);
            await SealAsync(gate);
            await SealAsync(gate);

            Assert.Equal(1, anchor.Count);
            await gate.StopAsync();
        }
    }

    [Fact]
    public async Task An_anchor_that_throws_keeps_the_checkpoint_from_nobody()
    {
        var good = new PretendedAnchor("good");
        await using var gate = await StartAsync(null, new PretendedAnchor("bad", (_, _) => throw new InvalidOperationException("a fault of ours")), good);

        var signed = await SealedAsync(gate);

        Assert.Equal(["good"], signed.Anchors);
        Assert.Equal([new("bad", Reason.AnchorUnreachable)], signed.Failures);
        Assert.Contains(CheckpointLine.ReadAll(File.ReadAllText(Path.Combine(gate.Data, "log", ILogStore.Checkpoints))), note => note.Text.Contains($"\n{signed.Size}\n"));
        Assert.Contains(gate.Log.Lines, line => line.Contains("anchor bad") && line.Contains("a fault of ours"));
    }

    [Fact]
    public async Task A_gate_s_checkpoint_carries_the_cosignature_of_another_gate_also_after_its_restart()
    {
        using var data = new TestData();
        VerifierKey log;
        await using (var before = await StartAsync(data.Root))
        {
            log = before.Services.GetRequiredService<Sealer>().Verifier;
            await before.StopAsync();
        }
        await using var other = await TestGate.StartAsync(new() { Settings = settings => settings.WitnessFor = [log.ToString()] }, withUser: false);
        var witness = other.Services.GetRequiredService<WitnessKey>().Verifier;

        for (var start = 0; start < 3; start++)
        {
            await using var gate = await StartAsync(data.Root, new WitnessAnchor(witness, new("http://localhost:5000/witness"), other.NewClient()));
            var signed = await SealedAsync(gate);
            Assert.Equal([witness.Name], signed.Anchors);
            Assert.True(gate.Services.GetRequiredService<Sealer>().Newest!.IsSignedBy(witness, NoteKey.Check));
            Assert.True(SignedNote.TryParse(File.ReadAllBytes(Path.Combine(data.Log, ILogStore.Checkpoint)), out var kept));
            Assert.True(kept.IsSignedBy(witness, NoteKey.Check) && kept.IsSignedBy(log, NoteKey.Check));
            await gate.StopAsync();
        }
        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);

        Assert.Empty(report.Faults);
        Assert.Equal(other.Events<WitnessCosigned>()[^1].Size, report.SignedLength);
        Assert.DoesNotContain(other.Log.Lines, line => line.StartsWith("Critical", StringComparison.Ordinal));
    }

    private sealed class PretendedAnchor(string name, Func<int, CancellationToken, Task<Anchored>>? give = null) : IAnchor
    {
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _cameBack = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Count { get; private set; }
        public Task Asked => _asked.Task;
        public Task CameBack => _cameBack.Task;
        public string Name => name;

        public async Task<Anchored> GiveAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken)
        {
            Count++;
            _asked.TrySetResult();
            var anchored = give is null ? new(null, null) : await give(Count, cancellationToken);
            _cameBack.TrySetResult();
            return anchored;
        }
    }
}
