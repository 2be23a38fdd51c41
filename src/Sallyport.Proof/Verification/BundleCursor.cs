using Sallyport.Proof.Tree;

namespace Sallyport.Proof.Verification;

/// <summary>The entry bundles' copy of each leaf, asked for in order, up to the size that is signed.</summary>
internal sealed class BundleCursor(ILogStore store, LogFaults faults, long signed)
{
    private TilePath _path = new(TilePath.Entries, -1);
    /// <summary>What bundles are read into, one after the other: most are so large that each would cost a garbage collection's pass.</summary>
    private byte[] _buffer = [];
    private int _length;
    private int _offset;

    /// <summary>The leaf at an index, or nothing where its bundle cannot be read.</summary>
    public ReadOnlySpan<byte> At(long index)
    {
        if (index / TilePath.Full != _path.Index)
            Open(index);
        ReadOnlySpan<byte> rest = _buffer.AsSpan(_offset, _length - _offset);
        if (_length == 0)
            return default;
        if (!EntryBundle.TryRead(ref rest, out var leaf) || leaf.IsEmpty)
        {
            faults.Add(LogFaultKind.Bundle, index, $"{_path} is cut off before leaf {index}");
            (_length, _offset) = (0, 0);
            return default;
        }
        _offset = _length - rest.Length;
        if (index % TilePath.Full == _path.Width - 1 && !rest.IsEmpty)
            faults.Add(LogFaultKind.Bundle, index, $"{_path} goes on behind leaf {index}, its last");
        return leaf;
    }

    /// <summary>The partial bundle of an older checkpoint, where it was not removed, begins as the one that is read now.</summary>
    public void CompareEdge(long size)
    {
        var older = new TilePath(TilePath.Entries, size / TilePath.Full, (int)(size % TilePath.Full));
        if (older.Width == 0 || older == _path || older.Index != _path.Index || _length == 0)
            return;
        if (store.ReadBundle(older) is { } bytes && !bytes.AsSpan().SequenceEqual(_buffer.AsSpan(0, _offset)))
            faults.Add(LogFaultKind.Bundle, size - older.Width, $"{older} does not have the leaves of the bundle that it has grown to");
    }

    private void Open(long index)
    {
        var (full, partial) = TilePath.Widths(TilePath.Entries, signed);
        var wanted = new TilePath(TilePath.Entries, index / TilePath.Full, index / TilePath.Full < full ? TilePath.Full : partial);
        (_path, _length) = store.ReadOrGrownInto(ref _buffer, wanted) ?? (wanted, 0);
        _offset = 0;
        if (_length == 0)
            faults.Add(LogFaultKind.Bundle, index, $"{wanted} is missing");
    }
}
