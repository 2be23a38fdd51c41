using System.Text;
using System.Text.Json.Nodes;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>Files that were made to hurt whoever verifies them.</summary>
public class HostileLogTests
{
    private const long Memory = 64 * 1024 * 1024;

    private static readonly NoteSigner s_log = new("log.example/test", "log");

    [Fact]
    public void A_segment_of_10_GB_is_refused_without_being_read() =>
        Assert.Throws<InvalidDataException>(() => Bounded(With(MemoryLogStore.SegmentName(0), () => new EndlessStream(10L << 30, (byte)'x'))));

    [Theory]
    [InlineData("tile/0/000.p/50")]
    [InlineData("tile/entries/000.p/50")]
    [InlineData(ILogStore.Checkpoint)]
    [InlineData(ILogStore.VerifierKey)]
    public void Any_other_file_without_end_is_refused_too(string name) =>
        Assert.Throws<InvalidDataException>(() => Bounded(With(name, () => new EndlessStream(10L << 30, (byte)'x'))));

    [Fact]
    public void A_line_of_a_gigabyte_is_no_checkpoint_and_is_not_kept()
    {
        var report = Bounded(With(ILogStore.Checkpoints, () => new EndlessStream(1L << 30, (byte)'{')));

        // It has no end: what a killed process was writing would look like that.
        Assert.True(report.IsWhole);
        Assert.Throws<InvalidDataException>(() => Bounded(With(ILogStore.Checkpoints, () => new EndlessStream((1L << 30) + 1, (byte)'{'))));
    }

    [Fact]
    public void A_history_of_nothing_but_newlines_is_told_in_a_hundred_faults()
    {
        var report = Bounded(With(ILogStore.Checkpoints, () => new EndlessStream(100_000, (byte)'\n')));

        Assert.Equal((100_000L, 100), (report.FaultCount, report.Faults.Count));
    }

    [Theory]
    [InlineData(1L << 62)]
    [InlineData(long.MaxValue)]
    public void A_signed_checkpoint_of_more_leaves_than_there_can_be_ends_with_the_journal(long size)
    {
        var files = Traffic.Log(new(1), s_log, 50).Files();
        files[ILogStore.Checkpoint] = s_log.Sign(new Checkpoint("log.example/test", size, TreeHash.Empty).ToString()).ToBytes();

        var report = Bounded(new MemoryLogStore(files));

        Assert.Equal(50, report.Length);
        Assert.Contains(report.Faults, fault => fault is { Kind: LogFaultKind.Shorter } && fault.Index == size);
    }

    [Theory]
    [InlineData("00000001000000000000")]
    [InlineData("04611686018427387904")]
    [InlineData("09223372036854775807")]
    [InlineData("09223372036854775808")]
    [InlineData("99999999999999999999")]
    public async Task A_segment_that_is_named_by_a_number_far_beyond_the_others_is_told_at_once(string number)
    {
        foreach (var size in (long[])[50, long.MaxValue])
        {
            var files = Traffic.Log(new(1), s_log, 50).Files();
            files["journal-" + number] = LogWriter.Journal([Encoding.UTF8.GetBytes("""{"type":"x"}"""), Encoding.UTF8.GetBytes("""{"type":"y"}""")]);
            if (size != 50)
                files[ILogStore.Checkpoint] = s_log.Sign(new Checkpoint("log.example/test", size, TreeHash.Empty).ToString()).ToBytes();

            var verifying = Task.Run(() => Bounded(new MemoryLogStore(files)));

            // Beyond what an index can be, it is refused as what is too large is.
            if (long.TryParse(number, out var first) && first < long.MaxValue)
                Assert.Contains((await verifying.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken)).Faults, fault => fault is { Kind: LogFaultKind.Gap, Index: 50 });
            else
                await Assert.ThrowsAsync<InvalidDataException>(() => verifying.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        }
    }

    [Theory]
    [InlineData("follows_size")]
    [InlineData("follows_root")]
    public void A_start_that_names_half_a_head_names_another(string left)
    {
        var log = Changed((leaf, index) => index == 1 ? Without(leaf, left) : leaf);
        log.Start();
        log.Start();

        Assert.Contains(Bounded(new MemoryLogStore(log.Files())).Faults, fault => fault is { Kind: LogFaultKind.Start, Index: 1 });
    }

    [Theory]
    [InlineData("id")]
    [InlineData("time")]
    [InlineData("elapsed")]
    [InlineData("process")]
    [InlineData("durability")]
    public void A_start_that_lacks_what_every_start_has_is_none(string member)
    {
        var log = Changed((leaf, _) => Without(leaf, member));
        log.Start();

        Assert.Contains(Bounded(new MemoryLogStore(log.Files())).Faults, fault => fault is { Kind: LogFaultKind.NoEvent, Index: 0 });
    }

    [Fact]
    public void A_key_is_introduced_by_an_event_whose_bytes_say_which_it_is()
    {
        foreach (var escaped in (string[])["{\"type\":\"log.\\u006bey_rotated\"", "{\"type\": \"log.key_rotated\""])
        {
            var log = Changed((leaf, _) => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(leaf).Replace("{\"type\":\"log.key_rotated\"", escaped, StringComparison.Ordinal)));
            log.Start();
            log.Rotate(new("log.example/test", "the next key"));

            Assert.Contains(Bounded(new MemoryLogStore(log.Files())).Faults, fault => fault.Kind == LogFaultKind.Signature);
        }
    }

    [Fact]
    public void A_line_of_the_history_that_is_no_UTF_8_is_no_checkpoint()
    {
        var files = Traffic.Log(new(1), s_log, 50).Files();
        var history = files[ILogStore.Checkpoints];
        files[ILogStore.Checkpoints] = [.. "{\"other\":\""u8, 0xff, .. "\","u8, .. history[1..]];

        Assert.Equal(LogFaultKind.Checkpoint, Assert.Single(Bounded(new MemoryLogStore(files)).Faults).Kind);
    }

    [Fact]
    public void Bundles_that_no_head_and_no_journal_speaks_of_are_no_empty_log()
    {
        var files = Traffic.Log(new(1), s_log, 50).Files();
        foreach (var name in (string[])[MemoryLogStore.SegmentName(0), ILogStore.Checkpoint, ILogStore.Checkpoints])
            Assert.True(files.Remove(name));

        Assert.Equal(LogFaultKind.Checkpoint, Assert.Single(Bounded(new MemoryLogStore(files)).Faults).Kind);
    }

    [Fact]
    public void What_lies_beyond_the_newest_head_is_not_judged_by_a_head_that_is_larger()
    {
        var log = new LogWriter(s_log);
        log.Start();
        var older = log.Sign();
        log.Append(Traffic.Event(new(1), 1));
        log.Sign();
        var files = log.Files();
        files[ILogStore.Checkpoint] = older.ToBytes();

        Assert.Equal(LogFaultKind.Checkpoint, Assert.Single(Bounded(new MemoryLogStore(files)).Faults).Kind);
    }

    [Fact]
    public void Garbage_that_looks_like_the_beginnings_of_long_records_is_searched_in_moderate_time()
    {
        // Each fourth byte begins a length of 65,280 that fits, and no checksum holds.
        var garbage = new byte[16 * 1024 * 1024];
        for (var i = 1; i < garbage.Length; i += 4)
            garbage[i] = 0xff;
        var started = TimeProvider.System.GetTimestamp();
        Bounded(With(MemoryLogStore.SegmentName(0), () => new MemoryStream(garbage)));

        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void Whatever_looks_the_same_but_has_other_bytes_is_another_leaf()
    {
        string[] alike =
        [
            """{"type":"x","a":"é"}""", "{\"type\":\"x\",\"a\":\"e\u0301\"}", """{"type":"x","a":"\u00e9"}""", """{"type":"x","a":"\u00E9"}""",
            """{"type":"x","a":1}""", """{"type":"x","a":1.0}""", """{"type":"x","a":1e0}""", """{"a":1,"type":"x"}""", """{"type":"x", "a":1}""",
            """{"type":"x","a":"x","b":""}""", """{"type":"x","a":"","b":"x"}""", """{"type":"x","a":"x"}""", "",
        ];

        Assert.Equal(alike.Length, alike.Select(text => TreeHash.OfLeaf(Encoding.UTF8.GetBytes(text))).Distinct().Count());
        // In a log one does not pass for another.
        for (var i = 0; i + 1 < alike.Length - 1; i++)
        {
            var log = new LogWriter(s_log);
            log.Append(Encoding.UTF8.GetBytes(alike[i]));
            log.Sign();
            var files = log.Files();
            foreach (var (name, bytes) in Alike(alike[i + 1]))
                files[name] = bytes;
            Assert.False(Bounded(new MemoryLogStore(files)).IsWhole);
        }

        static IEnumerable<(string, byte[])> Alike(string text)
        {
            var leaf = Encoding.UTF8.GetBytes(text);
            return [(MemoryLogStore.SegmentName(0), LogWriter.Record(leaf)), ("tile/entries/000.p/1", LogWriter.Bundle([leaf])), ("tile/0/000.p/1", ReferenceTree.Leaf(leaf))];
        }
    }

    [Fact]
    public void The_largest_leaf_is_read_and_one_that_is_larger_is_none()
    {
        foreach (var (length, item) in new[] { (65_535, JournalItem.Leaf), (65_536, JournalItem.End) })
        {
            using var reader = new JournalReader(new MemoryLogStore(new Dictionary<string, byte[]> { [MemoryLogStore.SegmentName(0)] = LogWriter.Record(new byte[length]) }));
            Assert.Equal(item, reader.Read());
        }
    }

    /// <summary>A log of a writer that writes other leaves than a gate does.</summary>
    private static LogWriter Changed(Func<byte[], int, byte[]> change)
    {
        LogWriter log = null!;
        return log = new(s_log) { Written = leaf => change(leaf, log.Size) };
    }

    private static byte[] Without(byte[] leaf, string member)
    {
        var json = JsonNode.Parse(leaf)!.AsObject();
        Assert.True(json.Remove(member));
        return Encoding.UTF8.GetBytes(json.ToJsonString());
    }

    /// <summary>Verifies, and sees how much memory that took.</summary>
    private static LogReport Bounded(ILogStore store)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            return LogVerifier.Verify(store, NoteSigner.Check, s_log.Verifier);
        }
        finally
        {
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Memory);
        }
    }

    private static OneOther With(string name, Func<Stream> open) => new(new(Traffic.Log(new(1), s_log, 50).Files()), name, open);

    private sealed class OneOther(MemoryLogStore store, string other, Func<Stream> open) : ILogStore
    {
        public IReadOnlyList<(long FirstIndex, string Name)> Segments() => store.Segments();
        public long? FirstBundle() => store.FirstBundle();
        public Stream? Open(string name) => name == other ? open() : store.Open(name);
    }

    /// <summary>The same byte, over and over.</summary>
    private sealed class EndlessStream(long length, byte value) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => length;
        public override long Position { get; set; }

        public override int Read(Span<byte> buffer)
        {
            var count = (int)Math.Min(buffer.Length, length - Position);
            buffer[..count].Fill(value);
            Position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
