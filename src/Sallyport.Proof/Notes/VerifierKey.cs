using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Sallyport.Proof.Notes;

/// <summary>Checks an Ed25519 signature (RFC 8032): the one thing that verifying needs and this assembly does not bring.</summary>
/// <param name="publicKey">32 bytes.</param>
/// <param name="signature">64 bytes.</param>
public delegate bool Ed25519Check(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature);

/// <summary>What a key signs (C2SP signed-note, "Signature types").</summary>
public enum SignatureType : byte
{
    /// <summary>The text of a note.</summary>
    Ed25519 = 0x01,

    /// <summary>A checkpoint with the time at which a witness saw it (C2SP tlog-cosignature).</summary>
    Cosignature = 0x04,
}

/// <summary>A public key by name, as others are given it: <c>name+id+key</c> (C2SP signed-note, "Verifier keys").</summary>
public sealed record VerifierKey
{
    private const int PublicKeyBytes = 32;

    private readonly byte[] _publicKey;

    /// <exception cref="ArgumentException">The name cannot be one, or the key has not 32 bytes.</exception>
    public VerifierKey(string name, SignatureType type, ReadOnlySpan<byte> publicKey)
    {
        if (!IsName(name))
            throw new ArgumentException($"'{name}' cannot be the name of a key", nameof(name));
        if (publicKey.Length != PublicKeyBytes)
            throw new ArgumentException($"an Ed25519 key has {PublicKeyBytes} bytes", nameof(publicKey));
        (Name, Type, _publicKey) = (name, type, publicKey.ToArray());
        Id = BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', (byte)type, .. publicKey]));
    }

    public string Name { get; }
    public SignatureType Type { get; }
    /// <summary>Tells signatures of this key from others; it is no proof of anything.</summary>
    public uint Id { get; }
    public ReadOnlySpan<byte> PublicKey => _publicKey;

    public static bool TryParse(string text, out VerifierKey key)
    {
        key = null!;
        var parts = text.Split('+', 3);
        if (parts.Length != 3 || !IsName(parts[0]) || parts[1].Length != 8)
            return false;
        Span<byte> bytes = stackalloc byte[PublicKeyBytes + 4];
        if (!uint.TryParse(parts[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id)
            || !Convert.TryFromBase64String(parts[2], bytes, out var written)
            || written != 1 + PublicKeyBytes
            || (SignatureType)bytes[0] is not (SignatureType.Ed25519 or SignatureType.Cosignature))
            return false;
        key = new(parts[0], (SignatureType)bytes[0], bytes[1..written]);
        return key.Id == id && key.ToString() == text;
    }

    public bool Equals(VerifierKey? other) => other is not null && ToString() == other.ToString();

    public override int GetHashCode() => (int)Id;

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Name}+{Id:x8}+{Convert.ToBase64String([(byte)Type, .. _publicKey])}");

    /// <summary>Names have neither spaces nor plus signs, nor anything that would end a line or has no UTF-8.</summary>
    internal static bool IsName(string name)
    {
        for (var i = 0; i < name.Length; i++)
        {
            var c = name[i];
            if (c == '+' || char.IsWhiteSpace(c) || char.IsControl(c))
                return false;
            if (char.IsSurrogate(c) && (i + 1 == name.Length || !char.IsSurrogatePair(c, name[++i])))
                return false;
        }
        return name.Length > 0;
    }
}
