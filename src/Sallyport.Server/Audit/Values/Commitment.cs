using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Sallyport.Proof.Events;

namespace Sallyport.Server.Audit.Values;

/// <summary>
/// Stands for a value in the log. Without the salt nobody can tell which one it is, however few values there are to guess; with it,
/// nobody can pass another value off for it.
/// </summary>
internal static class Commitment
{
    public const int SaltBytes = 32;

    public static byte[] NewSalt() => RandomNumberGenerator.GetBytes(SaltBytes);

    /// <summary>43 characters.</summary>
    public static string To(ValueKind kind, ReadOnlySpan<byte> value, ReadOnlySpan<byte> salt) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(salt, [.. Encoding.ASCII.GetBytes(kind.Word()), 0, .. value]));
}
