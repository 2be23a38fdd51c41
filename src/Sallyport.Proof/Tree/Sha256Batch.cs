using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;

namespace Sallyport.Proof.Tree;

/// <summary>
/// SHA-256 of many messages that do not wait for one another, as the leaves and the nodes of one level of a tree are: eight of them go
/// through the compression function side by side, one in each 32-bit lane of a vector.
/// </summary>
/// <remarks>
/// Names and sections are those of FIPS 180-4. There is no secret in a log's hashes, and no branch or address here depends on a message's
/// bytes anyway. Without AVX2, and for few messages, it is the platform's SHA-256 for one after the other.
/// </remarks>
internal sealed class Sha256Batch
{
    private const int Lanes = 8;
    private const int Words = 8;
    private const int BlockBytes = 64;
    private const int BlockWords = BlockBytes / sizeof(uint);

    /// <summary>Bytes behind a message, at least: a one bit, and its length.</summary>
    private const int PaddingBytes = 1 + sizeof(ulong);

    /// <summary>Fewer take longer side by side, with lanes left empty, than one after the other.</summary>
    private const int FewestTogether = 4;

    /// <summary>Kept, as making one takes longer than hashing a node does.</summary>
    [ThreadStatic]
    private static IncrementalHash? s_single;

    /// <summary>The messages, each padded to whole blocks (§5.1.1), one behind the other.</summary>
    private byte[] _blocks = [];

    /// <summary>Where each message ends, padding included.</summary>
    private readonly List<int> _ends = [];

    /// <summary>§5.3.3.</summary>
    private static ReadOnlySpan<uint> Initial => [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

    /// <summary>§4.2.2.</summary>
    private static ReadOnlySpan<uint> K =>
    [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    /// <summary>Puts the bytes of each word into this machine's order.</summary>
    private static Vector256<byte> BigEndian
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector256.Create(0x0405060700010203ul, 0x0c0d0e0f08090a0bul, 0x0405060700010203ul, 0x0c0d0e0f08090a0bul).AsByte();
    }

    /// <summary>Messages that wait.</summary>
    public int Count => _ends.Count;

    /// <summary>What they take, padding included.</summary>
    public int Bytes => Start(Count);

    /// <summary>Adds a message that consists of a byte and what is behind it.</summary>
    public void Add(byte prefix, ReadOnlySpan<byte> content, ReadOnlySpan<byte> further = default)
    {
        var (start, length) = (Bytes, 1 + content.Length + further.Length);
        var end = start + ((length + PaddingBytes + BlockBytes - 1) / BlockBytes * BlockBytes);
        if (_blocks.Length < end)
            Array.Resize(ref _blocks, Math.Max(end, 2 * _blocks.Length));
        var message = _blocks.AsSpan(start, end - start);
        message[0] = prefix;
        content.CopyTo(message[1..]);
        further.CopyTo(message[(1 + content.Length)..]);
        message[length] = 0x80;
        message[(length + 1)..].Clear();
        BinaryPrimitives.WriteUInt64BigEndian(message[^sizeof(ulong)..], (ulong)length * 8);
        _ends.Add(end);
    }

    /// <summary>Writes the hash of each message, in the order in which they were added, and forgets them.</summary>
    public void Hash(Span<TreeHash> hashes)
    {
        if (Avx2.IsSupported && Count >= FewestTogether)
            HashTogether(hashes);
        else
            HashSingly(hashes);
        _ends.Clear();
    }

    /// <summary>The platform's hash of one message, which may be in two pieces.</summary>
    public static TreeHash HashSingle(ReadOnlySpan<byte> message, ReadOnlySpan<byte> further = default)
    {
        var sha256 = s_single ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha256.AppendData(message);
        if (!further.IsEmpty)
            sha256.AppendData(further);
        TreeHash hash = default;
        sha256.GetHashAndReset(hash);
        return hash;
    }

    internal void HashSingly(Span<TreeHash> hashes)
    {
        for (var i = 0; i < Count; i++)
        {
            var message = _blocks.AsSpan(Start(i).._ends[i]);
            hashes[i] = HashSingle(message[..(int)(BinaryPrimitives.ReadUInt64BigEndian(message[^sizeof(ulong)..]) / 8)]);
        }
    }

    /// <summary>A lane that is done with its message takes the next one, whatever the others are at.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void HashTogether(Span<TreeHash> hashes)
    {
        const int None = -1;
        Span<uint> state = stackalloc uint[Words * Lanes];
        Span<int> message = stackalloc int[Lanes];
        Span<int> offset = stackalloc int[Lanes];
        message.Fill(None);
        var (taken, left) = (0, Count);
        while (true)
        {
            for (var lane = 0; lane < Lanes; lane++)
            {
                if (message[lane] != None)
                {
                    offset[lane] += BlockBytes;
                    if (offset[lane] < _ends[message[lane]])
                        continue;
                    Span<byte> hash = hashes[message[lane]];
                    for (var word = 0; word < Words; word++)
                        BinaryPrimitives.WriteUInt32BigEndian(hash[(word * sizeof(uint))..], state[(word * Lanes) + lane]);
                    left--;
                }
                // One for which none is left goes through the first block again, and nobody looks.
                (message[lane], offset[lane]) = taken < Count ? (taken, Start(taken++)) : (None, 0);
                for (var word = 0; word < Words; word++)
                    state[(word * Lanes) + lane] = Initial[word];
            }
            if (left == 0)
                return;
            Compress(state, offset);
        }
    }

    private int Start(int message) => message == 0 ? 0 : _ends[message - 1];

    /// <summary>§6.2.2 for the block of each lane.</summary>
    /// <param name="state">The eight words of the hash, each of all lanes.</param>
    /// <param name="offsets">Where the block of each lane begins.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Compress(Span<uint> state, ReadOnlySpan<int> offsets)
    {
        // 1. The message schedule: of its 64 words the last 16.
        Span<Vector256<uint>> w = stackalloc Vector256<uint>[BlockWords];
        for (var t = 0; t < BlockWords; t += 4)
        {
            // Rows of four words of two messages each become columns of a word of all messages.
            var (row0, row1, row2, row3) = (Row(offsets, 0, t), Row(offsets, 1, t), Row(offsets, 2, t), Row(offsets, 3, t));
            var (even0, even1) = (Avx2.UnpackLow(row0, row2), Avx2.UnpackHigh(row0, row2));
            var (odd0, odd1) = (Avx2.UnpackLow(row1, row3), Avx2.UnpackHigh(row1, row3));
            (w[t], w[t + 1]) = (Avx2.UnpackLow(even0, odd0), Avx2.UnpackHigh(even0, odd0));
            (w[t + 2], w[t + 3]) = (Avx2.UnpackLow(even1, odd1), Avx2.UnpackHigh(even1, odd1));
        }

        // 2. The working variables.
        var hash = MemoryMarshal.Cast<uint, Vector256<uint>>(state);
        var (a, b, c, d) = (hash[0], hash[1], hash[2], hash[3]);
        var (e, f, g, h) = (hash[4], hash[5], hash[6], hash[7]);

        // 3. The rounds; instead of moving the variables on, each takes its place by its name.
        for (var t = 0; t < 64; t += 8)
        {
            if (t >= BlockWords)
                Schedule(w, t);
            var wt = w.Slice(t & (BlockWords - 1), 8);
            var kt = K.Slice(t, 8);
            Round(a, b, c, ref d, e, f, g, ref h, wt[0] + Vector256.Create(kt[0]));
            Round(h, a, b, ref c, d, e, f, ref g, wt[1] + Vector256.Create(kt[1]));
            Round(g, h, a, ref b, c, d, e, ref f, wt[2] + Vector256.Create(kt[2]));
            Round(f, g, h, ref a, b, c, d, ref e, wt[3] + Vector256.Create(kt[3]));
            Round(e, f, g, ref h, a, b, c, ref d, wt[4] + Vector256.Create(kt[4]));
            Round(d, e, f, ref g, h, a, b, ref c, wt[5] + Vector256.Create(kt[5]));
            Round(c, d, e, ref f, g, h, a, ref b, wt[6] + Vector256.Create(kt[6]));
            Round(b, c, d, ref e, f, g, h, ref a, wt[7] + Vector256.Create(kt[7]));
        }

        // 4. The next hash value.
        (hash[0], hash[1], hash[2], hash[3]) = (hash[0] + a, hash[1] + b, hash[2] + c, hash[3] + d);
        (hash[4], hash[5], hash[6], hash[7]) = (hash[4] + e, hash[5] + f, hash[6] + g, hash[7] + h);
    }

    /// <summary>The words t to t + 3 of the blocks of a lane and of the one four behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector256<uint> Row(ReadOnlySpan<int> offsets, int lane, int t)
    {
        var start = t * sizeof(uint);
        var bytes = Vector256.Create(
            Vector128.Create<byte>(_blocks.AsSpan(offsets[lane] + start, 16)), Vector128.Create<byte>(_blocks.AsSpan(offsets[lane + 4] + start, 16)));
        return Avx2.Shuffle(bytes, BigEndian).AsUInt32();
    }

    /// <summary>The words t to t + 7 of the schedule, in the place of those 16 before them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Schedule(Span<Vector256<uint>> w, int t)
    {
        for (var i = t; i < t + 8; i++)
            w[i & 15] += SmallSigma1(w[(i - 2) & 15]) + w[(i - 7) & 15] + SmallSigma0(w[(i - 15) & 15]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Round(
        Vector256<uint> a, Vector256<uint> b, Vector256<uint> c, ref Vector256<uint> d,
        Vector256<uint> e, Vector256<uint> f, Vector256<uint> g, ref Vector256<uint> h, Vector256<uint> kw)
    {
        // Added up so that what comes last in time is added last: the next round waits for d and h.
        var (early, ch, sigma1) = (h + kw, Vector256.ConditionalSelect(e, f, g), BigSigma1(e));
        d = d + early + ch + sigma1;
        h = early + ch + sigma1 + Vector256.ConditionalSelect(a ^ b, c, b) + BigSigma0(a);
    }

    // §4.1.2.

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> BigSigma0(Vector256<uint> x) => RotateRight(x, 2) ^ RotateRight(x, 13) ^ RotateRight(x, 22);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> BigSigma1(Vector256<uint> x) => RotateRight(x, 6) ^ RotateRight(x, 11) ^ RotateRight(x, 25);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> SmallSigma0(Vector256<uint> x) => RotateRight(x, 7) ^ RotateRight(x, 18) ^ (x >>> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> SmallSigma1(Vector256<uint> x) => RotateRight(x, 17) ^ RotateRight(x, 19) ^ (x >>> 10);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> RotateRight(Vector256<uint> x, [ConstantExpected] byte bits) =>
        Avx512F.VL.IsSupported ? Avx512F.VL.RotateRight(x, bits) : (x >>> bits) | (x << (32 - bits));
}
