using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace Sallyport.EndToEnd.Support;

/// <summary>Random numbers that a run prints the seed of: SALLYPORT_SEED throws them again.</summary>
internal sealed class Dice
{
    private readonly uint _seed;
    private long _thrown;

    public Dice()
    {
        _seed = uint.TryParse(Environment.GetEnvironmentVariable("SALLYPORT_SEED"), CultureInfo.InvariantCulture, out var seed)
            ? seed
            : BinaryPrimitives.ReadUInt32LittleEndian(RandomNumberGenerator.GetBytes(sizeof(uint)));
        TestContext.Current.TestOutputHelper?.WriteLine($"SALLYPORT_SEED={_seed.ToString(CultureInfo.InvariantCulture)}");
    }

    /// <summary>At least <paramref name="least"/>, at most <paramref name="most"/>.</summary>
    public int Throw(int least, int most)
    {
        Span<byte> from = stackalloc byte[sizeof(uint) + sizeof(long)];
        BinaryPrimitives.WriteUInt32LittleEndian(from, _seed);
        BinaryPrimitives.WriteInt64LittleEndian(from[sizeof(uint)..], _thrown++);
        var number = BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(from));
        return least + (int)(number % (ulong)(most - least + 1));
    }
}
