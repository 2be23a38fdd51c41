using System.Security.Cryptography;
using Microsoft.IdentityModel.Tokens;

namespace Sallyport.Server.Protocol;

/// <summary>
/// One generation of the keys behind access tokens: a secret for the MAC of opaque ones, and a P-256 key that signs those that other
/// servers check (RFC 9068).
/// </summary>
internal sealed class TokenKey
{
    public const int SecretBytes = 32;

    /// <summary>A hash that knows the key already costs half of one that has to be told.</summary>
    private readonly ThreadLocal<IncrementalHash> _mac;

    /// <param name="number">1 to 255; what an opaque token names its key by.</param>
    /// <param name="signsFrom">Before that it is published only.</param>
    /// <exception cref="CryptographicException">It is no such key.</exception>
    public TokenKey(byte number, DateTimeOffset signsFrom, byte[] secret, byte[] pkcs8)
    {
        ArgumentOutOfRangeException.ThrowIfZero(number);
        if (secret.Length != SecretBytes)
            throw new CryptographicException($"The secret of token key {number} has {secret.Length} bytes instead of {SecretBytes}");
        (Number, SignsFrom, Secret) = (number, signsFrom, secret);
        _mac = new(() => IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret));
        var signing = ECDsa.Create();
        signing.ImportPkcs8PrivateKey(pkcs8, out _);
        if (signing.KeySize != 256)
            throw new CryptographicException($"Token key {number} is not on the curve P-256");
        Signing = new(signing);
        // RFC 7638: whoever has the key can tell its name.
        Signing.KeyId = Base64UrlEncoder.Encode(Signing.ComputeJwkThumbprint());
    }

    public byte Number { get; }
    public DateTimeOffset SignsFrom { get; }
    public byte[] Secret { get; }
    public ECDsaSecurityKey Signing { get; }
    public string KeyId => Signing.KeyId;

    public static TokenKey New(byte number, DateTimeOffset signsFrom)
    {
        using var signing = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new(number, signsFrom, RandomNumberGenerator.GetBytes(SecretBytes), signing.ExportPkcs8PrivateKey());
    }

    /// <summary>HMAC-SHA-256, cut to the length of <paramref name="destination"/>.</summary>
    public void Mac(ReadOnlySpan<byte> message, Span<byte> destination)
    {
        Span<byte> full = stackalloc byte[HMACSHA256.HashSizeInBytes];
        var mac = _mac.Value!;
        mac.AppendData(message);
        mac.GetHashAndReset(full);
        full[..destination.Length].CopyTo(destination);
    }
}
