using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sallyport.Proof.Journal;

/// <summary>Castagnoli's checksum, as docs/audit-format.md ("The journal") has it.</summary>
public static class Crc32C
{
    /// <summary>Of 4 bytes, little-endian, and then <paramref name="bytes"/>.</summary>
    public static uint Of(uint first, ReadOnlySpan<byte> bytes) => ~Go(BitOperations.Crc32C(uint.MaxValue, first), bytes);

    public static uint Of(ReadOnlySpan<byte> bytes) => ~Go(uint.MaxValue, bytes);

    /// <remarks>Compiled as well as can be at once: counting its rounds first, as is done to learn what is worth it, costs more than they do.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static uint Go(uint crc, ReadOnlySpan<byte> bytes)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
            crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        foreach (var single in bytes[(words.Length * sizeof(ulong))..])
            crc = BitOperations.Crc32C(crc, single);
        return crc;
    }
}
