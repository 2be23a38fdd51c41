using Sallyport.Proof.Tree;

namespace Sallyport.Proof.Verification;

/// <summary>Holds the stored tiles against the hashes of the leaves.</summary>
internal sealed class TileComparison(ILogStore store, LogFaults faults, long signed)
{
    /// <summary>A tree to append the leaves to that begins at <paramref name="first"/>; null where the tiles of what was pruned are missing.</summary>
    public TileBuilder? Begin(long first)
    {
        if (first == 0)
            return new(CompareFull);
        try
        {
            // A wrong hash of what was pruned shows at the first root.
            return TileBuilder.After(Before(first), CompareFull);
        }
        catch (MissingTileException exception)
        {
            faults.Add(LogFaultKind.Tile, first, $"{exception.Message}, so that the leaves behind the pruned ones cannot be judged");
            return null;
        }
    }

    /// <summary>The tree of the leaves before <paramref name="first"/>, as far as tiles are left.</summary>
    public TileTree Before(long first) => new(first, path => store.ReadOrGrown(path)?.Bytes ?? ReadWider(path));

    /// <summary>The tiles at the right edge of a tree that was signed. Those of the newest have to be there; older ones may have been removed.</summary>
    public void CompareEdge(TileBuilder tree)
    {
        foreach (var (path, hashes) in tree.Partial())
            Compare(path, hashes.Span, mayBeMissing: tree.Size != signed);
    }

    private void CompareFull(TilePath path, ReadOnlyMemory<byte> hashes)
    {
        // Nobody has promised that a tile beyond the checkpoint is there already.
        if (path.Index < TilePath.Widths(path.Level, signed).Full)
            Compare(path, hashes.Span, mayBeMissing: false);
    }

    private void Compare(TilePath path, ReadOnlySpan<byte> hashes, bool mayBeMissing)
    {
        // A full one is compared when its last hash is known.
        (TilePath Path, byte[] Bytes)? stored = !mayBeMissing ? store.ReadOrGrown(path) : store.ReadTile(path) is { } exact ? (path, exact) : null;
        if (stored is null && mayBeMissing)
            return;
        if (stored is not { } found)
            faults.Add(LogFaultKind.Tile, path.FirstLeaf, $"{path} is missing");
        else if (found.Bytes.Length != found.Path.Width * TreeHash.Bytes || !found.Bytes.AsSpan(0, hashes.Length).SequenceEqual(hashes))
            faults.Add(LogFaultKind.Tile, path.FirstLeaf, $"{found.Path} does not have the hashes of its leaves");
    }

    /// <summary>A tile that was partial when the tree had fewer leaves, as the wider partial one that it is now.</summary>
    private byte[]? ReadWider(TilePath path)
    {
        var (full, partial) = TilePath.Widths(path.Level, signed);
        return path.Index == full && partial >= path.Width ? store.ReadTile(path with { Width = partial }) : null;
    }
}
