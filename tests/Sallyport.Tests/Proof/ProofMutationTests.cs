using System.Collections.Concurrent;
using Sallyport.Proof.Tree;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>
/// A proof that was changed in one bit, anywhere, proves nothing.
/// </summary>
/// <remarks>
/// With one reservation, which is RFC 9162's own and is tested exactly: a proof is bound to a size only by the shape of the path that
/// the size gives it. Leaf 0 of 3 and leaf 0 of 4 have their siblings on the same sides, so either proof is good for either size. That
/// is why a size and its root are taken from one signed checkpoint, and never a size alone.
///
/// In all trees up to 64 leaves all bits are changed. The hashes that are compared depend on the shape alone, so that in larger ones all
/// bits are changed once for each shape, and where it comes again, with another index or size, a bit of each byte. SALLYPORT_SOAK=1 changes
/// all of them everywhere, in trees up to 300.
/// </remarks>
public class ProofMutationTests
{
    private static readonly ConcurrentDictionary<string, bool> s_shapes = new();
    private static readonly bool s_soak = Environment.GetEnvironmentVariable("SALLYPORT_SOAK") == "1";
    private const int Small = 64;
    private static readonly int s_all = s_soak ? 300 : Small;

    [Fact]
    public void Every_inclusion_proof_holds_and_none_with_a_bit_changed() =>
        Parallel.For(1, s_all + 1, size =>
        {
            var tree = new PlainTree(size);
            for (var index = 0; index < size; index++)
                MutateInclusion(tree, index, size);
        });

    [Fact]
    public void Every_consistency_proof_holds_and_none_with_a_bit_changed() =>
        Parallel.For(1, s_all + 1, newSize =>
        {
            var tree = new PlainTree(newSize);
            for (var oldSize = 1; oldSize <= newSize; oldSize++)
                MutateConsistency(tree, oldSize, newSize);
        });

    [Fact]
    public void The_same_holds_of_samples_in_trees_up_to_2_to_the_20()
    {
        var dice = Dice.New();
        var tree = new PlainTree(1 << 20);
        var samples = Enumerable.Range(0, s_soak ? 500 : 20)
            .Select(i => i < 3 ? (1 << 20) - i : 1 + dice.Below(1 << dice.Below(21)))
            .Select(size => (size, dice.Below(size), 1 + dice.Below(size)))
            .ToList();
        Parallel.ForEach(samples, sample =>
        {
            var (size, index, oldSize) = sample;
            MutateInclusion(tree, index, size);
            MutateConsistency(tree, oldSize, size);
        });
    }

    [Fact]
    public void A_size_with_another_path_is_refused_and_one_with_the_same_path_is_why_sizes_are_signed()
    {
        var tree = new PlainTree(4);
        var leaf = tree.Leaf(0);
        var proof = MerkleProof.Inclusion(0, 4, tree.Subtree);

        Assert.True(MerkleProof.IsIncluded(leaf, 0, 4, proof, tree.Root(4)));
        Assert.True(MerkleProof.IsIncluded(leaf, 0, 3, proof, tree.Root(4)));
        Assert.False(MerkleProof.IsIncluded(leaf, 0, 2, proof, tree.Root(4)));
        Assert.False(MerkleProof.IsIncluded(leaf, 0, 5, proof, tree.Root(4)));
    }

    [Fact]
    public void A_node_is_no_leaf()
    {
        for (var size = 2; size <= 20; size++)
        {
            var tree = new PlainTree(size);
            var root = tree.Root(size);
            for (var index = 0; index < size; index++)
            {
                var proof = MerkleProof.Inclusion(index, size, tree.Subtree);
                var hash = tree.Leaf(index);
                // The parent of the leaf, offered as a leaf with the rest of the path: a second preimage, but for the prefixes.
                var left = ReferenceTree.InclusionShape((ulong)index, (ulong)size)[0] == 'r';
                byte[] children = left ? [.. (ReadOnlySpan<byte>)hash, .. Bytes(proof[0])] : [.. Bytes(proof[0]), .. (ReadOnlySpan<byte>)hash];
                var shorter = proof.Skip(1).ToList();
                for (var i = 0; i < size; i++)
                {
                    for (var claimed = i + 1; claimed <= size; claimed++)
                        Assert.False(MerkleProof.IsIncluded(TreeHash.OfLeaf(children), i, claimed, shorter, root));
                }
            }
        }
    }

    [Fact]
    public void What_stands_outside_of_a_tree_is_not_in_it()
    {
        var tree = new PlainTree(8);
        var (leaf, root) = (tree.Leaf(0), tree.Root(8));

        Assert.False(MerkleProof.IsIncluded(leaf, 0, 0, [], TreeHash.Empty));
        Assert.False(MerkleProof.IsIncluded(leaf, 0, 0, [], leaf));
        Assert.False(MerkleProof.IsIncluded(leaf, -1, 8, [], root));
        Assert.False(MerkleProof.IsIncluded(leaf, 8, 8, MerkleProof.Inclusion(0, 8, tree.Subtree), root));
        Assert.False(MerkleProof.IsIncluded(leaf, long.MaxValue, long.MinValue, [], root));
        Assert.False(MerkleProof.IsIncluded(root, 0, 8, [], root));
        Assert.False(MerkleProof.IsIncluded(leaf, 0, long.MaxValue, MerkleProof.Inclusion(0, 8, tree.Subtree), root));
        Assert.True(MerkleProof.IsIncluded(leaf, 0, 1, [], leaf));
    }

    [Fact]
    public void A_consistency_proof_of_nothing_or_backwards_is_refused()
    {
        var tree = new PlainTree(8);
        var (one, eight) = (tree.Root(1), tree.Root(8));

        Assert.False(MerkleProof.IsConsistent(1, one, 8, eight, []));
        Assert.False(MerkleProof.IsConsistent(3, tree.Root(3), 8, eight, []));
        Assert.False(MerkleProof.IsConsistent(8, eight, 1, one, []));
        Assert.False(MerkleProof.IsConsistent(8, eight, 1, one, MerkleProof.Consistency(1, 8, tree.Subtree)));
        Assert.False(MerkleProof.IsConsistent(8, eight, 8, eight, [eight]));
        Assert.False(MerkleProof.IsConsistent(8, one, 8, eight, []));
        Assert.False(MerkleProof.IsConsistent(-1, one, 8, eight, []));
        Assert.False(MerkleProof.IsConsistent(0, one, 8, eight, []));
        Assert.False(MerkleProof.IsConsistent(0, TreeHash.Empty, 8, eight, [eight]));
        Assert.False(MerkleProof.IsConsistent(0, one, 0, one, []));
        Assert.True(MerkleProof.IsConsistent(0, TreeHash.Empty, 0, TreeHash.Empty, []));
        Assert.True(MerkleProof.IsConsistent(0, TreeHash.Empty, 8, eight, []));
        Assert.True(MerkleProof.IsConsistent(8, eight, 8, eight, []));
    }

    [Fact]
    public void No_proof_connects_a_log_with_another_that_was_written_anew()
    {
        var (honest, forged) = (new PlainTree(64), new PlainTree(64, changed: 17));
        for (var oldSize = 18; oldSize < 64; oldSize++)
        {
            Assert.False(MerkleProof.IsConsistent(oldSize, honest.Root(oldSize), 64, forged.Root(64), MerkleProof.Consistency(oldSize, 64, forged.Subtree)));
            Assert.False(MerkleProof.IsConsistent(oldSize, honest.Root(oldSize), 64, forged.Root(64), MerkleProof.Consistency(oldSize, 64, honest.Subtree)));
            Assert.False(MerkleProof.IsConsistent(oldSize, honest.Root(oldSize), 64, forged.Root(64), [honest.Root(oldSize), .. MerkleProof.Consistency(oldSize, 64, forged.Subtree)]));
        }
        Assert.True(MerkleProof.IsConsistent(17, honest.Root(17), 64, forged.Root(64), MerkleProof.Consistency(17, 64, forged.Subtree)));
    }

    private static void MutateInclusion(PlainTree tree, int index, int size)
    {
        var shape = ReferenceTree.InclusionShape((ulong)index, (ulong)size);
        var bits = Bits(shape, index, size);
        var (leaf, root, proof) = (tree.Leaf(index), tree.Root(size), MerkleProof.Inclusion(index, size, tree.Subtree).ToArray());
        var at = $"leaf {index} of {size}";
        Require(MerkleProof.IsIncluded(leaf, index, size, proof, root), at, "holds");
        foreach (var bit in bits)
        {
            Require(!MerkleProof.IsIncluded(Flip(leaf, bit), index, size, proof, root), at, $"not with bit {bit} of the leaf changed");
            Require(!MerkleProof.IsIncluded(leaf, index, size, proof, Flip(root, bit)), at, $"not with bit {bit} of the root changed");
        }
        RequireEachHash(proof, bits, () => MerkleProof.IsIncluded(leaf, index, size, proof, root), at);
        for (var bit = 0; bit < 64; bit++)
        {
            Require(!MerkleProof.IsIncluded(leaf, index ^ (1L << bit), size, proof, root), at, $"not with bit {bit} of the index changed");
            var other = size ^ (1L << bit);
            var same = other > index && ReferenceTree.InclusionShape((ulong)index, (ulong)other) == shape;
            Require(MerkleProof.IsIncluded(leaf, index, other, proof, root) == same, at, $"as {other} leaves, only where that has the same path");
        }
        foreach (var wrong in Lengthened(proof, leaf, root))
            Require(!MerkleProof.IsIncluded(leaf, index, size, wrong, root), at, "not with a hash more or less");
    }

    /// <summary>The proof holds with none of those bits of any of its hashes changed.</summary>
    private static void RequireEachHash(TreeHash[] proof, IReadOnlyList<int> bits, Func<bool> holds, string at)
    {
        for (var i = 0; i < proof.Length; i++)
        {
            var good = proof[i];
            foreach (var bit in bits)
            {
                proof[i] = Flip(good, bit);
                Require(!holds(), at, $"not with bit {bit} of hash {i} changed");
            }
            proof[i] = good;
        }
    }

    private static void MutateConsistency(PlainTree tree, int oldSize, int newSize)
    {
        var shape = ReferenceTree.ConsistencyShape((ulong)oldSize, (ulong)newSize);
        var bits = Bits(shape, oldSize, newSize);
        var (oldRoot, newRoot, proof) = (tree.Root(oldSize), tree.Root(newSize), MerkleProof.Consistency(oldSize, newSize, tree.Subtree).ToArray());
        var at = $"{oldSize} leaves before {newSize}";
        Require(MerkleProof.IsConsistent(oldSize, oldRoot, newSize, newRoot, proof), at, "holds");
        foreach (var bit in bits)
        {
            Require(!MerkleProof.IsConsistent(oldSize, Flip(oldRoot, bit), newSize, newRoot, proof), at, $"not with bit {bit} of the old root changed");
            Require(!MerkleProof.IsConsistent(oldSize, oldRoot, newSize, Flip(newRoot, bit), proof), at, $"not with bit {bit} of the new root changed");
        }
        RequireEachHash(proof, bits, () => MerkleProof.IsConsistent(oldSize, oldRoot, newSize, newRoot, proof), at);
        for (var bit = 0; bit < 64; bit++)
        {
            Require(!MerkleProof.IsConsistent(oldSize ^ (1L << bit), oldRoot, newSize, newRoot, proof), at, $"not with bit {bit} of the old size changed");
            var other = newSize ^ (1L << bit);
            var same = other >= oldSize && ReferenceTree.ConsistencyShape((ulong)oldSize, (ulong)other) == shape;
            Require(MerkleProof.IsConsistent(oldSize, oldRoot, other, newRoot, proof) == same, at, $"as {other} leaves, only where that has the same path");
        }
        foreach (var wrong in Lengthened(proof, oldRoot, newRoot))
            Require(!MerkleProof.IsConsistent(oldSize, oldRoot, newSize, newRoot, wrong), at, "not with a hash more or less");
    }

    /// <summary>The proof without each of its hashes, and with one more at each place.</summary>
    private static IEnumerable<TreeHash[]> Lengthened(TreeHash[] proof, TreeHash one, TreeHash other)
    {
        for (var i = 0; i <= proof.Length; i++)
        {
            yield return [.. proof[..i], one, .. proof[i..]];
            yield return [.. proof[..i], other, .. proof[i..]];
            yield return [.. proof[..i], default, .. proof[i..]];
            if (i == proof.Length)
                continue;
            yield return [.. proof[..i], proof[i], .. proof[i..]];
            yield return [.. proof[..i], .. proof[(i + 1)..]];
        }
    }

    private static IReadOnlyList<int> Bits(string shape, int turn, int size) => s_soak || size <= Small || s_shapes.TryAdd(shape, true)
        ? [.. Enumerable.Range(0, 8 * TreeHash.Bytes)]
        : [.. Enumerable.Range(0, TreeHash.Bytes).Select(i => (8 * i) + ((i + turn) % 8))];

    private static TreeHash Flip(TreeHash hash, int bit)
    {
        hash[bit / 8] ^= (byte)(1 << (bit % 8));
        return hash;
    }

    private static byte[] Bytes(TreeHash hash) => ((ReadOnlySpan<byte>)hash).ToArray();

    private static void Require(bool holds, string at, string what)
    {
        if (!holds)
            Assert.Fail($"{at}: {what}");
    }

    /// <summary>A tree whose perfect subtrees are all kept; each leaf is its index.</summary>
    private sealed class PlainTree
    {
        private readonly List<TreeHash[]> _rows = [];

        public PlainTree(int size, int changed = -1)
        {
            _rows.Add([.. Enumerable.Range(0, size).Select(i => TreeHash.OfLeaf(BitConverter.GetBytes(i == changed ? -1 : i)))]);
            for (var below = _rows[0]; below.Length > 1; below = _rows[^1])
                _rows.Add([.. Enumerable.Range(0, below.Length / 2).Select(i => TreeHash.OfNode(below[2 * i], below[(2 * i) + 1]))]);
        }

        public TreeHash Leaf(int index) => _rows[0][index];

        public TreeHash Subtree(int height, long index) => _rows[height][index];

        public TreeHash Root(int size) => MerkleProof.Root(size, Subtree);
    }
}
