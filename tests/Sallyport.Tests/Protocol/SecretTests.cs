using System.Buffers.Text;
using Sallyport.Server.Protocol;

namespace Sallyport.Tests.Protocol;

public class SecretTests
{
    [Fact]
    public void CODE_08_a_thousand_codes_have_256_random_bits_each()
    {
        var codes = Enumerable.Range(0, 1_000).Select(_ => OpaqueSecret.New(OpaqueSecret.CodePrefix)).ToList();
        var bytes = codes.Select(code => Base64Url.DecodeFromChars(code.AsSpan(OpaqueSecret.CodePrefix.Length))).ToList();

        Assert.Equal(1_000, codes.Distinct().Count());
        Assert.All(bytes, secret => Assert.Equal(256 / 8, secret.Length));
        // Each of the 256 bits is set about as often as not: beyond 6 standard deviations, once in two million runs.
        var deviation = Math.Sqrt(1_000) / 2;
        for (var bit = 0; bit < 256; bit++)
            Assert.InRange(bytes.Count(secret => (secret[bit / 8] >> (bit % 8) & 1) == 1), 500 - (6 * deviation), 500 + (6 * deviation));
        Assert.All(codes, code => Assert.DoesNotContain(code[OpaqueSecret.CodePrefix.Length..], OpaqueSecret.Hash(code), StringComparison.OrdinalIgnoreCase));
    }
}
