using System.Numerics;

namespace Sallyport.Proof.Tree;

/// <summary>
/// The right edge of a growing tree: the roots of its perfect subtrees, largest first. It is all that is needed to append leaves and
/// to know the root at each size; it grows with the logarithm of the size.
/// </summary>
public class Frontier
{
    private readonly List<TreeHash> _subtrees;

    public Frontier() => _subtrees = [];

    /// <summary>Goes on where another one ends.</summary>
    protected Frontier(Frontier from) => (Size, _subtrees) = (from.Size, [.. from._subtrees]);

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

    public void Append(ReadOnlySpan<byte> leaf) => Append(TreeHash.OfLeaf(leaf));

    public void Append(TreeHash leafHash)
    {
        var hash = leafHash;
        var height = 0;
        OnSubtree(height, hash);
        for (var size = Size; (size & 1) == 1; size >>= 1)
        {
            hash = TreeHash.OfNode(_subtrees[^1], hash);
            _subtrees.RemoveAt(_subtrees.Count - 1);
            OnSubtree(++height, hash);
        }
        _subtrees.Add(hash);
        Size++;
    }

    /// <summary>The root of the tree as it is now.</summary>
    public TreeHash Root()
    {
        if (_subtrees.Count == 0)
            return TreeHash.Empty;
        var root = _subtrees[^1];
        for (var i = _subtrees.Count - 2; i >= 0; i--)
            root = TreeHash.OfNode(_subtrees[i], root);
        return root;
    }

    /// <summary>A perfect subtree of 2^<paramref name="height"/> leaves was completed; those of height 0 are the leaves.</summary>
    protected virtual void OnSubtree(int height, in TreeHash hash)
    {
    }

}
