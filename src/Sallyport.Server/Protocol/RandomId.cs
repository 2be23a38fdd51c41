using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;

namespace Sallyport.Server.Protocol;

/// <summary>Internal ids: 128 bits as 22 characters of base64url, all of them random unless it is said. They name things in the log and authenticate nobody.</summary>
internal static class RandomId
{
    public const int Bytes = 16;
    private const int DrawnBytes = 256 * Bytes;

    /// <summary>Random bytes are drawn for many ids at once: one draw costs as much as two hundred.</summary>
    [ThreadStatic]
    private static byte[]? t_drawn;

    [ThreadStatic]
    private static int t_used;

    public static string New()
    {
        var drawn = t_drawn;
        if (drawn is null || t_used == DrawnBytes)
        {
            drawn = t_drawn ??= new byte[DrawnBytes];
            RandomNumberGenerator.Fill(drawn);
            t_used = 0;
        }
        var bytes = drawn.AsSpan(t_used, Bytes);
        t_used += Bytes;
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>An id that begins with when it was made, of what is stored by the thousand: <see cref="FillAt"/>.</summary>
    public static string NewAt(DateTimeOffset time)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        FillAt(bytes, time);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>
    /// As a UUIDv7 is made (RFC 9562 §5.7): 48 bits of milliseconds since 1970, then 80 random ones. What was made together lies together in
    /// an index, so that many rows of one commit are few pages.
    /// </summary>
    public static void FillAt(Span<byte> id, DateTimeOffset time)
    {
        Span<byte> milliseconds = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(milliseconds, time.ToUnixTimeMilliseconds());
        milliseconds[2..].CopyTo(id);
        RandomNumberGenerator.Fill(id[6..]);
    }

    /// <summary>A legacy session id: 128 random bits as 32 hexadecimal digits, as HTTP+SSE servers give them.</summary>
    public static string NewHex()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        RandomNumberGenerator.Fill(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
