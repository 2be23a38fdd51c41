using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Sallyport.Server.Protocol;

/// <summary>
/// Codes, refresh tokens, client secrets and enrolment tokens: 256 random bits behind a prefix that secret scanners know.
/// Only the SHA-256 is stored; with that much entropy a slow hash would add nothing (RFC 6819 §5.1.4.1.3).
/// </summary>
internal static class OpaqueSecret
{
    public const string CodePrefix = "sp_code_";
    public const string RefreshTokenPrefix = "sp_rt_";
    public const string ClientSecretPrefix = "sp_cs_";
    public const string RegistrationTokenPrefix = "sp_reg_";
    public const string EnrolmentPrefix = "sp_enrol_";
    /// <summary>The state of a sign-in at an identity provider, and the secret that binds it to a browser.</summary>
    public const string StatePrefix = "sp_state_";

    private const int SecretBytes = 32;

    public static string New(string prefix)
    {
        Span<byte> bytes = stackalloc byte[SecretBytes];
        RandomNumberGenerator.Fill(bytes);
        return prefix + Base64Url.EncodeToString(bytes);
    }

    /// <summary>What is stored and looked up: SHA-256 over the whole text, as base64url.</summary>
    public static string Hash(string secret)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(secret), hash);
        return Base64Url.EncodeToString(hash);
    }

    /// <summary>Whether a secret has this stored hash, in time that does not depend on where they differ.</summary>
    public static bool Matches(string secret, string storedHash) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Hash(secret)), Encoding.ASCII.GetBytes(storedHash));
}
