using System.Globalization;
using Sallyport.Proof.Tree;

namespace Sallyport.Proof.Notes;

/// <summary>The head of a log at one size (C2SP tlog-checkpoint): the text of a <see cref="SignedNote"/>.</summary>
/// <param name="Origin">Which log.</param>
/// <param name="Size">Its leaves.</param>
/// <param name="Root">The root of its tree at that size.</param>
public sealed record Checkpoint(string Origin, long Size, TreeHash Root)
{
    /// <summary>Reads the text of a note. Lines after the third are allowed and mean nothing here.</summary>
    public static bool TryParse(string text, out Checkpoint checkpoint)
    {
        checkpoint = null!;
        var lines = text.Split('\n');
        if (lines.Length < 4 || lines[^1].Length > 0 || lines[..^1].Any(line => line.Length == 0))
            return false;
        if (!long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            || size.ToString(CultureInfo.InvariantCulture) != lines[1]
            || !TreeHash.TryParse(lines[2], out var root))
            return false;
        checkpoint = new(lines[0], size, root);
        return true;
    }

    /// <summary>The text that is signed.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Origin}\n{Size}\n{Root}\n");
}
