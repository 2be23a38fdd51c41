using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Sallyport.Proof.Tree;

namespace Sallyport.Proof.Notes;

/// <summary>That a leaf stands in a log, with all that a sceptic needs to check it but the leaf and the log's key (C2SP tlog-proof).</summary>
/// <param name="Index">The leaf's index.</param>
/// <param name="Hashes">From the leaf's sibling up.</param>
/// <param name="SignedCheckpoint">The tree that it is shown to be in.</param>
/// <param name="Extra">Told beside, and not vouched for by anything.</param>
public sealed record TlogProof(long Index, IReadOnlyList<TreeHash> Hashes, SignedNote SignedCheckpoint, ReadOnlyMemory<byte> Extra = default)
{
    /// <summary>A larger proof is refused, in bytes.</summary>
    public const int MaxBytes = 2 * SignedNote.MaxBytes;

    private const string Header = "c2sp.org/tlog-proof@v1";
    private const string ExtraLine = "extra ";
    private const string IndexLine = "index ";

    public static bool TryParse(ReadOnlySpan<byte> bytes, out TlogProof proof)
    {
        proof = null!;
        if (bytes.Length > MaxBytes || !Utf8.IsValid(bytes))
            return false;
        var text = Encoding.UTF8.GetString(bytes);
        var split = text.IndexOf("\n\n", StringComparison.Ordinal);
        if (split < 0 || !SignedNote.TryParse(Encoding.UTF8.GetBytes(text[(split + 2)..]), out var checkpoint) || !Checkpoint.TryParse(checkpoint.Text, out _))
            return false;
        var lines = text[..split].Split('\n');
        var next = 0;
        if (lines[next++] != Header || next == lines.Length)
            return false;
        byte[] extra = [];
        if (lines[next].StartsWith(ExtraLine, StringComparison.Ordinal))
        {
            var base64 = lines[next++][ExtraLine.Length..];
            extra = new byte[(base64.Length / 4 * 3) + 3];
            if (!Convert.TryFromBase64String(base64, extra, out var written) || written == 0)
                return false;
            extra = extra[..written];
            if (Convert.ToBase64String(extra) != base64)
                return false;
        }
        if (next == lines.Length || !lines[next].StartsWith(IndexLine, StringComparison.Ordinal))
            return false;
        var digits = lines[next++][IndexLine.Length..];
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var index) || index.ToString(CultureInfo.InvariantCulture) != digits)
            return false;
        if (lines.Length - next > MerkleProof.MaxHashes)
            return false;
        var hashes = new List<TreeHash>();
        for (; next < lines.Length; next++)
        {
            if (!TreeHash.TryParse(lines[next], out var hash))
                return false;
            hashes.Add(hash);
        }
        proof = new(index, hashes, checkpoint, extra);
        return true;
    }

    /// <summary>Whether it shows that this leaf is in the log whose key that is.</summary>
    public bool Shows(ReadOnlySpan<byte> leaf, VerifierKey log, Ed25519Check check) =>
        SignedCheckpoint.IsSignedBy(log, check)
        && Checkpoint.TryParse(SignedCheckpoint.Text, out var checkpoint)
        && checkpoint.Origin == log.Name
        && MerkleProof.IsIncluded(TreeHash.OfLeaf(leaf), Index, checkpoint.Size, Hashes, checkpoint.Root);

    public override string ToString()
    {
        var text = new StringBuilder(Header).Append('\n');
        if (!Extra.IsEmpty)
            text.Append(ExtraLine).Append(Convert.ToBase64String(Extra.Span)).Append('\n');
        text.Append(CultureInfo.InvariantCulture, $"{IndexLine}{Index}\n");
        foreach (var hash in Hashes)
            text.Append(hash.ToString()).Append('\n');
        return text.Append('\n').Append(SignedCheckpoint).ToString();
    }
}
