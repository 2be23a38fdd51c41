using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd.Support;

/// <summary>What a gate's log says of the steps of clients which no client can know by itself: whether the server heard of it, and why it was let in or not.</summary>
internal sealed class MatrixLog
{
    private const string Cancelled = "notifications/cancelled";
    private const string McpPath = "/mcp";

    private readonly Recording _log;
    private readonly List<AuditEvent> _afterExpiry;
    private readonly List<AuditEvent> _afterRevocation;

    /// <param name="log">Of a gate that was started last when all tokens had expired, and whose user was then disabled.</param>
    public MatrixLog(Recording log)
    {
        _log = log;
        var events = log.Events.ToList();
        var (started, revoked) = (events.FindLastIndex(each => each is Started), events.FindLastIndex(each => each is TokenRevoked { Reason: Reason.RevokedByOperator }));
        Assert.True(started < revoked, "No grant was revoked");
        _afterExpiry = events[started..revoked];
        _afterRevocation = events[revoked..];
    }

    /// <summary>The same steps, as far as the log bears them out.</summary>
    public List<MatrixStep> Judge(IReadOnlyCollection<MatrixStep> steps)
    {
        var parties = steps.Where(step => step.Step is null).ToDictionary(step => step.Client, PartyOf);
        Assert.Distinct(parties.Values);
        return [.. steps.Select(step => step.Result == "failed" || !parties.TryGetValue(step.Client, out var party) ? step : step.Step switch
        {
            "cancel" when step.Result == "forwarded" => HowItWasTakenBack(party) is { } result ? step with { Result = result } : Failed(step, $"no {Cancelled} of {party} reached the server"),
            "expiry" => WhatCameAfterExpiry(party) is { } result ? step with { Result = result } : Failed(step, $"{party} did not come with an expired token, and then with another"),
            "revoked" when !IsRefused(party) => Failed(step, $"the next request of {party} was not refused with 401 as its token was revoked, or a later one was allowed"),
            _ => step,
        })];
    }

    private static Party PartyOf(MatrixStep step) => new(
        step.Id ?? throw new InvalidOperationException($"{step.Client} does not know its id"),
        MatrixDocument.Clients.Single(client => client.Name == step.Client).Transport == "HTTP+SSE");

    private static MatrixStep Failed(MatrixStep step, string error) => step with { Result = "failed", Error = error };

    /// <summary>By a message that reached the server, or without one: then it let go of its request, and of nothing else.</summary>
    private string? HowItWasTakenBack(Party party)
    {
        var forwarded = _log.All<AccessOutcome>().SelectMany(outcome => outcome.Forwarded).ToHashSet(StringComparer.Ordinal);
        var sent = _log.All<AccessAllowed>().Where(allowed => party.Sent(allowed) && allowed.Method == Cancelled).ToList();
        return sent.Count == 0 ? "left" : sent.Exists(allowed => forwarded.Contains(allowed.Id)) ? "forwarded" : null;
    }

    /// <summary>What the token rests on with which it was let in again.</summary>
    private string? WhatCameAfterExpiry(Party party)
    {
        var came = _afterExpiry.FindIndex(each => each is AccessRefused { Reason: Reason.TokenExpired } && party.Sent(each));
        var next = came < 0 ? null : _afterExpiry[came..].OfType<AccessAllowed>().FirstOrDefault(party.Sent);
        return _afterExpiry.OfType<TokenIssued>().SingleOrDefault(issued => issued.Token == next?.Token)?.GrantType switch
        {
            "refresh_token" => "refreshed",
            "authorization_code" => "signed in again",
            _ => null,
        };
    }

    private bool IsRefused(Party party) =>
        _afterRevocation.Find(party.Sent) is AccessRefused { Reason: Reason.TokenRevoked or Reason.GrantRevoked, Status: 401 }
        && !_afterRevocation.Exists(each => each is AccessAllowed && party.Sent(each));

    /// <summary>A client at one transport: to the gate, two of the same name whose callbacks differ in their loopback port alone are one.</summary>
    private sealed record Party(string Id, bool IsOverSse)
    {
        public bool Sent(AuditEvent each) => each switch
        {
            AccessAllowed allowed => allowed.Client == Id && allowed.Transport == AccessAllowed.Sse == IsOverSse,
            AccessRefused refused => refused.Client == Id && refused.Path != McpPath == IsOverSse,
            _ => false,
        };
    }
}
