using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;

namespace Sallyport.Proof.Verification;

/// <summary>The roots that the log must have, each at its size, because the log's key signed them.</summary>
/// <param name="findKeys">Asked once there is something to check: of a log that is just being made, the key is there before its first checkpoint.</param>
internal sealed class ExpectedRoots(ILogStore store, Func<LogKeys?> findKeys, Ed25519Check check, LogFaults faults)
{
    private const int MaxHistoryBytes = 1024 * 1024 * 1024;

    private readonly Dictionary<long, TreeHash> _roots = [];
    private readonly HashSet<long> _given = [];
    private long[]? _sizes;
    private int _next;

    private LogKeys? _keys;

    /// <summary>The newest checkpoint of the log, and its note; null where there is none that holds.</summary>
    public (Checkpoint Checkpoint, SignedNote Note)? Newest { get; private set; }

    /// <summary>How many leaves the largest head covers; 0 where there is none.</summary>
    public long Largest => _roots.Count > 0 ? _roots.Keys.Max() : 0;

    /// <summary>How many have been found to hold.</summary>
    public int Held { get; private set; }

    public void ReadNewest()
    {
        if (store.Read(ILogStore.Checkpoint, SignedNote.MaxBytes) is not { } bytes)
            return;
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
        // What is added meanwhile is not read.
        var lines = new LineReader(stream, CheckpointLine.MaxLength, stream.Length);
        for (var number = 1; lines.Read(out var line); number++)
        {
            if (!lines.IsTooLong && CheckpointLine.TryParse(line, out var note))
                Expect(note, $"the checkpoint in line {number} of {ILogStore.Checkpoints}");
            // The last one may be what a process was writing when it was killed.
            else if (lines.IsWhole)
                faults.Add(LogFaultKind.Checkpoint, 0, $"line {number} of {ILogStore.Checkpoints} is no checkpoint");
        }
    }

    /// <summary>Takes a root from a checkpoint that came from elsewhere: it has to be checked.</summary>
    public void ExpectGiven(SignedNote note)
    {
        if (Expect(note, "a given checkpoint") is { } checkpoint)
            _given.Add(checkpoint.Size);
    }

    /// <summary>The log's own checkpoint is the newest that was signed.</summary>
    public void CompareNewest()
    {
        if (_roots.Count == 0)
            return;
        var newest = Largest;
        if (Newest is null)
            faults.Add(LogFaultKind.Checkpoint, newest, $"a checkpoint of {newest} was signed, but no {ILogStore.Checkpoint} holds");
        else if (Newest.Value.Checkpoint.Size < newest)
            faults.Add(LogFaultKind.Checkpoint, newest, $"a checkpoint of {newest} was signed, but {ILogStore.Checkpoint} is of {Newest.Value.Checkpoint.Size}");
    }

    /// <summary>Takes a root from a checkpoint, if the log's own key signed it.</summary>
    public Checkpoint? Expect(SignedNote note, string what)
    {
        _keys ??= findKeys();
        if (!Checkpoint.TryParse(note.Text, out var checkpoint))
            faults.Add(LogFaultKind.Checkpoint, 0, $"{what} is none");
        else if (_keys is not { } keys)
            faults.Add(LogFaultKind.Signature, checkpoint.Size, $"{what}, of {checkpoint.Size}, cannot be checked: there is no {ILogStore.VerifierKey}");
        else if (checkpoint.Origin != keys.Newest.Name)
            faults.Add(LogFaultKind.Signature, checkpoint.Size, $"{what}, of {checkpoint.Size}, is of another log: {checkpoint.Origin}");
        else if (keys.For(checkpoint.Size) is var key && !note.IsSignedBy(key, check))
            faults.Add(LogFaultKind.Signature, checkpoint.Size, $"{what}, of {checkpoint.Size}, is not signed by {key}");
        else if (!_roots.TryAdd(checkpoint.Size, checkpoint.Root) && _roots[checkpoint.Size] != checkpoint.Root)
            faults.Add(LogFaultKind.Root, checkpoint.Size, $"two checkpoints of {checkpoint.Size} are signed, with different roots");
        else
            return checkpoint;
        return null;
    }

    /// <summary>Holds the tree as it is against the root that was signed at its size, if one was. It has grown since the last time.</summary>
    /// <returns>Whether one was.</returns>
    public bool Compare(Frontier tree)
    {
        _sizes ??= [.. _roots.Keys.Order()];
        while (_next < _sizes.Length && _sizes[_next] < tree.Size)
            _next++;
        if (_next == _sizes.Length || _sizes[_next] != tree.Size)
            return false;
        Hold(tree.Size, tree.Root() == _roots[tree.Size]);
        return true;
    }

    /// <summary>Holds the tree at which the leaves begin against the roots that were signed before, as far as tiles are left to tell.</summary>
    public void ComparePruned(Frontier tree, TileComparison tiles)
    {
        foreach (var (size, root) in _roots.Where(root => root.Key < tree.Size).OrderBy(root => root.Key))
        {
            try
            {
                Hold(size, size == 0
                    ? root == TreeHash.Empty
                    : MerkleProof.IsConsistent(size, root, tree.Size, tree.Root(), MerkleProof.Consistency(size, tree.Size, tiles.Before(tree.Size).Subtree)));
            }
            catch (MissingTileException exception)
            {
                if (_given.Contains(size))
                    faults.Add(LogFaultKind.Root, size, $"the given checkpoint of {size} cannot be checked, since its leaves were pruned: {exception.Message}");
            }
        }
    }

    private void Hold(long size, bool holds)
    {
        if (holds)
            Held++;
        else
            faults.Add(LogFaultKind.Root, size, $"the first {size} leaves are not those that the checkpoint of {size} signed");
    }

    /// <summary>No log may be shorter than what was signed.</summary>
    public void CompareLength(long length)
    {
        foreach (var size in _roots.Keys.Where(size => size > length).Order())
            faults.Add(LogFaultKind.Shorter, size, $"the log has {length} leaves, fewer than the checkpoint of {size}");
    }
}
