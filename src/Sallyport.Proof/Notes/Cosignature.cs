using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Sallyport.Proof.Notes;

/// <summary>A witness's statement that, at a time, this was the largest consistent checkpoint of the log that it had seen (C2SP tlog-cosignature, Ed25519).</summary>
public static class Cosignature
{
    private const int TimeBytes = 8;
    private const int SignatureBytes = 64;

    /// <summary>What the witness signs.</summary>
    /// <param name="seconds">Since 1970 UTC.</param>
    /// <param name="checkpoint">The text of the checkpoint, its last newline included.</param>
    public static byte[] Message(long seconds, string checkpoint) =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {seconds}\n{checkpoint}"));

    public static NoteSignature Create(VerifierKey key, long seconds, ReadOnlySpan<byte> signature)
    {
        var bytes = new byte[TimeBytes + signature.Length];
        BinaryPrimitives.WriteInt64BigEndian(bytes, seconds);
        signature.CopyTo(bytes.AsSpan(TimeBytes));
        return new(key.Name, key.Id, bytes);
    }

    /// <summary>The time at which the witness signed, in seconds since 1970 UTC; null when these bytes are no cosignature.</summary>
    public static long? TimeOf(NoteSignature signature) =>
        signature.Bytes.Length == TimeBytes + SignatureBytes && BinaryPrimitives.ReadInt64BigEndian(signature.Bytes.Span) is >= 0 and var seconds ? seconds : null;

    internal static bool IsValid(NoteSignature signature, string checkpoint, VerifierKey key, Ed25519Check check) =>
        TimeOf(signature) is { } seconds
        && check(key.PublicKey, Message(seconds, checkpoint), signature.Bytes.Span[TimeBytes..]);
}
