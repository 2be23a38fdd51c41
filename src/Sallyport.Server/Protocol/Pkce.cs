using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Sallyport.Server.Protocol;

/// <summary>Proof Key for Code Exchange, S256 only (RFC 7636 §4; OAuth 2.1 §4.1.1).</summary>
internal static class Pkce
{
    public const string Method = "S256";

    private const int ChallengeLength = 43;
    private const int MinVerifierLength = 43;
    private const int MaxVerifierLength = 128;

    private static readonly SearchValues<char> s_base64Url =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    private static readonly SearchValues<char> s_unreserved =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");

    /// <summary>An S256 challenge is 43 characters of base64url, without padding.</summary>
    public static bool IsChallenge(string challenge) =>
        challenge.Length == ChallengeLength && !challenge.AsSpan().ContainsAnyExcept(s_base64Url);

    /// <summary>Whether the verifier is well formed and its SHA-256 is the challenge.</summary>
    public static bool Verify(string verifier, string challenge)
    {
        if (verifier.Length is < MinVerifierLength or > MaxVerifierLength || verifier.AsSpan().ContainsAnyExcept(s_unreserved))
            return false;
        var expected = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));
        return CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(expected), Encoding.ASCII.GetBytes(challenge));
    }
}
