using System.Security.Cryptography;
using System.Text;
using NSec.Cryptography;
using Sallyport.Proof.Notes;

namespace Sallyport.Tests.Proof.Support;

/// <summary>A key that signs notes, made of a word: the same word, the same key.</summary>
internal sealed class NoteSigner
{
    private readonly Key _key;

    public NoteSigner(string name, string word, SignatureType type = SignatureType.Ed25519)
    {
        _key = Key.Import(SignatureAlgorithm.Ed25519, SHA256.HashData(Encoding.UTF8.GetBytes(word)), KeyBlobFormat.RawPrivateKey);
        Verifier = new(name, type, _key.PublicKey.Export(KeyBlobFormat.RawPublicKey));
    }

    public VerifierKey Verifier { get; }

    public static bool Check(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        PublicKey.TryImport(SignatureAlgorithm.Ed25519, publicKey, KeyBlobFormat.RawPublicKey, out var key)
        && SignatureAlgorithm.Ed25519.Verify(key!, message, signature);

    public NoteSignature SignatureOf(string text) =>
        new(Verifier.Name, Verifier.Id, SignatureAlgorithm.Ed25519.Sign(_key, Encoding.UTF8.GetBytes(text)));

    public SignedNote Sign(string text) => new(text, [SignatureOf(text)]);

    public NoteSignature Cosign(string checkpoint, long seconds) =>
        Cosignature.Create(Verifier, seconds, SignatureAlgorithm.Ed25519.Sign(_key, Cosignature.Message(seconds, checkpoint)));
}
