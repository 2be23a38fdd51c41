using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;

namespace Sallyport.Proof.Report;

/// <summary>The first event that contradicts a claim: who did what, on what grounds, and what became of it.</summary>
/// <param name="What">In words: <c>'ping' at POST /mcp</c>.</param>
/// <param name="IsToolCall">Whether it called a tool.</param>
/// <param name="Grant">The id that <c>token revoke</c> ends; null where no grant is known.</param>
/// <param name="Started">The start of the gate, where it was less than a minute before.</param>
/// <param name="Chain">What it rests on, where it is an access.</param>
/// <param name="Fate">In words, whether the server got it; null where nothing says so.</param>
public sealed record Offence(EventRef Event, string What, bool IsToolCall, string Client, string Subject, string? Grant, EventRef? Started, AccessChain? Chain, string? Fate);

/// <summary>Looks for it, and for its outcome.</summary>
internal sealed class OffenceTracker(ClaimJudge judge)
{
    private static readonly TimeSpan s_justBefore = TimeSpan.FromMinutes(1);

    private string? _access;
    private EventRef? _started;

    public Offence? First { get; private set; }

    /// <summary>Takes the event that was judged just now.</summary>
    public void Add(long index, AuditEvent next)
    {
        if (First is null)
        {
            if (next is Started)
                _started = new(index, next.Time);
            if (judge.Contradicts(index))
                First = Of(index, next);
        }
        else if (First.Fate is null && _access is not null && next is AccessOutcome outcome)
        {
            First = First with { Fate = FateOf(index, outcome) };
        }
    }

    private EventRef? StartBefore(AuditEvent next) => _started is { Time: { } time } started && next.Time - time < s_justBefore ? started : null;

    /// <summary>Null of an event that is nobody's: what was found there says all.</summary>
    private Offence? Of(long index, AuditEvent next)
    {
        switch (next)
        {
            case AccessAllowed access:
                _access = access.Id;
                var chain = judge.ChainOf(index, access);
                return new(new(index, next.Time), WhatOf(access), access.Method == AccessAllowed.ToolCall, access.Client, access.Subject, chain.Grant, StartBefore(next), chain, null);
            case TokenIssued token:
                return new(new(index, next.Time), $"a token for {token.GrantType}", false, token.Client, token.Subject, token.Grant, StartBefore(next), null, null);
            case CodeIssued code:
                return new(new(index, next.Time), "a code", false, code.Client, code.Subject, code.Grant, StartBefore(next), null, null);
            default:
                return null;
        }
    }

    private static string WhatOf(AccessAllowed access)
    {
        var what = access switch
        {
            { Method: AccessAllowed.ToolCall } => $"'tools/call' of {access.Name}",
            { Method: { } method } => $"'{method}'",
            { HttpMethod: "GET" } => "a stream",
            _ => "a request",
        };
        return $"{what} at {EventParties.PathOf(access)}";
    }

    private string? FateOf(long index, AccessOutcome outcome) =>
        outcome.Forwarded.Contains(_access!) ? $"The server got it (event {index})."
        : outcome.NotForwarded.FirstOrDefault(failure => failure.Access == _access) is { } failure ? $"The server did not get it (event {index}: {failure.Reason.Word()})."
        : null;
}
