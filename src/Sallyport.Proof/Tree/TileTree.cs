namespace Sallyport.Proof.Tree;

/// <summary>A tile that is needed is not there, or is not as wide as it should be.</summary>
public sealed class MissingTileException(TilePath path) : Exception($"the tile {path} is missing or too short")
{
    public TilePath Path { get; } = path;
}

/// <summary>The hashes of a tree of a given size, out of its tiles.</summary>
/// <param name="size">The tree's leaves; tiles at its right edge are as wide as this size makes them.</param>
/// <param name="read">Gives a tile's bytes, or those of a wider one that begins with it; null where there is none.</param>
public sealed class TileTree(long size, Func<TilePath, byte[]?> read)
{
    private const int Kept = 64;
    private readonly Dictionary<TilePath, byte[]> _tiles = [];

    /// <summary>Leaves of the tree.</summary>
    public long Size { get; } = size;

    /// <summary>The hash of a perfect subtree that lies within the tree.</summary>
    /// <exception cref="MissingTileException">It cannot be known without a tile that is not there.</exception>
    public TreeHash Subtree(int height, long index)
    {
        var (level, above) = (height / 8, height % 8);
        // Above the lowest row of its tile, a subtree is made of 2^above hashes of that row.
        var first = index << above;
        var tile = Tile(level, first / TilePath.Full);
        return Combine(tile, (int)(first % TilePath.Full), 1 << above);
    }

    public TreeHash Root() => MerkleProof.Root(Size, Subtree);

    private static TreeHash Combine(ReadOnlySpan<byte> tile, int first, int count) =>
        count == 1
            ? TreeHash.From(tile.Slice(first * TreeHash.Bytes, TreeHash.Bytes))
            : TreeHash.OfNode(Combine(tile, first, count / 2), Combine(tile, first + (count / 2), count / 2));

    private byte[] Tile(int level, long index)
    {
        var (full, partial) = TilePath.Widths(level, Size);
        var path = new TilePath(level, index, index < full ? TilePath.Full : partial);
        if (_tiles.TryGetValue(path, out var known))
            return known;
        if (path.Width == 0)
            throw new MissingTileException(path);
        var tile = read(path);
        if (tile is null || tile.Length < path.Width * TreeHash.Bytes)
            throw new MissingTileException(path);
        if (_tiles.Count >= Kept)
            _tiles.Clear();
        return _tiles[path] = tile;
    }
}
