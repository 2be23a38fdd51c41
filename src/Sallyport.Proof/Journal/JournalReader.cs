using Sallyport.Proof.Verification;

namespace Sallyport.Proof.Journal;

/// <summary>What a reader of a journal came upon.</summary>
public enum JournalItem
{
    /// <summary>A whole leaf.</summary>
    Leaf,

    /// <summary>
    /// A record whose checksum does not hold, with whole ones behind it, that is signed or stands before others that are: damage. It is
    /// passed over as one, though with its length damaged it may have been more.
    /// </summary>
    Damaged,

    /// <summary>A segment that does not begin where the one before it ends. The reader goes on at its beginning.</summary>
    Gap,

    /// <summary>The end; <see cref="JournalReader.TornBytes"/> tells what was being written, or was lost with the power.</summary>
    End,
}

/// <summary>Reads the leaves of a journal, one after the other, through all of its segments. Memory is one segment.</summary>
public sealed class JournalReader
{
    /// <summary>No segment is larger, in bytes.</summary>
    public const int MaxSegmentBytes = 32 * 1024 * 1024;

    private readonly ILogStore _store;
    private readonly IReadOnlyList<(long FirstIndex, string Name)> _segments;
    private readonly long _signed;
    private int _segment = -1;
    private byte[] _bytes = [];
    private int _length;
    private int _offset;
    private int _leafLength;

    /// <param name="from">Segments that end before this index are passed over.</param>
    /// <param name="signed">
    /// How many leaves a checkpoint covers; the one beside the log where it is not said. Behind them the first place without a whole record
    /// is the end, whatever follows: what was not synced reaches the disk in any order.
    /// </param>
    public JournalReader(ILogStore store, long from = 0, long? signed = null)
    {
        _signed = signed ?? store.SignedSize();
        (_store, _segments) = (store, store.Segments());
        while (_segment + 2 < _segments.Count && _segments[_segment + 2].FirstIndex <= from)
            _segment++;
        NextIndex = _segments.Count > 0 ? _segments[_segment + 1].FirstIndex : 0;
    }

    /// <summary>Begins in the midst of a segment: at the leaf <paramref name="index"/>, whose record is at <paramref name="offset"/>.</summary>
    public static JournalReader At(ILogStore store, long index, int offset)
    {
        var reader = new JournalReader(store, index);
        if (reader._segments.Count == 0)
            return reader;
        reader.Open(reader._segments[++reader._segment].Name);
        (reader._offset, reader.NextIndex) = (Math.Min(offset, reader._length), index);
        return reader;
    }

    /// <summary>The index of what was read last.</summary>
    public long Index => NextIndex - 1;

    /// <summary>The index of the leaf that comes next, if one does.</summary>
    public long NextIndex { get; private set; }

    /// <summary>The leaf that was read last; good until the next one is read.</summary>
    public ReadOnlySpan<byte> Leaf => _bytes.AsSpan(_offset - _leafLength, _leafLength);

    /// <summary>The segment that is being read.</summary>
    public string Segment => _segment >= 0 ? _segments[_segment].Name : "";

    /// <summary>Bytes at the very end that are no whole record.</summary>
    public long TornBytes { get; private set; }

    /// <exception cref="InvalidDataException">A segment is larger than any that a gate writes.</exception>
    public JournalItem Read()
    {
        while (true)
        {
            var rest = _bytes.AsSpan(_offset, _length - _offset);
            switch (JournalRecord.TryRead(rest, out var leaf))
            {
                case JournalReadResult.Record:
                    _leafLength = leaf.Length;
                    _offset += JournalRecord.SizeOf(leaf.Length);
                    NextIndex++;
                    return JournalItem.Leaf;
                case JournalReadResult.Torn:
                    // Nothing is written to a segment that another one follows.
                    var isLast = _segment + 1 == _segments.Count;
                    var behind = isLast && NextIndex >= _signed ? -1 : JournalRecord.FindBehind(rest);
                    if (behind < 0 && isLast)
                    {
                        TornBytes = rest.Length;
                        return JournalItem.End;
                    }
                    (_leafLength, _offset) = (0, behind < 0 ? _length : _offset + behind);
                    NextIndex++;
                    return JournalItem.Damaged;
                default:
                    if (_segment + 1 == _segments.Count)
                        return JournalItem.End;
                    Open(_segments[++_segment].Name);
                    if (_segments[_segment].FirstIndex == NextIndex)
                        break;
                    NextIndex = _segments[_segment].FirstIndex;
                    return JournalItem.Gap;
            }
        }
    }

    private void Open(string name)
    {
        using var stream = _store.Open(name);
        // One that is being pruned meanwhile is a gap, which the reader sees at the next one.
        var length = stream?.Length ?? 0;
        if (length > MaxSegmentBytes)
            throw new InvalidDataException($"{name} has {length} bytes; no segment has more than {MaxSegmentBytes}");
        if (_bytes.Length < length)
            _bytes = new byte[length];
        (_offset, _leafLength) = (0, 0);
        _length = stream?.ReadAtLeast(_bytes.AsSpan(0, (int)length), (int)length, throwOnEndOfStream: false) ?? 0;
    }
}
