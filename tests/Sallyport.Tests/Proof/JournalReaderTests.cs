using CsCheck;
using Sallyport.Proof.Journal;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>A segment is read in pieces; nobody shall see that.</summary>
public class JournalReaderTests
{
    private static readonly Gen<byte[][]> s_leaves =
        Gen.Select(Gen.OneOf(Gen.Int[1, 600], Gen.Int[60_000, 65_535]), Gen.Byte).Select((length, content) => Enumerable.Repeat(content, length).ToArray()).Array[1, 60];

    [Fact]
    public void A_segment_is_read_in_pieces_as_it_would_be_whole() =>
        Gen.Select(s_leaves, Gen.Double[0, 1], Gen.Int[0, 3], Gen.Int[0, 60]).Sample((leaves, place, damages, signed) =>
        {
            var segment = leaves.SelectMany(LogWriter.Record).ToArray();
            for (var i = 0; i < damages; i++)
                segment[(int)(place * (segment.Length - 1)) / (i + 1)] ^= 0x40;
            using var reader = new JournalReader(StoreOf(segment), signed: signed);
            var offset = 0;
            while (true)
            {
                var rest = segment.AsSpan(offset);
                var expected = JournalRecord.TryRead(rest, out var leaf);
                var behind = expected == JournalReadResult.Torn && reader.NextIndex < signed ? JournalRecord.FindBehind(rest) : -1;
                var item = reader.Read();
                Assert.Equal(expected == JournalReadResult.Record ? JournalItem.Leaf : behind >= 0 ? JournalItem.Damaged : JournalItem.End, item);
                if (item == JournalItem.End)
                {
                    Assert.Equal(rest.Length, reader.TornBytes);
                    return;
                }
                if (item == JournalItem.Leaf)
                    Assert.True(leaf.SequenceEqual(reader.Leaf));
                offset += item == JournalItem.Leaf ? JournalRecord.SizeOf(leaf.Length) : behind;
            }
        }, iter: 60);

    [Fact]
    public void A_reader_begins_at_any_record() => s_leaves.Sample(leaves =>
    {
        var store = StoreOf([.. leaves.SelectMany(LogWriter.Record)]);
        var offset = 0;
        for (var index = 0; index < leaves.Length; index++)
        {
            using var reader = JournalReader.At(store, index, offset);
            Assert.Equal(JournalItem.Leaf, reader.Read());
            Assert.Equal(index, reader.Index);
            Assert.True(leaves[index].AsSpan().SequenceEqual(reader.Leaf));
            offset += JournalRecord.SizeOf(leaves[index].Length);
        }
    }, iter: 20);

    [Fact]
    public void The_last_leaf_can_still_be_seen_at_the_end()
    {
        using var reader = new JournalReader(StoreOf([.. LogWriter.Record(new byte[65_535]), .. LogWriter.Record([1, 2, 3]), 0]));
        while (reader.Read() != JournalItem.End)
        {
        }

        Assert.Equal([1, 2, 3], reader.Leaf.ToArray());
        Assert.Equal(1, reader.TornBytes);
    }

    private static MemoryLogStore StoreOf(byte[] segment) => new(new Dictionary<string, byte[]> { [MemoryLogStore.SegmentName(0)] = segment });
}
