using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;

namespace Sallyport.Server.Protocol;

/// <summary>What the text of an access token turned out to be.</summary>
internal enum AccessTokenReading
{
    /// <summary>Not of our form.</summary>
    Malformed,

    /// <summary>Of our form, but not made with our key.</summary>
    Forged,

    /// <summary>Made by us; whether it is still good, the stored state tells.</summary>
    Authentic,
}

/// <summary>
/// Opaque access tokens: <c>sp_at_</c> and the base64url of key number (1 byte), id (16 bytes, of which ten are random), and the first 16 bytes
/// of HMAC-SHA-256 over number and id. The MAC is checked before anything is looked up: a forged token costs its
/// sender more than it costs the gate. The id alone opens nothing, so it may stand in the log.
/// </summary>
internal sealed class AccessTokenFormat(TokenKeys keys, TimeProvider time)
{
    public const string Prefix = "sp_at_";

    private const int MacBytes = 16;
    private const int TokenBytes = 1 + RandomId.Bytes + MacBytes;
    private static readonly int s_textLength = Prefix.Length + Base64Url.GetEncodedLength(TokenBytes);

    /// <summary>A new token, and the id under which it is stored and logged.</summary>
    public string New(out string id)
    {
        Span<byte> token = stackalloc byte[TokenBytes];
        var key = keys.Current;
        token[0] = key.Number;
        RandomId.FillAt(token.Slice(1, RandomId.Bytes), time.GetUtcNow());
        key.Mac(token[..(1 + RandomId.Bytes)], token[(1 + RandomId.Bytes)..]);
        id = Base64Url.EncodeToString(token.Slice(1, RandomId.Bytes));
        return Prefix + Base64Url.EncodeToString(token);
    }

    public AccessTokenReading Read(ReadOnlySpan<char> text, out string id)
    {
        id = "";
        Span<byte> token = stackalloc byte[TokenBytes];
        if (text.Length != s_textLength || !text.StartsWith(Prefix, StringComparison.Ordinal))
            return AccessTokenReading.Malformed;
        // Not TryDecodeFromChars, which throws at a character that is none of the alphabet's.
        if (Base64Url.DecodeFromChars(text[Prefix.Length..], token, out _, out var written) != OperationStatus.Done || written != TokenBytes)
            return AccessTokenReading.Malformed;
        if (keys.Find(token[0]) is not { } key)
            return AccessTokenReading.Forged;
        Span<byte> mac = stackalloc byte[MacBytes];
        key.Mac(token[..(1 + RandomId.Bytes)], mac);
        if (!CryptographicOperations.FixedTimeEquals(mac, token[(1 + RandomId.Bytes)..]))
            return AccessTokenReading.Forged;
        id = Base64Url.EncodeToString(token.Slice(1, RandomId.Bytes));
        return AccessTokenReading.Authentic;
    }
}
