namespace Sallyport.Proof.Claims;

/// <summary>What a log is asked. docs/claims.md says of each precisely what it takes, and what it cannot say.</summary>
public enum Claim
{
    /// <summary>Every access allowed was allowed rightly.</summary>
    C1 = 1,

    /// <summary>Every token descends from a code or a refresh token, a consent, a sign-in and a registration.</summary>
    C2,

    /// <summary>Every session was used by those only that opened it.</summary>
    C3,

    /// <summary>Each code and each refresh token was good once.</summary>
    C4,

    /// <summary>Every recorded request without a valid token was refused, those that the gate sends itself included.</summary>
    C5,

    /// <summary>Every message to an upstream has its access, and every access its outcome.</summary>
    C6,

    /// <summary>The log is whole.</summary>
    C7,
}

/// <summary>How a claim was decided.</summary>
public enum ClaimStatus
{
    /// <summary>All that the log says agrees with it.</summary>
    Proved,

    /// <summary>Evidence that it takes is missing.</summary>
    Unknown,

    /// <summary>Events contradict it.</summary>
    Refuted,
}

/// <summary>What all claims together come to.</summary>
public enum Verdict
{
    /// <summary>All claims are proved.</summary>
    Enforced = 0,

    /// <summary>One of C1 to C6 is refuted.</summary>
    Bypassed = 1,

    /// <summary>None is refuted, and one at least is unknown.</summary>
    NotProven = 2,

    /// <summary>C7 is refuted: what the log says is nobody's word.</summary>
    Tampered = 3,
}

/// <summary>One contradiction, or one piece of evidence that is missing.</summary>
/// <param name="Index">The event that it was found at; null where it is about the log as a whole.</param>
/// <param name="Refutes">Whether it refutes the claim, or leaves it unknown.</param>
/// <param name="Others">The events that this one contradicts.</param>
public sealed record ClaimFinding(Claim Claim, long? Index, bool Refutes, string Text, IReadOnlyList<long> Others);

/// <summary>What became of a claim.</summary>
/// <param name="Judged">How many events it was held against.</param>
/// <param name="Findings">The first of them, contradictions before what is missing.</param>
/// <param name="FindingCount">How many there are.</param>
public sealed record ClaimResult(Claim Claim, ClaimStatus Status, long Judged, IReadOnlyList<ClaimFinding> Findings, long FindingCount);

/// <summary>What became of all of them.</summary>
/// <param name="Claims">C1 to C7.</param>
/// <param name="Unreadable">Events of a type, or with a reason, that this version does not know.</param>
/// <param name="UnderWay">Accesses that had no outcome yet when the log ended, of a gate that was running.</param>
/// <param name="Interrupted">Accesses that a kill left without an outcome.</param>
public sealed record Judgement(Verdict Verdict, IReadOnlyList<ClaimResult> Claims, long Unreadable, long UnderWay, long Interrupted)
{
    public ClaimResult this[Claim claim] => Claims[claim - Claim.C1];

    /// <summary>Whether one of them is refuted.</summary>
    public bool Refutes(IEnumerable<Claim> claims) => claims.Any(claim => this[claim].Status == ClaimStatus.Refuted);
}

/// <summary>What an access rests on, by the numbers of the events; null where the log does not have it.</summary>
/// <param name="Refreshes">How many exchanges of refresh tokens lie between the token and the code.</param>
/// <param name="RestsOn">The consent that was remembered, where the user was not asked.</param>
/// <param name="Code">The event that issued the code or, of a log without its beginning, the snapshot that tells of it.</param>
/// <param name="Grant">The id of the grant, which <c>token revoke</c> ends.</param>
public sealed record AccessChain(long Access, long? Token, int Refreshes, long? Code, long? Consent, long? RestsOn, long? SignIn, long? Authorization, long? Registration, string? Grant);
