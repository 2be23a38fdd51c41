using System.Buffers.Binary;

namespace Sallyport.Proof.Journal;

/// <summary>What stands at a place of a journal.</summary>
public enum JournalReadResult
{
    /// <summary>A whole record.</summary>
    Record,

    /// <summary>The bytes end here, between two records.</summary>
    End,

    /// <summary>The bytes end inside a record, or its checksum does not hold: a torn write, or damage.</summary>
    Torn,
}

/// <summary>
/// One leaf in a journal file: its length (4 bytes, little-endian), the CRC-32C of length and leaf (4 bytes,
/// little-endian), the leaf.
/// </summary>
/// <remarks>The checksum finds what a machine does to a file. What people do to it is found by the tree over the leaves.</remarks>
public static class JournalRecord
{
    /// <summary>Bytes before the leaf.</summary>
    public const int HeaderBytes = 8;

    /// <summary>Bytes whose checksum is taken in search of a record: far more than a damaged segment has by chance.</summary>
    private const long MostSearched = 256 * 1024 * 1024;

    public static int SizeOf(int leafBytes) => HeaderBytes + leafBytes;

    /// <summary>Writes one record to the start of <paramref name="destination"/>, which must hold <see cref="SizeOf"/> bytes.</summary>
    public static void Write(ReadOnlySpan<byte> leaf, Span<byte> destination)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination, leaf.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], Checksum(leaf));
        leaf.CopyTo(destination[HeaderBytes..]);
    }

    /// <summary>Reads the record at the start of <paramref name="source"/>.</summary>
    public static JournalReadResult TryRead(ReadOnlySpan<byte> source, out ReadOnlySpan<byte> leaf)
    {
        leaf = default;
        if (source.IsEmpty)
            return JournalReadResult.End;
        if (source.Length < HeaderBytes)
            return JournalReadResult.Torn;
        var length = BinaryPrimitives.ReadInt32LittleEndian(source);
        if (length is < 1 or > Events.AuditEventJson.MaxLeafBytes || source.Length - HeaderBytes < length)
            return JournalReadResult.Torn;
        var candidate = source.Slice(HeaderBytes, length);
        if (BinaryPrimitives.ReadUInt32LittleEndian(source[4..]) != Checksum(candidate))
            return JournalReadResult.Torn;
        leaf = candidate;
        return JournalReadResult.Record;
    }

    /// <summary>Where behind a bad record a whole one begins; -1 when none does.</summary>
    /// <remarks>
    /// By chance one place in 65,536 looks like the beginning of a record. In bytes that were made to look so everywhere, the search is
    /// given up: who made them could as well have removed what is behind them.
    /// </remarks>
    public static int FindBehind(ReadOnlySpan<byte> bad)
    {
        var patience = MostSearched;
        for (var offset = 1; offset + HeaderBytes < bad.Length && patience > 0; offset++)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(bad[offset..]);
            if (length is < 1 or > Events.AuditEventJson.MaxLeafBytes)
                continue;
            if (TryRead(bad[offset..], out _) == JournalReadResult.Record)
                return offset;
            patience -= length;
        }
        return -1;
    }

    private static uint Checksum(ReadOnlySpan<byte> leaf) => Crc32C.Of((uint)leaf.Length, leaf);
}
