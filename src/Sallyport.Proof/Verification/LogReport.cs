using Sallyport.Proof.Notes;

namespace Sallyport.Proof.Verification;

/// <summary>What is wrong with a log.</summary>
public enum LogFaultKind
{
    /// <summary>A record of the journal does not hold its checksum.</summary>
    Checksum,

    /// <summary>Leaves are missing between others, or at the beginning.</summary>
    Gap,

    /// <summary>Two stored copies of a leaf differ.</summary>
    CopiesDiffer,

    /// <summary>A leaf is no event.</summary>
    NoEvent,

    /// <summary>A bundle is missing, cut, or not as wide as its name says.</summary>
    Bundle,

    /// <summary>A tile is missing, or does not have the hashes of the leaves.</summary>
    Tile,

    /// <summary>There is no checkpoint though one was signed, or it cannot be read.</summary>
    Checkpoint,

    /// <summary>A checkpoint is not signed by the log's key, or is one of another log.</summary>
    Signature,

    /// <summary>The log has fewer leaves than a checkpoint says.</summary>
    Shorter,

    /// <summary>The leaves are not those that a checkpoint signed.</summary>
    Root,

    /// <summary>A file is larger than any that a gate writes, so that it was not read.</summary>
    File,

    /// <summary>A start event does not follow the head that it names.</summary>
    Start,
}

/// <summary>One fault, and where it was found.</summary>
/// <param name="Index">The leaf, or the size of the tree, that it is about.</param>
public sealed record LogFault(LogFaultKind Kind, long Index, string Text);

/// <summary>What a verification came to.</summary>
public sealed record LogReport
{
    /// <summary>The key that the log was checked with; null where none was to be had.</summary>
    public VerifierKey? Key { get; init; }

    /// <summary>Whether the verifier was given it, and did not find it beside the log.</summary>
    public bool HasGivenKey { get; init; }

    /// <summary>The key that signs the log now: another one where the key was changed since.</summary>
    public VerifierKey? NewestKey { get; init; }

    /// <summary>The first leaf that is still there: above 0 in a log that was pruned.</summary>
    public long FirstIndex { get; init; }

    /// <summary>Leaves of the log, those that were pruned included.</summary>
    public long Length { get; init; }

    /// <summary>Leaves under the newest checkpoint; those after it nobody has signed yet.</summary>
    public long SignedLength { get; init; }

    /// <summary>The newest checkpoint.</summary>
    public SignedNote? Checkpoint { get; init; }

    /// <summary>How many checkpoints were recomputed from the leaves: the newest, those kept, and those given.</summary>
    public int CheckpointsChecked { get; init; }

    /// <summary>How many of them the verifier was given from outside.</summary>
    public int CheckpointsGiven { get; init; }

    public int Starts { get; init; }

    /// <summary>Starts after a process that was killed.</summary>
    public int UncleanStarts { get; init; }

    /// <summary>What the start events say of an access event's durability, the weakest of them; null where there was no start.</summary>
    public string? Durability { get; init; }

    /// <summary>Bytes at the end that are being written, or were when the process was killed.</summary>
    public long TornBytes { get; init; }

    /// <summary>The first of the faults; empty where the log is whole.</summary>
    public IReadOnlyList<LogFault> Faults { get; init; } = [];

    /// <summary>How many faults there are in all.</summary>
    public long FaultCount { get; init; }

    public bool IsWhole => FaultCount == 0;
}
