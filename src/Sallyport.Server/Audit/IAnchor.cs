using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;

namespace Sallyport.Server.Audit;

/// <summary>A checkpoint that was just signed, with what a witness needs to be shown that the log only grew.</summary>
/// <param name="Consistency">Proves that the log of a smaller size is the beginning of this one.</param>
internal sealed record NewCheckpoint(Checkpoint Head, SignedNote Note, Func<long, IReadOnlyList<TreeHash>> Consistency);

/// <summary>What an anchor made of a checkpoint.</summary>
/// <param name="Cosignature">From a witness: to stand under the checkpoint from now on.</param>
/// <param name="Fault">Why it does not have it; null when it does.</param>
internal sealed record Anchored(NoteSignature? Cosignature, Reason? Fault);

/// <summary>A place where checkpoints are kept out of reach of whoever might tamper with the log.</summary>
internal interface IAnchor
{
    /// <summary>For the log; it holds no secret.</summary>
    string Name { get; }

    /// <summary>Gives it a checkpoint. Faults that are to be expected are told in the answer; it does not take long.</summary>
    Task<Anchored> GiveAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken);
}
