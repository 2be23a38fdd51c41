using System.Numerics;

namespace Sallyport.Proof.Tree;

/// <summary>
/// The right edge of a growing tree: the roots of its perfect subtrees, largest first. It is all that is needed to append leaves and
/// to know the root at each size; it grows with the logarithm of the size.
/// </summary>
/// <remarks>Leaves wait until their hashes are needed, or there are many: so they, and the nodes of each level, are hashed together.</remarks>
public class Frontier
{
    /// <summary>Bytes that wait at most, but for the last leaf.</summary>
    private const int MostWaiting = 256 * 1024;

    private readonly List<TreeHash> _subtrees;
    private readonly Sha256Batch _waiting = new();

    /// <summary>The hashes of a level, behind a place for the one that may stand before them. No more leaves wait than a tile has.</summary>
    private readonly TreeHash[] _level = new TreeHash[1 + TilePath.Full];

    /// <summary>A hash was not taken; the subtrees no longer are those of the leaves.</summary>
    private bool _isBroken;

    public Frontier() => _subtrees = [];

    /// <summary>Goes on where another one ends.</summary>
    protected Frontier(Frontier from)
    {
        from.Settle();
        (Size, _subtrees) = (from.Size, [.. from._subtrees]);
    }

    /// <summary>The frontier of a tree whose perfect subtrees are known.</summary>
    /// <param name="size">Leaves of the tree.</param>
    /// <param name="subtrees">One hash for each bit that is set in the size, largest subtree first.</param>
    /// <exception cref="ArgumentException">Their number is not that of the bits.</exception>
    public Frontier(long size, IEnumerable<TreeHash> subtrees)
    {
        (Size, _subtrees) = (size, [.. subtrees]);
        if (size < 0 || BitOperations.PopCount((ulong)size) != _subtrees.Count)
            throw new ArgumentException($"a tree of {size} leaves does not have {_subtrees.Count} perfect subtrees", nameof(subtrees));
    }

    /// <summary>Leaves so far.</summary>
    public long Size { get; private set; }

    public void Append(ReadOnlySpan<byte> leaf)
    {
        _waiting.Add(TreeHash.LeafPrefix, leaf);
        Size++;
        if (Size % TilePath.Full == 0 || _waiting.Bytes > MostWaiting)
            Settle();
    }

    public void Append(TreeHash leafHash)
    {
        Settle();
        _level[1] = leafHash;
        Grow(Size++, count: 1);
    }

    /// <summary>The root of the tree as it is now.</summary>
    public TreeHash Root()
    {
        Settle();
        if (_subtrees.Count == 0)
            return TreeHash.Empty;
        var root = _subtrees[^1];
        for (var i = _subtrees.Count - 2; i >= 0; i--)
            root = TreeHash.OfNode(_subtrees[i], root);
        return root;
    }

    /// <summary>Hashes what waits. A tile is complete in the call of <see cref="Append(ReadOnlySpan{byte})"/> that gave its last leaf, or in one of these.</summary>
    protected void Settle()
    {
        if (_isBroken)
            throw new InvalidOperationException("the tree cannot go on, since a hash of it was not taken");
        if (_waiting.Count == 0)
            return;
        var count = Hash();
        Grow(Size - count, count);
    }

    /// <summary>A perfect subtree of 2^<paramref name="height"/> leaves was completed; those of height 0 are the leaves.</summary>
    protected virtual void OnSubtree(int height, in TreeHash hash)
    {
    }

    /// <summary>Takes the hashes of leaves, the first of which is that at <paramref name="index"/>, and those of the nodes above them level by level.</summary>
    private void Grow(long index, int count)
    {
        _isBroken = true;
        Span<TreeHash> rest = stackalloc TreeHash[MerkleProof.MaxHashes + 1];
        var left = 0;
        for (var height = 0; count > 0; height++, index >>= 1)
        {
            var row = _level.AsSpan(1, count);
            foreach (ref readonly var hash in row)
                OnSubtree(height, hash);
            if ((index & 1) == 1)
            {
                _level[0] = _subtrees[^1];
                _subtrees.RemoveAt(_subtrees.Count - 1);
                row = _level.AsSpan(0, count + 1);
            }
            if ((row.Length & 1) == 1)
                rest[left++] = row[^1];
            for (var i = 0; i + 1 < row.Length; i += 2)
                _waiting.Add(TreeHash.NodePrefix, row[i], row[i + 1]);
            count = Hash();
        }
        while (left > 0)
            _subtrees.Add(rest[--left]);
        _isBroken = false;
    }

    /// <summary>Hashes what waits, and says how many hashes that gave.</summary>
    private int Hash()
    {
        var count = _waiting.Count;
        _waiting.Hash(_level.AsSpan(1));
        return count;
    }
}
