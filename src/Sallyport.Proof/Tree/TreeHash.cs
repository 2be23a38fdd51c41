using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Sallyport.Proof.Tree;

/// <summary>A SHA-256 hash of the Merkle tree: of a leaf, of a node, or a root (RFC 6962 §2.1).</summary>
[InlineArray(Bytes)]
public struct TreeHash : IEquatable<TreeHash>
{
    /// <summary>Bytes of a hash.</summary>
    public const int Bytes = 32;

    private byte _first;

    /// <exception cref="ArgumentException">There are not 32 bytes.</exception>
    public static TreeHash From(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Bytes)
            throw new ArgumentException($"a hash has {Bytes} bytes, not {bytes.Length}", nameof(bytes));
        return MemoryMarshal.Read<TreeHash>(bytes);
    }

    /// <summary>The root of a tree without leaves: the hash of nothing.</summary>
    public static TreeHash Empty { get; } = From(SHA256.HashData([]));

    /// <summary>Stands before a leaf when it is hashed.</summary>
    internal const byte LeafPrefix = 0;

    /// <summary>Stands before the hashes of a node's two children.</summary>
    internal const byte NodePrefix = 1;

    /// <summary>The hash of a leaf: a zero byte, then its bytes.</summary>
    public static TreeHash OfLeaf(ReadOnlySpan<byte> leaf) => Sha256Batch.HashSingle([LeafPrefix], leaf);

    /// <summary>The hash of a node: a one byte, then the hashes of its two children.</summary>
    public static TreeHash OfNode(in TreeHash left, in TreeHash right)
    {
        Span<byte> prefixed = stackalloc byte[1 + (2 * Bytes)];
        prefixed[0] = NodePrefix;
        ((ReadOnlySpan<byte>)left).CopyTo(prefixed[1..]);
        ((ReadOnlySpan<byte>)right).CopyTo(prefixed[(1 + Bytes)..]);
        return Sha256Batch.HashSingle(prefixed);
    }

    /// <summary>A hash written in base64, as checkpoints and proofs have it. Only the one canonical spelling is taken.</summary>
    public static bool TryParse(ReadOnlySpan<char> base64, out TreeHash hash)
    {
        hash = default;
        Span<byte> bytes = stackalloc byte[Bytes + 1];
        if (!Convert.TryFromBase64Chars(base64, bytes, out var written) || written != Bytes)
            return false;
        hash = From(bytes[..Bytes]);
        return base64.SequenceEqual(hash.ToString());
    }

    public readonly bool Equals(TreeHash other) => ((ReadOnlySpan<byte>)this).SequenceEqual(other);

    public override readonly bool Equals(object? obj) => obj is TreeHash other && Equals(other);

    public override readonly int GetHashCode() => MemoryMarshal.Read<int>(this);

    /// <summary>In base64.</summary>
    public override readonly string ToString() => Convert.ToBase64String(this);

    public static bool operator ==(in TreeHash left, in TreeHash right) => left.Equals(right);

    public static bool operator !=(in TreeHash left, in TreeHash right) => !left.Equals(right);
}
