using System.Buffers.Text;
using System.Security.Cryptography;

namespace Sallyport.Server.Protocol;

/// <summary>Internal ids: 128 random bits as 22 characters of base64url. They name things in the log and authenticate nobody.</summary>
internal static class RandomId
{
    public const int Bytes = 16;

    public static string New()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        RandomNumberGenerator.Fill(bytes);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>A legacy session id: 128 random bits as 32 hexadecimal digits, as HTTP+SSE servers give them.</summary>
    public static string NewHex()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        RandomNumberGenerator.Fill(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
