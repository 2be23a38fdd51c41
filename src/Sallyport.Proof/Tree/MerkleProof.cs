using System.Numerics;

namespace Sallyport.Proof.Tree;

/// <summary>
/// The hash of a perfect subtree: 2^<paramref name="height"/> leaves, the <paramref name="index"/>-th such subtree from the left.
/// </summary>
public delegate TreeHash PerfectSubtree(int height, long index);

/// <summary>Inclusion and consistency proofs (RFC 6962 §2.1.1 and §2.1.2), checked as RFC 9162 §2.1.3.2 and §2.1.4.2 say.</summary>
public static class MerkleProof
{
    /// <summary>No tree is so high that its proof has more hashes.</summary>
    public const int MaxHashes = 63;

    /// <summary>The root of the first <paramref name="size"/> leaves.</summary>
    public static TreeHash Root(long size, PerfectSubtree subtree)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        return size == 0 ? TreeHash.Empty : RangeRoot(0, size, subtree);
    }

    /// <summary>The perfect subtrees of a tree, largest first: what a <see cref="Frontier"/> is made of.</summary>
    public static Frontier FrontierOf(long size, PerfectSubtree subtree)
    {
        var subtrees = new List<TreeHash>();
        var start = 0L;
        while (start < size)
        {
            var height = BitOperations.Log2((ulong)(size - start));
            subtrees.Add(subtree(height, start >> height));
            start += 1L << height;
        }
        return new(size, subtrees);
    }

    /// <summary>Proves that a leaf is in the tree of the first <paramref name="size"/> leaves: from its sibling up.</summary>
    /// <exception cref="ArgumentOutOfRangeException">That tree has no such leaf.</exception>
    public static IReadOnlyList<TreeHash> Inclusion(long index, long size, PerfectSubtree subtree)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, size);
        var proof = new List<TreeHash>();
        var (start, end) = (0L, size);
        while (end - start > 1)
        {
            var middle = start + LargestPowerBelow(end - start);
            if (index < middle)
            {
                proof.Add(RangeRoot(middle, end, subtree));
                end = middle;
            }
            else
            {
                proof.Add(RangeRoot(start, middle, subtree));
                start = middle;
            }
        }
        proof.Reverse();
        return proof;
    }

    /// <summary>Proves that the tree of the first <paramref name="oldSize"/> leaves is the beginning of that of <paramref name="newSize"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The sizes are not 0 &lt; old ≤ new.</exception>
    public static IReadOnlyList<TreeHash> Consistency(long oldSize, long newSize, PerfectSubtree subtree)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(oldSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(oldSize, newSize);
        var proof = new List<TreeHash>();
        var (start, end, whole) = (0L, newSize, true);
        while (oldSize != end)
        {
            var middle = start + LargestPowerBelow(end - start);
            if (oldSize <= middle)
            {
                proof.Add(RangeRoot(middle, end, subtree));
                end = middle;
            }
            else
            {
                proof.Add(RangeRoot(start, middle, subtree));
                start = middle;
                whole = false;
            }
        }
        // The old tree's root is known to whoever checks; a part of it is not.
        if (!whole)
            proof.Add(RangeRoot(start, end, subtree));
        proof.Reverse();
        return proof;
    }

    /// <summary>Whether the proof shows that the leaf with that hash stands at that index of the tree with that root.</summary>
    public static bool IsIncluded(in TreeHash leafHash, long index, long size, IReadOnlyList<TreeHash> proof, in TreeHash root)
    {
        if (index < 0 || index >= size)
            return false;
        var (node, last) = (index, size - 1);
        var hash = leafHash;
        foreach (var sibling in proof)
        {
            if (last == 0)
                return false;
            if ((node & 1) == 1 || node == last)
            {
                hash = TreeHash.OfNode(sibling, hash);
                while ((node & 1) == 0 && node != 0)
                    (node, last) = (node >> 1, last >> 1);
            }
            else
            {
                hash = TreeHash.OfNode(hash, sibling);
            }
            (node, last) = (node >> 1, last >> 1);
        }
        return last == 0 && hash == root;
    }

    /// <summary>Whether the proof shows that the old tree is the beginning of the new one. An empty old tree is the beginning of every tree.</summary>
    public static bool IsConsistent(long oldSize, in TreeHash oldRoot, long newSize, in TreeHash newRoot, IReadOnlyList<TreeHash> proof)
    {
        if (oldSize < 0 || oldSize > newSize)
            return false;
        if (oldSize == 0 && oldRoot != TreeHash.Empty)
            return false;
        if (oldSize == newSize)
            return proof.Count == 0 && oldRoot == newRoot;
        if (oldSize == 0)
            return proof.Count == 0;
        // A perfect old tree is itself the first node of the path.
        var perfect = BitOperations.IsPow2(oldSize);
        if (!perfect && proof.Count == 0)
            return false;
        var (node, last) = (oldSize - 1, newSize - 1);
        while ((node & 1) == 1)
            (node, last) = (node >> 1, last >> 1);
        var first = perfect ? oldRoot : proof[0];
        var (oldHash, newHash) = (first, first);
        for (var i = perfect ? 0 : 1; i < proof.Count; i++)
        {
            if (last == 0)
                return false;
            var sibling = proof[i];
            if ((node & 1) == 1 || node == last)
            {
                oldHash = TreeHash.OfNode(sibling, oldHash);
                newHash = TreeHash.OfNode(sibling, newHash);
                while ((node & 1) == 0 && node != 0)
                    (node, last) = (node >> 1, last >> 1);
            }
            else
            {
                newHash = TreeHash.OfNode(newHash, sibling);
            }
            (node, last) = (node >> 1, last >> 1);
        }
        return last == 0 && oldHash == oldRoot && newHash == newRoot;
    }

    private static TreeHash RangeRoot(long start, long end, PerfectSubtree subtree)
    {
        var length = end - start;
        if (BitOperations.IsPow2(length))
        {
            var height = BitOperations.Log2((ulong)length);
            return subtree(height, start >> height);
        }
        var middle = start + LargestPowerBelow(length);
        return TreeHash.OfNode(RangeRoot(start, middle, subtree), RangeRoot(middle, end, subtree));
    }

    /// <summary>The largest power of two that is smaller than <paramref name="n"/>, for n &gt; 1.</summary>
    private static long LargestPowerBelow(long n) => 1L << BitOperations.Log2((ulong)(n - 1));
}
