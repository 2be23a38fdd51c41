using System.Text;
using System.Text.Json;
using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;

namespace Sallyport.Proof.Verification;

/// <summary>
/// Decides whether a log is whole: every stored copy of every leaf is the same, and together they have the roots that were signed.
/// </summary>
/// <remarks>
/// One pass over the leaves; memory does not grow with their number.
///
///     [1 key, signed roots] ▶ [2 the beginning] ▶ for each leaf: [3 copies] ▶ [4 starts] ▶ [5 hash, tiles] ▶ [6 root] … ▶ [7 the end]
///
/// What it cannot see: a tail that was cut, or a log that was written anew with the stolen key, unless a checkpoint from elsewhere is
/// given; and what a gate never recorded.
/// </remarks>
public sealed class LogVerifier
{
    private const int MaxKeyBytes = 1024;
    private const long ProgressEvery = 0x10000;

    private readonly LogFaults _faults = new();
    private int _starts;
    private int _uncleanStarts;
    private string? _durability;
    private bool _saysSigned;
    private long _prunedTo;

    private LogVerifier()
    {
    }

    /// <summary>Verifies a log.</summary>
    /// <param name="key">The log's key, as its operator published it. Without one it is the key that lies beside the log, which whoever wrote the log anew could have replaced.</param>
    /// <param name="given">Checkpoints of this log that were kept where its operator cannot reach.</param>
    /// <param name="progress">Told now and then how many leaves there were so far.</param>
    /// <exception cref="InvalidDataException">A file is larger than any that a gate writes.</exception>
    public static LogReport Verify(ILogStore store, Ed25519Check check, VerifierKey? key = null, IReadOnlyList<SignedNote>? given = null, Action<long>? progress = null) =>
        new LogVerifier().Run(store, check, key, given ?? [], progress);

    private LogReport Run(ILogStore store, Ed25519Check check, VerifierKey? key, IReadOnlyList<SignedNote> given, Action<long>? progress)
    {
        // 1. The key, and the roots that it signed. A gate may be writing: what is read first was written last, so that all it speaks of
        //    is there.
        var newest = store.Read(ILogStore.Checkpoint, SignedNote.MaxBytes);
        var lying = KeyBeside(store);
        if (key is not null && lying is not null && key != lying)
            _faults.Add(LogFaultKind.Signature, 0, $"the key beside the log is {lying}, not {key}");
        key ??= lying;
        var roots = new ExpectedRoots(store, key, check, _faults);
        if (newest is not null)
            roots.ReadNewest(newest);
        roots.ReadHistory();
        foreach (var note in given)
            roots.Expect(note, "a given checkpoint");
        var signed = roots.Newest?.Checkpoint.Size ?? 0;

        // 2. Where the leaves begin: what was pruned before is known by its hashes only.
        var journal = new JournalCursor(store, _faults);
        var bundles = new BundleCursor(store, _faults, signed);
        var tiles = new TileComparison(store, _faults, signed);
        var first = store.FirstBundle() * TilePath.Full ?? 0;
        var tree = tiles.Begin(first);

        var index = first;
        for (; index < signed || !journal.HasEndedAt(index); index++)
        {
            // 3. The copies of the leaf.
            var fromJournal = journal.At(index);
            var fromBundle = index < signed ? bundles.At(index) : default;
            if (!fromJournal.IsEmpty && !fromBundle.IsEmpty && !fromJournal.SequenceEqual(fromBundle))
                _faults.Add(LogFaultKind.CopiesDiffer, index, $"leaf {index} in {journal.Segment} is not the one in its bundle");
            var leaf = fromBundle.IsEmpty ? fromJournal : fromBundle;
            if (leaf.IsEmpty)
            {
                // Both cursors have said why, unless there is nothing more at all.
                tree = null;
                if (journal.HasEndedAt(index))
                    break;
            }
            if (tree is null)
                continue;

            // 4. A start follows the head that it names.
            Inspect(leaf, tree);

            // 5. The hash, which completes a tile now and then.
            tree.Append(leaf);

            // 6. The root, where one was signed at this size.
            roots.Compare(tree);
            if (tree.Size == signed)
                tiles.CompareEdge(tree);
            if (index % ProgressEvery == 0)
                progress?.Invoke(index - first);
        }

        // 7. The end. What is missing at the beginning was pruned, if the log itself says so.
        if (Math.Max(first, journal.First / TilePath.Full * TilePath.Full ?? 0) is var missing && missing > _prunedTo)
            _faults.Add(LogFaultKind.Gap, 0, $"leaves before {missing} are missing, and no event says that they were pruned");
        if (journal.First is not null && journal.HasEndedAt(index) && journal.Length < signed)
            _faults.Add(LogFaultKind.Shorter, journal.Length, $"the journal has {journal.Length} leaves, fewer than the checkpoint of {signed}");
        roots.CompareLength(index);
        if (tree is null && index > first && _faults.Count == 0)
            _faults.Add(LogFaultKind.Gap, index, $"leaf {index} cannot be read");
        // The first checkpoint of all may have been signed while the leaves were read.
        if (roots.Newest is null && _saysSigned && (newest is not null || store.Read(ILogStore.Checkpoint, SignedNote.MaxBytes) is null))
            _faults.Add(LogFaultKind.Checkpoint, 0, $"the log says that it was signed, but no {ILogStore.Checkpoint} holds");
        progress?.Invoke(index - first);
        return new()
        {
            Key = key,
            FirstIndex = first,
            Length = index,
            SignedLength = Math.Min(signed, index),
            Checkpoint = roots.Newest?.Note,
            CheckpointsChecked = roots.Held,
            CheckpointsGiven = given.Count,
            Starts = _starts,
            UncleanStarts = _uncleanStarts,
            Durability = _durability,
            TornBytes = journal.TornBytes,
            Faults = _faults.First,
            FaultCount = _faults.Count,
        };
    }

    private static VerifierKey? KeyBeside(ILogStore store) =>
        store.Read(ILogStore.VerifierKey, MaxKeyBytes) is { } bytes && VerifierKey.TryParse(Encoding.UTF8.GetString(bytes).TrimEnd('\n'), out var key) ? key : null;

    private void Inspect(ReadOnlySpan<byte> leaf, Frontier tree)
    {
        if (leaf.StartsWith("{\"type\":\"checkpoint.signed\""u8))
            _saysSigned = true;
        else if (leaf.StartsWith("{\"type\":\"start\""u8) || leaf.StartsWith("{\"type\":\"log.pruned\""u8))
            InspectEvent(leaf, tree);
        else if (!leaf.StartsWith("{\"type\":\""u8))
            _faults.Add(LogFaultKind.NoEvent, tree.Size, $"leaf {tree.Size} is no event");
    }

    private void InspectEvent(ReadOnlySpan<byte> leaf, Frontier tree)
    {
        try
        {
            switch (AuditEventJson.Read(leaf))
            {
                case Started start:
                    InspectStart(start, tree);
                    break;
                case LogPruned pruned:
                    _prunedTo = Math.Max(_prunedTo, pruned.MinimumIndex);
                    break;
            }
        }
        catch (JsonException)
        {
            _faults.Add(LogFaultKind.NoEvent, tree.Size, $"leaf {tree.Size} is no event");
        }
    }

    private void InspectStart(Started start, Frontier tree)
    {
        _starts++;
        _uncleanStarts += start.AfterCleanStop ? 0 : 1;
        if (_durability is null || start.Durability == Started.SurvivesProcess)
            _durability = start.Durability;
        if (start.FollowsSize is { } size && (size != tree.Size || start.FollowsRoot != tree.Root().ToString()))
            _faults.Add(LogFaultKind.Start, tree.Size, $"start event {tree.Size} names another head than that of the {tree.Size} leaves before it");
    }
}
