using System.Globalization;
using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Witness;

/// <summary>The body of <c>add-checkpoint</c> (C2SP tlog-witness): from which size on, a consistency proof, and the checkpoint.</summary>
/// <param name="OldSize">Not above the checkpoint's in a request that is right; that is for the caller to judge.</param>
/// <param name="Note">Nothing in it is to be believed yet.</param>
internal sealed record AddCheckpointRequest(long OldSize, IReadOnlyList<TreeHash> Proof, SignedNote Note, Checkpoint Checkpoint)
{
    private const string OldLine = "old ";

    /// <summary>Reads the body; false where the specification does not allow it. There is one spelling of each request.</summary>
    public static bool TryParse(ReadOnlySpan<byte> body, out AddCheckpointRequest request)
    {
        request = null!;
        var split = body.IndexOf("\n\n"u8);
        if (split < 0
            || !SignedNote.TryParse(body[(split + 2)..], out var note)
            || note.Text.Length > Limits.CheckpointLength
            || !Checkpoint.TryParse(note.Text, out var checkpoint))
            return false;
        // Bytes that are not ASCII become characters that stand in no number and in no hash.
        var lines = Encoding.Latin1.GetString(body[..split]).Split('\n');
        if (lines.Length - 1 > MerkleProof.MaxHashes || !lines[0].StartsWith(OldLine, StringComparison.Ordinal))
            return false;
        var digits = lines[0][OldLine.Length..];
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var oldSize)
            || oldSize.ToString(CultureInfo.InvariantCulture) != digits)
            return false;
        var proof = new List<TreeHash>();
        foreach (var line in lines.AsSpan(1))
        {
            if (!TreeHash.TryParse(line, out var hash))
                return false;
            proof.Add(hash);
        }
        request = new(oldSize, proof, note, checkpoint);
        return true;
    }

    /// <summary>The body, as a log sends it.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(OldLine).Append(OldSize.ToString(CultureInfo.InvariantCulture)).Append('\n');
        foreach (var hash in Proof)
            text.Append(hash.ToString()).Append('\n');
        return text.Append('\n').Append(Note).ToString();
    }
}
