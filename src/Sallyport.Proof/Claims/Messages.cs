using Sallyport.Proof.Events;

namespace Sallyport.Proof.Claims;

/// <summary>What went to the upstreams and what did not: C6 (every message has its access, and every access its outcome), and C5 (what was refused was).</summary>
internal sealed class Messages(LiveState state, Findings findings)
{
    private const int FirstError = 400;

    private bool _isComplete = true;

    /// <summary>Accesses that a kill left without an outcome.</summary>
    public long Interrupted { get; private set; }

    /// <summary>What was allowed before the log's beginning may have its outcome behind it.</summary>
    public void BeginsLate() => _isComplete = false;

    public void Judge(long index, AccessOutcome outcome)
    {
        foreach (var access in outcome.Forwarded)
            End(index, access, "went to an upstream");
        foreach (var failure in outcome.NotForwarded)
            End(index, failure.Access, "was kept from one");
    }

    public void Judge(long index, AccessRefused refused)
    {
        findings.Judged(Claim.C5);
        if (refused.Status < FirstError)
            findings.Refute(Claim.C5, index, $"a request that was refused ({refused.Reason.Word()}) was answered with status {refused.Status}");
    }

    public void Judge(GateActed _) => findings.Judged(Claim.C6);

    /// <summary>A process began: what the one before left open it will never tell.</summary>
    public void Judge(long index, Started started, long clock)
    {
        Miss(index, started.AfterCleanStop ? null : clock);
        Interrupted += state.Open.Count;
        state.Open.Clear();
        _isComplete = true;
    }

    public void Judge(long index, Stopped _) => Miss(index, clock: null);

    /// <summary>Where the log ends, an outcome may still come; after an hour it is missing.</summary>
    public void JudgeOpen(long clock) => Miss(index: null, clock);

    private void Miss(long? index, long? clock)
    {
        foreach (var (id, allowed) in state.Open)
        {
            if (clock is { } now && now - allowed.Clock <= Tolerances.Outcome.TotalMilliseconds)
                continue;
            findings.Miss(Claim.C6, index ?? allowed.Index, $"what became of the access of event {allowed.Index} is not in the log", allowed.Index);
            state.Open.Remove(id);
        }
    }

    private void End(long index, string access, string what)
    {
        findings.Judged(Claim.C6);
        if (!state.Open.Remove(access) && _isComplete)
            findings.Refute(Claim.C6, index, $"a message {what}, and no access with the id {access} that was open had been allowed");
    }
}
