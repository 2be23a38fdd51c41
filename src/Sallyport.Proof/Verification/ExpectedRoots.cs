using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;

namespace Sallyport.Proof.Verification;

/// <summary>The roots that the log must have, each at its size, because the log's key signed them.</summary>
internal sealed class ExpectedRoots(ILogStore store, VerifierKey? key, Ed25519Check check, LogFaults faults)
{
    private const int MaxHistoryBytes = 1024 * 1024 * 1024;

    private readonly SortedDictionary<long, TreeHash> _roots = [];

    /// <summary>The newest checkpoint of the log, and its note; null where there is none that holds.</summary>
    public (Checkpoint Checkpoint, SignedNote Note)? Newest { get; private set; }

    /// <summary>How many have been found to hold.</summary>
    public int Held { get; private set; }

    public void ReadNewest(byte[] bytes)
    {
        if (!SignedNote.TryParse(bytes, out var note))
            faults.Add(LogFaultKind.Checkpoint, 0, $"{ILogStore.Checkpoint} is no signed note");
        else if (Expect(note, "the checkpoint") is { } checkpoint)
            Newest = (checkpoint, note);
    }

    /// <summary>Reads the history that the gate keeps beside the log.</summary>
    public void ReadHistory()
    {
        using var stream = store.Open(ILogStore.Checkpoints);
        if (stream is null)
            return;
        if (stream.Length > MaxHistoryBytes)
            throw new InvalidDataException($"{ILogStore.Checkpoints} has {stream.Length} bytes; {MaxHistoryBytes} at most were expected");
        // A character a byte. A line that ends behind the length that was found is still being written, or was when the process was killed.
        var (length, end) = (stream.Length, 0L);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        for (var number = 1; reader.ReadLine() is { } line && (end += line.Length + 1) <= length; number++)
        {
            if (CheckpointLine.TryParse(line, out var note))
                Expect(note, $"the checkpoint in line {number} of {ILogStore.Checkpoints}");
            else
                faults.Add(LogFaultKind.Checkpoint, number, $"line {number} of {ILogStore.Checkpoints} is no checkpoint");
        }
    }

    /// <summary>Takes a root from a checkpoint, if the log's own key signed it.</summary>
    public Checkpoint? Expect(SignedNote note, string what)
    {
        if (!Checkpoint.TryParse(note.Text, out var checkpoint))
            faults.Add(LogFaultKind.Checkpoint, 0, $"{what} is none");
        else if (key is null)
            faults.Add(LogFaultKind.Signature, checkpoint.Size, $"{what}, of {checkpoint.Size}, cannot be checked: there is no {ILogStore.VerifierKey}");
        else if (checkpoint.Origin != key.Name)
            faults.Add(LogFaultKind.Signature, checkpoint.Size, $"{what}, of {checkpoint.Size}, is of another log: {checkpoint.Origin}");
        else if (!note.IsSignedBy(key, check))
            faults.Add(LogFaultKind.Signature, checkpoint.Size, $"{what}, of {checkpoint.Size}, is not signed by {key}");
        else if (!_roots.TryAdd(checkpoint.Size, checkpoint.Root) && _roots[checkpoint.Size] != checkpoint.Root)
            faults.Add(LogFaultKind.Root, checkpoint.Size, $"two checkpoints of {checkpoint.Size} are signed, with different roots");
        else
            return checkpoint;
        return null;
    }

    /// <summary>Holds the tree as it is against the root that was signed at its size, if one was.</summary>
    public void Compare(Frontier tree)
    {
        if (!_roots.TryGetValue(tree.Size, out var root))
            return;
        if (tree.Root() == root)
            Held++;
        else
            faults.Add(LogFaultKind.Root, tree.Size, $"the first {tree.Size} leaves are not those that the checkpoint of {tree.Size} signed");
    }

    /// <summary>No log may be shorter than what was signed.</summary>
    public void CompareLength(long length)
    {
        foreach (var size in _roots.Keys.Where(size => size > length))
            faults.Add(LogFaultKind.Shorter, size, $"the log has {length} leaves, fewer than the checkpoint of {size}");
    }
}
