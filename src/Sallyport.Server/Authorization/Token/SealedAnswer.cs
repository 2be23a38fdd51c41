using System.Security.Cryptography;
using System.Text;

namespace Sallyport.Server.Authorization.Token;

/// <summary>
/// An answer kept for the grace window, under a key derived from the refresh token that got it (HKDF-SHA-256, AES-256-GCM): only who
/// presents that token can open it; the database alone cannot.
/// </summary>
internal static class SealedAnswer
{
    private const int KeyBytes = 32;
    private static readonly int s_nonceBytes = AesGcm.NonceByteSizes.MaxSize;
    private static readonly int s_tagBytes = AesGcm.TagByteSizes.MaxSize;

    public static byte[] Seal(byte[] answer, string refreshToken)
    {
        var sealedAnswer = new byte[s_nonceBytes + s_tagBytes + answer.Length];
        var nonce = sealedAnswer.AsSpan(0, s_nonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var cipher = new AesGcm(KeyOf(refreshToken), s_tagBytes);
        cipher.Encrypt(nonce, answer, sealedAnswer.AsSpan(s_nonceBytes + s_tagBytes), sealedAnswer.AsSpan(s_nonceBytes, s_tagBytes));
        return sealedAnswer;
    }

    /// <exception cref="CryptographicException">It was sealed for another token, or is damaged.</exception>
    public static byte[] Open(byte[] sealedAnswer, string refreshToken)
    {
        var answer = new byte[sealedAnswer.Length - s_nonceBytes - s_tagBytes];
        using var cipher = new AesGcm(KeyOf(refreshToken), s_tagBytes);
        cipher.Decrypt(
            sealedAnswer.AsSpan(0, s_nonceBytes),
            sealedAnswer.AsSpan(s_nonceBytes + s_tagBytes),
            sealedAnswer.AsSpan(s_nonceBytes, s_tagBytes),
            answer);
        return answer;
    }

    private static byte[] KeyOf(string refreshToken) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(refreshToken), KeyBytes, info: "sallyport refresh successor"u8.ToArray());
}
