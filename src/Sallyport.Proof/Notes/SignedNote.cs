using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace Sallyport.Proof.Notes;

/// <summary>A line under a note: whose key, and the bytes that it gave.</summary>
public sealed record NoteSignature(string Name, uint KeyId, ReadOnlyMemory<byte> Bytes)
{
    public override string ToString()
    {
        var bytes = new byte[4 + Bytes.Length];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, KeyId);
        Bytes.Span.CopyTo(bytes.AsSpan(4));
        return $"— {Name} {Convert.ToBase64String(bytes)}\n";
    }
}

/// <summary>Text with signatures under it (C2SP signed-note). Nothing in it is to be believed before <see cref="IsSignedBy"/> said so.</summary>
/// <param name="Text">Up to and with the newline that ends it.</param>
public sealed record SignedNote(string Text, IReadOnlyList<NoteSignature> Signatures)
{
    /// <summary>A larger note is refused, in bytes. It has room for the 16 signatures that have to be accepted, of the largest kind.</summary>
    public const int MaxBytes = 256 * 1024;

    private const int MaxSignatures = 64;
    private const int MaxSignatureBytes = 8 * 1024;

    /// <summary>Reads a note. Whatever the specification does not allow is refused: bytes that are no UTF-8, control characters, lines in other forms.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out SignedNote note)
    {
        note = null!;
        if (bytes.Length > MaxBytes || !Utf8.IsValid(bytes))
            return false;
        foreach (var b in bytes)
        {
            if (b < 0x20 && b != '\n')
                return false;
        }
        var all = Encoding.UTF8.GetString(bytes);
        var split = all.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (split < 0 || !all.EndsWith('\n'))
            return false;
        var lines = all[(split + 2)..].Split('\n')[..^1];
        if (lines.Length is 0 or > MaxSignatures)
            return false;
        var signatures = new List<NoteSignature>();
        foreach (var line in lines)
        {
            if (!TryParseSignature(line, out var signature))
                return false;
            signatures.Add(signature);
        }
        note = new(all[..(split + 1)], signatures);
        return true;
    }

    /// <summary>Reads one signature line, without its newline.</summary>
    public static bool TryParseSignature(string line, out NoteSignature signature)
    {
        signature = null!;
        var parts = line.Split(' ');
        if (parts.Length != 3 || parts[0] != "—" || !VerifierKey.IsName(parts[1]) || parts[2].Length > MaxSignatureBytes)
            return false;
        var bytes = new byte[(parts[2].Length / 4 * 3) + 3];
        if (!Convert.TryFromBase64String(parts[2], bytes, out var written) || written <= 4 || Convert.ToBase64String(bytes.AsSpan(0, written)) != parts[2])
            return false;
        signature = new(parts[1], BinaryPrimitives.ReadUInt32BigEndian(bytes), bytes.AsMemory(4, written - 4));
        return true;
    }

    /// <summary>Whether a key signed this text: at least one signature of its name and id, and none of them wrong. Others are ignored.</summary>
    public bool IsSignedBy(VerifierKey key, Ed25519Check check)
    {
        var own = Signatures.Where(signature => signature.Name == key.Name && signature.KeyId == key.Id).ToList();
        return own.Count > 0 && own.All(signature => key.Type == SignatureType.Ed25519
            ? signature.Bytes.Length == 64 && check(key.PublicKey, Encoding.UTF8.GetBytes(Text), signature.Bytes.Span)
            : Cosignature.IsValid(signature, Text, key, check));
    }

    public byte[] ToBytes() => Encoding.UTF8.GetBytes(ToString());

    public override string ToString() => Text + "\n" + string.Concat(Signatures);
}
