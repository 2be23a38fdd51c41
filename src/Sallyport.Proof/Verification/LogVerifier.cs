using System.Text;
using System.Text.Json;
using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;

namespace Sallyport.Proof.Verification;

/// <summary>Is shown a leaf whose copies agree.</summary>
public delegate void LeafReader(long index, ReadOnlySpan<byte> leaf);

/// <summary>
/// Decides whether a log is whole: every stored copy of every leaf is the same, and together they have the roots that were signed.
/// </summary>
/// <remarks>
/// One pass over the leaves; memory does not grow with their number.
///
///     [1 key, signed roots] ▶ [2 the beginning] ▶ for each leaf: [3 copies] ▶ [4 starts] ▶ [5 hash, tiles] ▶ [6 root] … ▶ [7 the end]
///
/// What it cannot see: a tail that was cut, or a log that was written anew with the stolen key, unless a checkpoint from elsewhere is
/// given; what becomes of leaves that nobody has signed yet; and what a gate never recorded. Copies are there to be compared, and one
/// that is missing as a whole (the journal, the history of checkpoints, the key when it was given) is no fault: so exports are made.
/// Leaves may be missing at the beginning, as far as a signed event says that they were pruned.
/// </remarks>
public sealed class LogVerifier
{
    private const int MaxKeyBytes = 1024;
    private const int MostTries = 3;
    private const long ProgressEvery = 0x10000;

    private static ReadOnlySpan<byte> PrunedPrefix => "{\"type\":\"log.pruned\""u8;

    private readonly LogFaults _faults = new();
    private int _starts;
    private int _uncleanStarts;
    private string? _durability;
    private bool _saysSigned;
    private long _prunedTo;
    private long _journalPrunedTo;

    private LogVerifier()
    {
    }

    /// <summary>Verifies a log.</summary>
    /// <param name="key">The log's key, as its operator published it. Without one it is the key that lies beside the log, which whoever wrote the log anew could have replaced.</param>
    /// <param name="given">Checkpoints of this log that were kept where its operator cannot reach.</param>
    /// <param name="progress">Told now and then how many leaves there were so far.</param>
    /// <param name="begin">Called at the beginning; what it gives is then shown each leaf, in order. A log that is pruned meanwhile is begun anew.</param>
    /// <exception cref="InvalidDataException">A file is larger than any that a gate writes.</exception>
    public static LogReport Verify(
        ILogStore store, Ed25519Check check, VerifierKey? key = null, IReadOnlyList<SignedNote>? given = null, Action<long>? progress = null, Func<LeafReader>? begin = null)
    {
        for (var tries = 1; ; tries++)
        {
            var beginning = BeginningOf(store);
            var report = new LogVerifier().Run(store, check, key, given ?? [], progress, begin?.Invoke());
            // A log that was pruned meanwhile, or got another key, is another one than was begun with.
            if (report.IsWhole || tries == MostTries || beginning == BeginningOf(store))
                return report;
        }
    }

    private static (long? Bundle, long? Segment, long Keys) BeginningOf(ILogStore store)
    {
        using var keys = store.Open(ILogStore.VerifierKeys);
        return (store.FirstBundle(), store.Segments() is { Count: > 0 } segments ? segments[0].FirstIndex : null, keys?.Length ?? 0);
    }

    private LogReport Run(ILogStore store, Ed25519Check check, VerifierKey? key, IReadOnlyList<SignedNote> given, Action<long>? progress, LeafReader? read)
    {
        // 1. The key, and the roots that it signed. The history comes first: of a log that grows meanwhile, the checkpoint is then the newer.
        var published = key;
        LogKeys? keys = null;
        var roots = new ExpectedRoots(store, () => keys ??= (key ??= KeyBeside(store)) is { } known ? KeysOf(store, known, check) : null, check, _faults);
        roots.ReadHistory();
        roots.ReadNewest();
        foreach (var note in keys?.Handovers ?? [])
            roots.Expect(note, "the checkpoint at a change of the key");
        foreach (var note in given)
            roots.ExpectGiven(note);
        roots.CompareNewest();
        if (published is not null && KeyBeside(store) is { } lying && published != lying && (keys ??= KeysOf(store, published, check)).Has(lying) == false)
            _faults.Add(LogFaultKind.Signature, 0, $"the key beside the log is {lying}, not {published}");
        key ??= KeyBeside(store);
        var signed = roots.Newest?.Checkpoint.Size ?? 0;

        // 2. Where the leaves begin: what was pruned before is known by its hashes only.
        using var journal = new JournalCursor(store, _faults, roots.Largest);
        var bundles = new BundleCursor(store, _faults, signed);
        var tiles = new TileComparison(store, _faults, signed);
        var first = FirstLeaf(store, signed);
        var tree = tiles.Begin(first);
        if (tree is not null)
        {
            roots.ComparePruned(tree, tiles);
            if (roots.Compare(tree))
                tiles.CompareEdge(tree);
        }

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
                // However far that is: a name or a head can say that there are more leaves than anybody can count.
                index = Math.Max(index, journal.Index - 1);
            }
            if (tree is null)
            {
                // Nothing more is judged by its hash. What is missing at the beginning is one fault, and not another one of this.
                if (index < signed && leaf.StartsWith(PrunedPrefix))
                    InspectPruned(leaf, index);
                continue;
            }

            // 4. A start follows the head that it names.
            Inspect(leaf, tree, isSigned: index < signed);
            read?.Invoke(index, leaf);

            // 5. The hash, which completes a tile now and then.
            tree.Append(leaf);

            // 6. The root, where one was signed at this size, and what is kept of the tree's edge as it was then.
            if (roots.Compare(tree) && tree.Size <= signed)
            {
                tiles.CompareEdge(tree);
                bundles.CompareEdge(tree.Size);
            }
            if (index % ProgressEvery == 0)
                progress?.Invoke(index - first);
        }

        // 7. The end.
        if (journal.First is not null && journal.HasEndedAt(index) && journal.Length < signed)
            _faults.Add(LogFaultKind.Shorter, journal.Length, $"the journal has {journal.Length} leaves, fewer than the checkpoint of {signed}");
        roots.CompareLength(index);
        if (first > _prunedTo)
            _faults.Add(LogFaultKind.Gap, first, $"leaves before {first} are missing, and no event that was signed says that they were pruned");
        if (journal.First > _journalPrunedTo)
            _faults.Add(LogFaultKind.Gap, journal.First.Value, $"leaves before {journal.First} are missing from the journal, and no event that was signed says that they were pruned");
        if (tree is null && index > first && _faults.Count == 0)
            _faults.Add(LogFaultKind.Gap, index, $"leaf {index} cannot be read");
        if (roots.Newest is null && roots.Largest == 0 && journal.First is null && store.FirstBundle() is not null)
            _faults.Add(LogFaultKind.Checkpoint, 0, $"there are bundles and no journal, but no {ILogStore.Checkpoint} holds that says of how many leaves");
        // The first checkpoint of all may have been signed while the leaves were read.
        if (roots.Newest is null && roots.Largest == 0 && _saysSigned && store.Read(ILogStore.Checkpoint, SignedNote.MaxBytes) is null)
            _faults.Add(LogFaultKind.Checkpoint, 0, $"the log says that it was signed, but no {ILogStore.Checkpoint} holds");
        progress?.Invoke(index - first);
        return new()
        {
            Key = key,
            HasGivenKey = published is not null,
            NewestKey = keys?.Newest ?? key,
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

    private LogKeys KeysOf(ILogStore store, VerifierKey known, Ed25519Check check)
    {
        var keys = LogKeys.Read(store, known, check, out var fault);
        if (fault is not null)
            _faults.Add(LogFaultKind.Signature, 0, fault);
        return keys;
    }

    private VerifierKey? KeyBeside(ILogStore store)
    {
        if (store.Read(ILogStore.VerifierKey, MaxKeyBytes) is not { } bytes)
            return null;
        var text = Encoding.UTF8.GetString(bytes);
        if (VerifierKey.TryParse(text.EndsWith('\n') ? text[..^1] : text, out var key))
            return key;
        _faults.Add(LogFaultKind.Signature, 0, $"{ILogStore.VerifierKey} is no verifier key");
        return null;
    }

    /// <summary>The first leaf of the first bundle. Nothing is pruned that is not signed.</summary>
    private long FirstLeaf(ILogStore store, long signed)
    {
        if (store.FirstBundle() is not { } bundle)
            return 0;
        if (bundle >= 0 && bundle <= signed / TilePath.Full)
            return bundle * TilePath.Full;
        _faults.Add(LogFaultKind.Gap, signed, $"the first bundle that is left lies behind the {signed} leaves that were signed");
        return 0;
    }

    private void Inspect(ReadOnlySpan<byte> leaf, Frontier tree, bool isSigned)
    {
        if (leaf.StartsWith("{\"type\":\"checkpoint.signed\""u8))
            _saysSigned = true;
        else if (leaf.StartsWith("{\"type\":\"start\""u8))
            InspectStart(leaf, tree);
        else if (isSigned && leaf.StartsWith(PrunedPrefix))
            InspectPruned(leaf, tree.Size);
        else if (!leaf.StartsWith("{\"type\":\""u8))
            _faults.Add(LogFaultKind.NoEvent, tree.Size, $"leaf {tree.Size} is no event");
    }

    private void InspectPruned(ReadOnlySpan<byte> leaf, long index)
    {
        try
        {
            var pruned = (LogPruned)AuditEventJson.Read(leaf);
            _prunedTo = Math.Max(_prunedTo, pruned.MinimumIndex);
            _journalPrunedTo = Math.Max(_journalPrunedTo, pruned.JournalIndex);
        }
        catch (JsonException)
        {
            _faults.Add(LogFaultKind.NoEvent, index, $"leaf {index} is no event");
        }
    }

    private void InspectStart(ReadOnlySpan<byte> leaf, Frontier tree)
    {
        try
        {
            var start = (Started)AuditEventJson.Read(leaf);
            _starts++;
            _uncleanStarts += start.AfterCleanStop ? 0 : 1;
            if (_durability is null || start.Durability == Started.SurvivesProcess)
                _durability = start.Durability;
            if ((start.FollowsSize is not null || start.FollowsRoot is not null) && (start.FollowsSize != tree.Size || start.FollowsRoot != tree.Root().ToString()))
                _faults.Add(LogFaultKind.Start, tree.Size, $"start event {tree.Size} names another head than that of the {tree.Size} leaves before it");
        }
        catch (JsonException)
        {
            _faults.Add(LogFaultKind.NoEvent, tree.Size, $"leaf {tree.Size} is no event");
        }
    }
}
