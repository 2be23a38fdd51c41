using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;

namespace Sallyport.Tests.Audit;

/// <summary>What a gate writes while its log is verified, at the worst moment, is no fault of the log.</summary>
public class VerifyWhileWritingTests
{
    [Fact]
    public async Task The_key_and_the_first_checkpoint_are_made_while_they_are_looked_for()
    {
        using var data = await WrittenAsync();
        var files = new LogFiles(data.Log);

        var report = LogVerifier.Verify(new ChangingStore(files, missing: [ILogStore.VerifierKey, ILogStore.Checkpoints, ILogStore.Checkpoint]), NoteKey.Check);

        Assert.Empty(report.Faults);
        Assert.True(report.Length > 0);
    }

    [Fact]
    public async Task The_first_checkpoint_comes_while_the_leaves_are_read()
    {
        using var data = await WrittenAsync();

        var report = LogVerifier.Verify(new ChangingStore(new LogFiles(data.Log), missing: [ILogStore.Checkpoint, ILogStore.Checkpoints]), NoteKey.Check);

        Assert.Empty(report.Faults);
        Assert.Equal(0, report.SignedLength);
    }

    [Fact]
    public async Task A_log_that_was_signed_and_has_no_checkpoint_is_not_whole()
    {
        using var data = await WrittenAsync();
        File.Delete(Path.Combine(data.Log, ILogStore.Checkpoint));

        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);

        Assert.NotEmpty(report.Faults);
        Assert.All(report.Faults, fault => Assert.Equal(LogFaultKind.Checkpoint, fault.Kind));
    }

    [Fact]
    public async Task A_line_of_the_history_is_completed_while_it_is_read()
    {
        using var data = await WrittenAsync();
        var path = Path.Combine(data.Log, ILogStore.Checkpoints);
        var history = File.ReadAllBytes(path);
        File.WriteAllBytes(path, history[..^100]);

        var report = LogVerifier.Verify(
            new ChangingStore(new LogFiles(data.Log), missing: [], atEndOfHistory: () => File.WriteAllBytes(path, history)), NoteKey.Check);

        Assert.Empty(report.Faults);
    }

    [Fact]
    public async Task A_line_of_the_history_that_is_no_checkpoint_is_a_fault()
    {
        using var data = await WrittenAsync();
        var path = Path.Combine(data.Log, ILogStore.Checkpoints);
        File.WriteAllText(path, "nonsense \u00df\n" + File.ReadAllText(path));

        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);

        Assert.Equal(LogFaultKind.Checkpoint, Assert.Single(report.Faults).Kind);
    }

    private static async Task<TestData> WrittenAsync()
    {
        var data = new TestData();
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });
        for (var i = 0; i < 20; i++)
            await gate.PostMcpAsync(null, "{}");
        await gate.Services.GetRequiredService<Sealer>().SealAsync(TestContext.Current.CancellationToken);
        await gate.PostMcpAsync(null, "{}");
        await gate.StopAsync();
        return data;
    }

    /// <summary>A file that is missing is there when it is asked for again.</summary>
    private sealed class ChangingStore(LogFiles files, string[] missing, Action? atEndOfHistory = null) : ILogStore
    {
        private readonly HashSet<string> _missing = [.. missing];

        public IReadOnlyList<(long FirstIndex, string Name)> Segments() => files.Segments();

        public long? FirstBundle() => files.FirstBundle();

        public Stream? Open(string name)
        {
            // The key is made before the first checkpoint.
            if (name == ILogStore.Checkpoint)
                _missing.Remove(ILogStore.VerifierKey);
            if (_missing.Remove(name))
                return null;
            return name == ILogStore.Checkpoints && atEndOfHistory is not null ? new GrowingStream(files.Open(name)!, atEndOfHistory) : files.Open(name);
        }
    }

    /// <summary>Grows once its end was seen.</summary>
    private sealed class GrowingStream(Stream inner, Action grow) : Stream
    {
        private bool _hasGrown;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => inner.Length;
        public override long Position { get => inner.Position; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = inner.Read(buffer, offset, count);
            if (read == 0 && !_hasGrown)
            {
                _hasGrown = true;
                grow();
            }
            return read;
        }

        public override void Flush() => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
