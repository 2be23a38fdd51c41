using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NSec.Cryptography;
using Sallyport.Proof.Notes;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Audit;

/// <summary>
/// A key that signs notes. It is kept as others keep theirs (golang.org/x/mod/sumdb/note): <c>PRIVATE+KEY+name+id+key</c>.
/// </summary>
internal sealed class NoteKey : IDisposable
{
    private const string Prefix = "PRIVATE+KEY+";

    private readonly Key _key;

    private NoteKey(string name, SignatureType type, Key key) =>
        (_key, Verifier) = (key, new(name, type, key.PublicKey.Export(KeyBlobFormat.RawPublicKey)));

    public VerifierKey Verifier { get; }

    /// <summary>Checks an Ed25519 signature.</summary>
    public static bool Check(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        PublicKey.TryImport(SignatureAlgorithm.Ed25519, publicKey, KeyBlobFormat.RawPublicKey, out var key)
        && SignatureAlgorithm.Ed25519.Verify(key!, message, signature);

    /// <summary>The key in a file; made there with a new name where there is none.</summary>
    /// <exception cref="InvalidDataException">The file holds something else.</exception>
    public static NoteKey OpenOrCreate(string path, Func<string> newName, SignatureType type)
    {
        if (!File.Exists(path))
            return Create(path, newName(), type);
        var text = File.ReadAllText(path).TrimEnd('\n');
        if (text.StartsWith(Prefix, StringComparison.Ordinal) && text[Prefix.Length..].Split('+', 3) is [var name, var id, var base64])
        {
            var bytes = new byte[base64.Length];
            if (Convert.TryFromBase64String(base64, bytes, out var written) && written > 0 && bytes[0] == (byte)type
                && Key.TryImport(SignatureAlgorithm.Ed25519, bytes.AsSpan(1, written - 1), KeyBlobFormat.RawPrivateKey, out var imported))
            {
                var key = new NoteKey(name, type, imported!);
                if (key.Verifier.Id.ToString("x8", CultureInfo.InvariantCulture) == id)
                    return key;
            }
        }
        throw new InvalidDataException($"{path} is no signing key. Restore it from a backup.");
    }

    /// <summary>Makes a key in a file.</summary>
    public static NoteKey Create(string path, string name, SignatureType type)
    {
        var made = new NoteKey(name, type, Key.Create(SignatureAlgorithm.Ed25519, new() { ExportPolicy = KeyExportPolicies.AllowPlaintextArchiving }));
        var seed = made._key.Export(KeyBlobFormat.RawPrivateKey);
        Disk.Replace(path, Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"{Prefix}{made.Verifier.Name}+{made.Verifier.Id:x8}+{Convert.ToBase64String([(byte)type, .. seed])}\n")));
        CryptographicOperations.ZeroMemory(seed);
        return made;
    }

    /// <summary>A name for a log that no other has.</summary>
    public static string NewLogName() => "sallyport/" + RandomId.NewHex();

    public SignedNote Sign(Checkpoint checkpoint)
    {
        var text = checkpoint.ToString();
        return new(text, [new(Verifier.Name, Verifier.Id, Sign(Encoding.UTF8.GetBytes(text)))]);
    }

    /// <summary>As a witness: says that this was the largest consistent checkpoint at that time.</summary>
    public NoteSignature Cosign(string checkpoint, DateTimeOffset now)
    {
        var seconds = now.ToUnixTimeSeconds();
        return Cosignature.Create(Verifier, seconds, Sign(Cosignature.Message(seconds, checkpoint)));
    }

    public void Dispose() => _key.Dispose();

    private byte[] Sign(byte[] message) => SignatureAlgorithm.Ed25519.Sign(_key, message);
}
