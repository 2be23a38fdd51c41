using System.Security.Cryptography;

namespace Sallyport.Tests.Proof.Support;

/// <summary>RFC 6962 §2.1 word for word: recursive, slow, and without a line in common with the product.</summary>
internal static class ReferenceTree
{
    public static byte[] Leaf(byte[] entry) => SHA256.HashData([0, .. entry]);

    public static byte[] Node(byte[] left, byte[] right) => SHA256.HashData([1, .. left, .. right]);

    /// <summary>MTH(D[start:end]), of the hashes of the leaves.</summary>
    public static byte[] Root(IReadOnlyList<byte[]> leafHashes, int start, int end)
    {
        if (end == start)
            return SHA256.HashData([]);
        if (end - start == 1)
            return leafHashes[start];
        var k = LargestPowerBelow(end - start);
        return Node(Root(leafHashes, start, start + k), Root(leafHashes, start + k, end));
    }

    public static byte[] Root(IReadOnlyList<byte[]> leafHashes) => Root(leafHashes, 0, leafHashes.Count);

    /// <summary>PATH(m, D[start:end]).</summary>
    public static IReadOnlyList<byte[]> Path(int m, IReadOnlyList<byte[]> leafHashes, int start, int end)
    {
        if (end - start == 1)
            return [];
        var k = LargestPowerBelow(end - start);
        return m < k
            ? [.. Path(m, leafHashes, start, start + k), Root(leafHashes, start + k, end)]
            : [.. Path(m - k, leafHashes, start + k, end), Root(leafHashes, start, start + k)];
    }

    /// <summary>PROOF(m, D[n]).</summary>
    public static IReadOnlyList<byte[]> Consistency(int m, IReadOnlyList<byte[]> leafHashes) => SubProof(m, leafHashes, 0, leafHashes.Count, true);

    private static IReadOnlyList<byte[]> SubProof(int m, IReadOnlyList<byte[]> leafHashes, int start, int end, bool known)
    {
        if (m == end - start)
            return known ? [] : [Root(leafHashes, start, end)];
        var k = LargestPowerBelow(end - start);
        return m <= k
            ? [.. SubProof(m, leafHashes, start, start + k, known), Root(leafHashes, start + k, end)]
            : [.. SubProof(m - k, leafHashes, start + k, end, false), Root(leafHashes, start, start + k)];
    }

    /// <summary>On which sides the siblings of leaf m stand, from below; what an inclusion proof of that index and size is made for.</summary>
    public static string InclusionShape(ulong m, ulong n)
    {
        if (n == 1)
            return "";
        var k = LargestPowerBelow(n);
        return m < k ? InclusionShape(m, k) + "r" : InclusionShape(m - k, n - k) + "l";
    }

    /// <summary>The same of a consistency proof, begun with whether its first node is the old root itself.</summary>
    public static string ConsistencyShape(ulong m, ulong n, bool known = true)
    {
        if (m == n)
            return known ? "old " : "part ";
        var k = LargestPowerBelow(n);
        return m <= k ? ConsistencyShape(m, k, known) + "r" : ConsistencyShape(m - k, n - k, false) + "l";
    }

    private static int LargestPowerBelow(int n) => (int)LargestPowerBelow((ulong)n);

    private static ulong LargestPowerBelow(ulong n)
    {
        var k = 1UL;
        while (k < n - k)
            k *= 2;
        return k;
    }
}
