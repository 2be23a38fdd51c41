using CsCheck;
using Sallyport.Proof.Tree;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

public class TileTests
{
    [Theory]
    [InlineData(0, 1234067, 256, "tile/0/x001/x234/067")]
    [InlineData(1, 0, 1, "tile/1/000.p/1")]
    [InlineData(0, 273, 112, "tile/0/273.p/112")]
    [InlineData(TilePath.Entries, 1000, 256, "tile/entries/x001/000")]
    [InlineData(TilePath.Entries, 999, 7, "tile/entries/999.p/7")]
    [InlineData(7, long.MaxValue, 256, "tile/7/x009/x223/x372/x036/x854/x775/807")]
    public void A_tile_has_the_place_that_tlog_tiles_says(int level, long index, int width, string path)
    {
        Assert.Equal(path, new TilePath(level, index, width).ToString());
        Assert.True(TilePath.TryParse(path, out var parsed));
        Assert.Equal(new(level, index, width), parsed);
    }

    [Theory]
    [InlineData("tile/0/1")]
    [InlineData("tile/0/0001")]
    [InlineData("tile/0/x000/001")]
    [InlineData("tile/00/001")]
    [InlineData("tile/8/001")]
    [InlineData("tile/-1/001")]
    [InlineData("tile/0/001.p/0")]
    [InlineData("tile/0/001.p/256")]
    [InlineData("tile/0/001.p/01")]
    [InlineData("tile/0/001.p")]
    [InlineData("tile/0/x001")]
    [InlineData("tile/0/xx001/001")]
    [InlineData("tile/0/../001")]
    [InlineData("tile/entries/")]
    [InlineData("tile/0/x999/x999/x999/x999/x999/x999/999")]
    [InlineData("")]
    public void Another_spelling_is_no_path(string path) => Assert.False(TilePath.TryParse(path, out _));

    [Theory]
    [InlineData(70_000, 0, 273, 112)]
    [InlineData(70_000, 1, 1, 17)]
    [InlineData(70_000, 2, 0, 1)]
    [InlineData(70_000, 3, 0, 0)]
    [InlineData(70_000, TilePath.Entries, 273, 112)]
    [InlineData(256, 0, 1, 0)]
    [InlineData(256, 1, 0, 1)]
    [InlineData(255, 0, 0, 255)]
    [InlineData(0, 0, 0, 0)]
    public void A_tree_has_the_tiles_that_tlog_tiles_says(long size, int level, long full, int partial) =>
        Assert.Equal((full, partial), TilePath.Widths(level, size));

    [Fact]
    public void The_tree_of_70_000_leaves_is_written_as_tlog_tiles_says()
    {
        var written = new List<TilePath>();
        var builder = new TileBuilder((path, hashes) =>
        {
            Assert.Equal(8192, hashes.Length);
            written.Add(path);
        });
        for (var i = 0; i < 70_000; i++)
            builder.Append(BitConverter.GetBytes(i));

        Assert.Equal(273, written.Count(path => path.Level == 0));
        Assert.Equal([new(1, 0)], written.Where(path => path.Level != 0));
        Assert.Equal([new(0, 273, 112), new(1, 1, 17), new(2, 0, 1)], builder.Partial().Select(tile => tile.Path));
    }

    [Fact]
    public void Tiles_have_the_hashes_of_the_definition_and_a_builder_goes_on_from_them()
    {
        var leaves = Enumerable.Range(0, 1100).Select(BitConverter.GetBytes).ToList();
        var hashes = leaves.Select(ReferenceTree.Leaf).ToList();
        var tiles = new Dictionary<string, byte[]>();
        var whole = new TileBuilder((path, bytes) => tiles[path.ToString()] = bytes.ToArray());
        for (var size = 1; size <= leaves.Count; size++)
        {
            whole.Append(leaves[size - 1]);
            if (size % 73 != 0 && size % 256 != 0)
                continue;
            var stored = new Dictionary<string, byte[]>(tiles);
            foreach (var (path, bytes) in whole.Partial())
                stored[path.ToString()] = bytes.ToArray();
            var tree = new TileTree(size, path => stored.GetValueOrDefault(path.ToString()));
            Assert.Equal(Convert.ToBase64String(ReferenceTree.Root(hashes, 0, size)), tree.Root().ToString());

            var further = TileBuilder.After(tree, (path, bytes) => stored[path.ToString()] = bytes.ToArray());
            for (var i = size; i < leaves.Count; i++)
                further.Append(leaves[i]);
            Assert.Equal(Convert.ToBase64String(ReferenceTree.Root(hashes)), further.Root().ToString());
            foreach (var (path, bytes) in further.Partial())
                stored[path.ToString()] = bytes.ToArray();
            foreach (var (name, bytes) in stored.Where(tile => TilePath.TryParse(tile.Key, out var path) && path.IsFull))
            {
                Assert.True(TilePath.TryParse(name, out var path));
                var span = 1 << (8 * path.Level);
                Assert.Equal(Enumerable.Range((int)path.Index * 256, 256).SelectMany(i => ReferenceTree.Root(hashes, i * span, (i + 1) * span)), bytes);
            }
            Assert.Equal(Convert.ToBase64String(ReferenceTree.Root(hashes)), new TileTree(leaves.Count, path => stored.GetValueOrDefault(path.ToString())).Root().ToString());
        }
    }

    [Fact]
    public void A_tree_does_not_go_on_behind_a_tile_that_could_not_be_kept()
    {
        var isFull = true;
        var builder = new TileBuilder((_, _) => { if (isFull) throw new IOException("no space"); });
        for (var i = 0; i < 255; i++)
            builder.Append(BitConverter.GetBytes(i));
        Assert.Throws<IOException>(() => builder.Append([1]));
        isFull = false;

        Assert.Throws<InvalidOperationException>(() => builder.Root());
        Assert.Throws<InvalidOperationException>(() => builder.Partial().ToList());
    }

    [Fact]
    public void Proofs_out_of_tiles_are_those_of_the_definition()
    {
        var hashes = Enumerable.Range(0, 700).Select(i => ReferenceTree.Leaf(BitConverter.GetBytes(i))).ToList();
        var stored = new Dictionary<string, byte[]>();
        var builder = new TileBuilder((path, bytes) => stored[path.ToString()] = bytes.ToArray());
        foreach (var hash in hashes)
            builder.Append(TreeHash.From(hash));
        foreach (var (path, bytes) in builder.Partial())
            stored[path.ToString()] = bytes.ToArray();
        // A reader of an older head finds wider tiles than it asks for.
        byte[]? Read(TilePath path) => stored.GetValueOrDefault(path.ToString())
            ?? stored.GetValueOrDefault((path with { Width = 256 }).ToString())
            ?? stored.GetValueOrDefault((path with { Width = TilePath.Widths(path.Level, 700).Partial }).ToString());

        Gen.Select(Gen.Int[1, 700], Gen.Int[0, 699]).Where((size, index) => index < size).Sample((size, index) =>
        {
            var tree = new TileTree(size, Read);
            var slice = hashes[..size];
            Assert.Equal(ReferenceTree.Path(index, slice, 0, size).Select(Convert.ToBase64String), MerkleProof.Inclusion(index, size, tree.Subtree).Select(h => h.ToString()));
            Assert.Equal(ReferenceTree.Consistency(index + 1, slice).Select(Convert.ToBase64String), MerkleProof.Consistency(index + 1, size, tree.Subtree).Select(h => h.ToString()));
        }, iter: 100);
    }

    [Fact]
    public void A_tile_that_is_missing_or_short_is_told_and_not_made_up()
    {
        Assert.Equal(new(0, 1, 44), Assert.Throws<MissingTileException>(() => new TileTree(300, _ => null).Subtree(2, 70)).Path);
        Assert.Throws<MissingTileException>(() => new TileTree(300, path => new byte[(path.Width * 32) - 1]).Root());
        Assert.Throws<MissingTileException>(() => new TileTree(256, _ => new byte[8192]).Subtree(0, 256));
    }

    [Fact]
    public void Bundles_give_back_their_entries_and_end_where_they_are_cut()
    {
        byte[][] leaves = [[], [1], [.. Enumerable.Repeat((byte)7, 65_535)], [0, 0]];
        var bundle = new byte[leaves.Sum(leaf => leaf.Length + EntryBundle.HeaderBytes)];
        var at = 0;
        foreach (var leaf in leaves)
        {
            EntryBundle.Write(leaf, bundle.AsSpan(at));
            at += EntryBundle.HeaderBytes + leaf.Length;
        }
        Assert.Equal(LogWriter.Bundle(leaves), bundle);

        ReadOnlySpan<byte> rest = bundle;
        foreach (var leaf in leaves)
        {
            Assert.True(EntryBundle.TryRead(ref rest, out var read));
            Assert.Equal(leaf, read.ToArray());
        }
        Assert.True(rest.IsEmpty);
        Assert.False(EntryBundle.TryRead(ref rest, out _));
        ReadOnlySpan<byte> cut = bundle.AsSpan(0, bundle.Length - 1)[^3..];
        Assert.False(EntryBundle.TryRead(ref cut, out _));
        Assert.Throws<OverflowException>(() => EntryBundle.Write(new byte[65_536], new byte[70_000]));
    }
}
