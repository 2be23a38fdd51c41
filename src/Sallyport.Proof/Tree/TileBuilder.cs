namespace Sallyport.Proof.Tree;

/// <summary>Makes the tiles of a growing tree, each once its last hash is known.</summary>
/// <param name="onFull">Gets each full tile: its path and its 8,192 bytes, which are good during the call only.</param>
public sealed class TileBuilder : Frontier
{
    private readonly Row[] _rows = [.. Enumerable.Range(0, TilePath.MaxLevel + 1).Select(_ => new Row())];
    private readonly Action<TilePath, ReadOnlyMemory<byte>> _onFull;

    public TileBuilder(Action<TilePath, ReadOnlyMemory<byte>> onFull) => _onFull = onFull;

    private TileBuilder(Frontier frontier, Action<TilePath, ReadOnlyMemory<byte>> onFull) : base(frontier) => _onFull = onFull;

    /// <summary>Goes on where a tree ends, out of its tiles.</summary>
    /// <exception cref="MissingTileException">A tile of the tree's right edge is not there.</exception>
    public static TileBuilder After(TileTree tree, Action<TilePath, ReadOnlyMemory<byte>> onFull)
    {
        var builder = new TileBuilder(MerkleProof.FrontierOf(tree.Size, tree.Subtree), onFull);
        for (var level = 0; level <= TilePath.MaxLevel; level++)
        {
            var (full, partial) = TilePath.Widths(level, tree.Size);
            var row = builder._rows[level];
            row.Index = full;
            for (var i = 0; i < partial; i++)
                row.Add(tree.Subtree(8 * level, (full * TilePath.Full) + i));
        }
        return builder;
    }

    /// <summary>The partial tiles at the right edge of the tree as it is now.</summary>
    public IEnumerable<(TilePath Path, ReadOnlyMemory<byte> Bytes)> Partial()
    {
        Settle();
        return _rows.Select((row, level) => (new TilePath(level, row.Index, row.Width), (ReadOnlyMemory<byte>)row.Filled)).Where(tile => tile.Item1.Width > 0);
    }

    protected override void OnSubtree(int height, in TreeHash hash)
    {
        var level = height / 8;
        if (height % 8 != 0 || level > TilePath.MaxLevel)
            return;
        var row = _rows[level];
        row.Add(hash);
        if (row.Width < TilePath.Full)
            return;
        _onFull(new(level, row.Index), row.Filled);
        row.Next();
    }

    private sealed class Row
    {
        private readonly byte[] _hashes = new byte[TilePath.Full * TreeHash.Bytes];

        public long Index { get; set; }

        public int Width { get; private set; }

        public Memory<byte> Filled => _hashes.AsMemory(0, Width * TreeHash.Bytes);

        public void Add(in TreeHash hash) => ((ReadOnlySpan<byte>)hash).CopyTo(_hashes.AsSpan(Width++ * TreeHash.Bytes));

        public void Next() => (Index, Width) = (Index + 1, 0);
    }
}
