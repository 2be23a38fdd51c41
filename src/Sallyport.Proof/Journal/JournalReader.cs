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

/// <summary>
/// Reads the leaves of a journal, one after the other, through all of its segments. Memory is a piece of one; what is left of one where
/// something is damaged.
/// </summary>
public sealed class JournalReader : IDisposable
{
    /// <summary>No segment is larger, in bytes.</summary>
    public const int MaxSegmentBytes = 32 * 1024 * 1024;

    /// <summary>No segment begins with a larger index: that of its last leaf is one, too.</summary>
    private const long MostFirstIndex = long.MaxValue - MaxSegmentBytes;

    /// <summary>Bytes that are read at once: few enough to be still in the processor's cache when they are looked at.</summary>
    private const int PieceBytes = 256 * 1024;

    private readonly ILogStore _store;
    private readonly IReadOnlyList<(long FirstIndex, string Name)> _segments;
    private readonly long _signed;
    private int _segment = -1;
    private Stream? _stream;
    private int _unread;
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
        reader.Open(reader._segments[++reader._segment].Name, offset);
        reader.NextIndex = index;
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

    /// <exception cref="InvalidDataException">A segment is larger than any that a gate writes, or begins with a leaf that there cannot be.</exception>
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
                case JournalReadResult.Torn or JournalReadResult.End when ReadOn():
                    break;
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
                    if (_segments[_segment + 1].FirstIndex > MostFirstIndex)
                        throw new InvalidDataException($"{_segments[_segment + 1].Name} is named by a number that no leaf has");
                    Open(_segments[++_segment].Name);
                    if (_segments[_segment].FirstIndex == NextIndex)
                        break;
                    NextIndex = _segments[_segment].FirstIndex;
                    return JournalItem.Gap;
            }
        }
    }

    public void Dispose() => _stream?.Dispose();

    /// <summary>Opens a segment. Its length is taken once: what is added meanwhile is not read.</summary>
    private void Open(string name, int offset = 0)
    {
        _stream?.Dispose();
        _stream = _store.Open(name);
        // One that is being pruned meanwhile is a gap, which the reader sees at the next one.
        var length = _stream?.Length ?? 0;
        if (length > MaxSegmentBytes)
            throw new InvalidDataException($"{name} has {length} bytes; no segment has more than {MaxSegmentBytes}");
        (_offset, _length, _leafLength) = (0, 0, 0);
        _unread = Math.Max((int)length - offset, 0);
        if (_unread > 0)
            _stream!.Position = offset;
    }

    /// <summary>Gets more of the segment behind the leaf that was read last; false where nothing is left of it.</summary>
    private bool ReadOn()
    {
        var kept = _bytes.AsSpan(_offset - _leafLength, _leafLength + _length - _offset);
        // No record is so long: this one is not whole, and what is behind it is searched.
        var isBad = _length - _offset >= PieceBytes / 2;
        var wanted = isBad ? _unread : Math.Min(_unread, PieceBytes - kept.Length);
        if (wanted == 0)
            return false;
        var bytes = _bytes.Length >= kept.Length + wanted ? _bytes : GC.AllocateUninitializedArray<byte>(Math.Max(kept.Length + wanted, PieceBytes));
        kept.CopyTo(bytes);
        var read = _stream!.ReadAtLeast(bytes.AsSpan(kept.Length, wanted), wanted, throwOnEndOfStream: false);
        // A file that became shorter meanwhile ends here.
        _unread = read < wanted ? 0 : _unread - wanted;
        (_bytes, _offset, _length) = (bytes, _leafLength, kept.Length + read);
        return read > 0;
    }
}
