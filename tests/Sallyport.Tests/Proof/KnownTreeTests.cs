using System.Text.Json;
using Sallyport.Proof.Tree;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>Answers that others have published.</summary>
public class KnownTreeTests
{
    /// <summary>The leaves of Certificate Transparency's reference tree.</summary>
    private static readonly byte[][] s_leaves =
        [.. new[] { "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f" }.Select(Convert.FromHexString)];

    private static readonly string[] s_roots =
    [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    public static TheoryData<int, int, string[]> Paths => new()
    {
        { 0, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7", "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"] },
        { 5, 8, ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b", "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"] },
        { 2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"] },
        { 1, 5, ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"] },
    };

    public static TheoryData<int, int, string[]> ConsistencyProofs => new()
    {
        { 1, 1, [] },
        { 1, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7", "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"] },
        { 6, 8, ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a", "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"] },
        { 2, 5, ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"] },
    };

    [Fact]
    public void The_reference_tree_has_its_root_at_each_size()
    {
        var tree = new Frontier();
        for (var size = 0; size <= s_leaves.Length; size++)
        {
            Assert.Equal(s_roots[size], Hex(tree.Root()));
            Assert.Equal(s_roots[size], Hex(MerkleProof.Root(size, Perfect(s_leaves[..size]))));
            Assert.Equal(s_roots[size], Hex(MerkleProof.FrontierOf(size, Perfect(s_leaves[..size])).Root()));
            Assert.Equal(s_roots[size], Convert.ToHexStringLower(ReferenceTree.Root([.. s_leaves[..size].Select(ReferenceTree.Leaf)])));
            if (size < s_leaves.Length)
                tree.Append(s_leaves[size]);
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void The_reference_tree_has_its_audit_paths(int index, int size, string[] path)
    {
        var proof = MerkleProof.Inclusion(index, size, Perfect(s_leaves));

        Assert.Equal(path, proof.Select(hash => Hex(hash)));
        Assert.True(MerkleProof.IsIncluded(TreeHash.OfLeaf(s_leaves[index]), index, size, proof, FromHex(s_roots[size])));
    }

    [Theory]
    [MemberData(nameof(ConsistencyProofs))]
    public void The_reference_tree_has_its_consistency_proofs(int oldSize, int newSize, string[] hashes)
    {
        var proof = MerkleProof.Consistency(oldSize, newSize, Perfect(s_leaves));

        Assert.Equal(hashes, proof.Select(hash => Hex(hash)));
        Assert.True(MerkleProof.IsConsistent(oldSize, FromHex(s_roots[oldSize]), newSize, FromHex(s_roots[newSize]), proof));
    }

    [Fact]
    public void Every_published_inclusion_proof_is_judged_as_its_publisher_does()
    {
        var good = 0;
        foreach (var probe in VectorFiles.Lines("rfc6962/inclusion.jsonl"))
        {
            var hashes = HashesOf(probe, "leafHash", "root");
            var holds = hashes is [var leaf, var root, .. var proof]
                && MerkleProof.IsIncluded(leaf, Number(probe, "leafIdx"), Number(probe, "treeSize"), proof, root);
            Assert.True(holds == !probe.GetProperty("wantErr").GetBoolean(), probe.GetProperty("name").GetString());
            good += holds ? 1 : 0;
        }
        Assert.Equal(6, good);
    }

    [Fact]
    public void Every_published_consistency_proof_is_judged_as_its_publisher_does()
    {
        var good = 0;
        foreach (var probe in VectorFiles.Lines("rfc6962/consistency.jsonl"))
        {
            var name = probe.GetProperty("name").GetString()!;
            var holds = HashesOf(probe, "root1", "root2") is [var oldRoot, var newRoot, .. var proof]
                && MerkleProof.IsConsistent(Number(probe, "size1"), oldRoot, Number(probe, "size2"), newRoot, proof);
            // They call a proof from the empty tree useless. A witness takes it (C2SP tlog-witness): nothing is the beginning of everything.
            var expected = name == "additional/size1-is-zero-and-size2-is-not-zero" || !probe.GetProperty("wantErr").GetBoolean();
            Assert.True(holds == expected, name);
            good += holds ? 1 : 0;
        }
        Assert.Equal(7, good);
    }

    /// <summary>Their numbers have 64 bits without a sign; none above 2^63 is right.</summary>
    private static long Number(JsonElement probe, string name) => unchecked((long)probe.GetProperty(name).GetUInt64());

    /// <summary>Null where one of them cannot be a hash, so that no proof with it can be made. Some are words ("don't care 1"), which stand for any hash.</summary>
    private static TreeHash[]? HashesOf(JsonElement probe, string first, string second)
    {
        var proof = probe.GetProperty("proof");
        string?[] all = [probe.GetProperty(first).GetString(), probe.GetProperty(second).GetString(), .. proof.ValueKind == JsonValueKind.Null ? [] : proof.EnumerateArray().Select(hash => hash.GetString())];
        var hashes = new List<TreeHash>();
        foreach (var base64 in all)
        {
            if (base64 is { Length: > 0 and < 44 } word)
                hashes.Add(TreeHash.OfLeaf(Convert.FromBase64String(word)));
            else if (!TreeHash.TryParse(base64, out var hash))
                return null;
            else
                hashes.Add(hash);
        }
        return [.. hashes];
    }

    private static PerfectSubtree Perfect(byte[][] leaves)
    {
        var hashes = leaves.Select(ReferenceTree.Leaf).ToList();
        return (height, index) => TreeHash.From(ReferenceTree.Root(hashes, (int)(index << height), (int)((index + 1) << height)));
    }

    private static string Hex(in TreeHash hash) => Convert.ToHexStringLower(hash);

    private static TreeHash FromHex(string hex) => TreeHash.From(Convert.FromHexString(hex));
}
