using System.Text.Json;
using Sallyport.Proof.Events;
using Sallyport.Proof.Verification;

namespace Sallyport.Proof.Claims;

/// <summary>
/// Decides the claims over a log, in one pass. Give it each leaf in order, then what the verification of the log came to.
/// </summary>
/// <remarks>
///     leaf ▶ [1 continuity: C7] ▶ [2 the beginning, where it is a snapshot] ▶ [3 lineage: C2, C4] [4 accesses: C1, C3] [5 messages, heartbeats: C5, C6] … ▶ [6 the verdict]
///
/// Memory grows with what is alive at once. What it takes for granted and cannot say: docs/claims.md.
/// </remarks>
public sealed class ClaimJudge
{
    private const int SweepEvery = 1024;

    private readonly LiveState _state = new();
    private readonly Findings _findings;
    private readonly Continuity _continuity;
    private readonly Lineage _lineage;
    private readonly Accesses _accesses;
    private readonly StandingStreams _streams;
    private readonly Messages _messages;
    private readonly Heartbeats _heartbeats;

    private SnapshotReader? _beginning;
    private long _unreadable;
    private long? _last;

    /// <param name="about">An event whose findings are kept, however many there are of others.</param>
    public ClaimJudge(long? about = null)
    {
        _findings = new(about);
        _continuity = new(_findings);
        _lineage = new(_state, _findings);
        _accesses = new(_state, _findings);
        _streams = new(_state, _findings);
        _messages = new(_state, _findings);
        _heartbeats = new(_findings);
    }

    /// <summary>Takes the next leaf.</summary>
    /// <returns>The event; null where it is none that this version knows.</returns>
    public AuditEvent? Observe(long index, ReadOnlySpan<byte> leaf)
    {
        AuditEvent read;
        try
        {
            read = AuditEventJson.Read(leaf);
        }
        catch (JsonException)
        {
            _unreadable++;
            _continuity.Pass(index);
            Begin(index);
            return null;
        }
        Observe(index, read);
        return read;
    }

    /// <summary>Takes the next event.</summary>
    public void Observe(long index, AuditEvent next)
    {
        // 1. Where it stands.
        var clock = _continuity.Next(index, next);

        // 2. A log whose beginning was pruned, or lies in the log that it was restored from, is judged from its first snapshot on.
        Begin(index);
        if (next is LogRestored)
            _beginning = new();
        if (_beginning is not null)
        {
            if (!_beginning.Read(index, clock, next, _state))
                return;
            var since = _beginning.Since;
            _beginning = null;
            _messages.BeginsLate();
            _lineage.BeginsLate(clock);
            foreach (var (heldIndex, heldClock, held) in since)
                Judge(heldIndex, held, heldClock);
            return;
        }

        // 3. to 5. What it says.
        Judge(index, next, clock);
    }

    /// <summary>What an access that was observed just now rests on.</summary>
    public AccessChain ChainOf(long index, AccessAllowed access)
    {
        var token = _state.Tokens.Find(access.Token);
        var consent = token?.Grant.Consent;
        return new(
            index, token?.Index, token?.Refreshes ?? 0, token?.Grant.Index, consent?.Index, consent?.RestsOn, consent?.SignIn, consent?.Transaction,
            _state.Clients.TryGetValue(access.Client, out var registered) ? registered : null, token?.Grant.Id);
    }

    /// <summary>Whose a grant is that was not forgotten yet.</summary>
    public string? SubjectOf(string grant) => _state.Grants.Find(grant)?.Subject;

    /// <summary>Whether an event that was observed just now contradicts a claim.</summary>
    public bool Contradicts(long index) => _findings.LastRefuted == index;

    /// <summary>What was found of the event that was asked about, so far.</summary>
    public IReadOnlyList<ClaimFinding> About() => _findings.About();

    /// <summary>Decides.</summary>
    /// <param name="log">What <see cref="LogVerifier"/> says of the log that the leaves came from.</param>
    public Judgement Conclude(LogReport log)
    {
        _continuity.Conclude(log);
        if (_beginning is not null)
        {
            foreach (var claim in Enum.GetValues<Claim>().Where(claim => claim != Claim.C7))
                _findings.Miss(claim, null, "the log's beginning is gone, and no snapshot is there to stand for it");
        }
        _messages.JudgeOpen(_continuity.Clock);
        _accesses.JudgeStreams(_last ?? 0, _continuity.Clock);
        _streams.JudgeOpen(_continuity.Clock);
        _heartbeats.JudgeGaps(_continuity.Clock);
        if (_beginning is null && _findings.CountJudged(Claim.C5) == 0)
            _findings.Miss(Claim.C5, null, "no request without a valid token is recorded");

        // 6. The verdict.
        var claims = _findings.Results();
        var verdict = claims[^1].Status == ClaimStatus.Refuted ? Verdict.Tampered
            : claims.Any(claim => claim.Status == ClaimStatus.Refuted) ? Verdict.Bypassed
            : claims.All(claim => claim.Status == ClaimStatus.Proved) ? Verdict.Enforced
            : Verdict.NotProven;
        return new(verdict, claims, _unreadable, _state.Open.Count, _messages.Interrupted);
    }

    private void Begin(long index)
    {
        if (_last is null && index > 0)
            _beginning = new();
        _last = index;
    }

    private void Judge(long index, AuditEvent next, long clock)
    {
        switch (next)
        {
            case ClientRegistered registered:
                _lineage.Judge(index, registered);
                break;
            case ClientChanged changed:
                _lineage.Judge(index, changed);
                break;
            case ClientRemoved removed:
                _lineage.Judge(removed);
                break;
            case AuthorizationStarted started:
                _lineage.Judge(index, started, clock);
                break;
            case UserAuthenticated authenticated:
                _lineage.Judge(index, authenticated, clock);
                break;
            case ConsentGiven given:
                _lineage.Judge(index, given, clock);
                break;
            case CodeIssued issued:
                _lineage.Judge(index, issued, clock);
                break;
            case TokenIssued issued:
                _lineage.Judge(index, issued, clock);
                break;
            case TokenRepeated repeated:
                _lineage.Judge(index, repeated);
                break;
            case TokenRefused refused:
                _lineage.Judge(index, refused);
                break;
            case TokenRevoked revoked:
                _lineage.Judge(index, revoked, clock);
                break;
            case AccessAllowed allowed:
                _accesses.Judge(index, allowed, clock);
                _streams.Judge(index, allowed, clock);
                break;
            case SessionOpened opened:
                _accesses.Judge(index, opened);
                break;
            case SessionClosed closed:
                _accesses.Judge(index, closed, clock);
                break;
            case AccessRefused refused:
                _messages.Judge(index, refused);
                break;
            case AccessOutcome outcome:
                _messages.Judge(index, outcome);
                _streams.Judge(index, outcome, clock);
                break;
            case GateActed acted:
                _messages.Judge(acted);
                break;
            case HeartbeatAnswered answered:
                _heartbeats.Judge(index, answered, clock);
                break;
            case Started started:
                _messages.Judge(index, started, clock);
                _heartbeats.Judge(started, clock);
                _accesses.Judge(index, started, clock);
                _streams.Judge(started, clock);
                _lineage.Judge(started, clock);
                break;
            case Stopped stopped:
                _messages.Judge(index, stopped);
                break;
        }
        if (index % SweepEvery == 0)
        {
            _streams.Sweep(clock);
            _state.Sweep(clock, next.Time);
        }
    }
}
