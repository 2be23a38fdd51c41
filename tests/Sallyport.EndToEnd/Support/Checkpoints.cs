using Sallyport.Proof.Notes;

namespace Sallyport.EndToEnd.Support;

/// <summary>The one kind of data that a gate prints.</summary>
internal static class Checkpoints
{
    /// <summary>Each line is a checkpoint of one and the same log.</summary>
    public static IReadOnlyList<Checkpoint> AssertNothingElse(string output)
    {
        var checkpoints = new List<Checkpoint>();
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            Assert.True(CheckpointLine.TryParse(line, out var note) && Checkpoint.TryParse(note.Text, out var checkpoint), line);
            Checkpoint.TryParse(note.Text, out checkpoint);
            checkpoints.Add(checkpoint);
        }
        Assert.True(checkpoints.Select(checkpoint => checkpoint.Origin).Distinct().Count() <= 1, output);
        return checkpoints;
    }
}
