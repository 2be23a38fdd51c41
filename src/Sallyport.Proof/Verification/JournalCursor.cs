using Sallyport.Proof.Journal;

namespace Sallyport.Proof.Verification;

/// <summary>The journal's copy of each leaf, asked for in order.</summary>
internal sealed class JournalCursor : IDisposable
{
    private readonly LogFaults _faults;
    private readonly JournalReader _reader;
    private JournalItem _item;

    /// <param name="signed">How many leaves the largest head covers that holds.</param>
    public JournalCursor(ILogStore store, LogFaults faults, long signed)
    {
        (_faults, _reader) = (faults, new(store, signed: signed));
        First = store.Segments() is { Count: > 0 } segments ? segments[0].FirstIndex : null;
        Next();
    }

    /// <summary>Where the journal begins; null where there is none.</summary>
    public long? First { get; }

    /// <summary>Where the journal ends, once it has.</summary>
    public long Length => _reader.NextIndex;

    public long TornBytes => _reader.TornBytes;

    /// <summary>The segment that is being read.</summary>
    public string Segment => _reader.Segment;

    /// <summary>That of the leaf which is there next, or is damaged.</summary>
    public long Index => _reader.Index;

    /// <summary>Whether neither this leaf nor a later one is there.</summary>
    public bool HasEndedAt(long index)
    {
        SkipTo(index);
        return _item == JournalItem.End;
    }

    /// <summary>The leaf at an index, or nothing where the journal has none that can be read.</summary>
    public ReadOnlySpan<byte> At(long index)
    {
        SkipTo(index);
        return _item == JournalItem.Leaf && _reader.Index == index ? _reader.Leaf : default;
    }

    public void Dispose() => _reader.Dispose();

    private void SkipTo(long index)
    {
        while (_item != JournalItem.End && _reader.Index < index)
            Next();
    }

    private void Next()
    {
        var expected = _reader.NextIndex;
        while ((_item = _reader.Read()) == JournalItem.Gap)
        {
            _faults.Add(LogFaultKind.Gap, expected, _reader.NextIndex > expected
                ? $"leaves {expected} to {_reader.NextIndex - 1} are missing from the journal: {_reader.Segment} begins with {_reader.NextIndex}"
                : $"{_reader.Segment} begins with leaf {_reader.NextIndex}, but the segment before it ends with {expected - 1}");
            expected = _reader.NextIndex;
        }
        if (_item == JournalItem.Damaged)
            _faults.Add(LogFaultKind.Checksum, _reader.Index, $"leaf {_reader.Index} in {_reader.Segment} does not hold its checksum");
    }
}
