using Sallyport.Proof.Events;

namespace Sallyport.Proof.Claims;

/// <summary>What was let in: C1 (rightly), C3 (into sessions of their own only), and the part of C4 that is about accesses.</summary>
internal sealed class Accesses(LiveState state, Findings findings)
{
    private const string Sse = "sse";

    public void Judge(long index, AccessAllowed access, long clock)
    {
        findings.Judged(Claim.C1);
        var token = state.Tokens.Find(access.Token);
        if (token is null)
            findings.Refute(Claim.C1, index, $"an access was allowed with token {access.Token}, which nobody was given, or which had long expired");
        else
            JudgeToken(index, access, token, clock);
        if (access.Session is not null)
            JudgeSession(index, access, token, clock);
        if (!state.Open.TryAdd(access.Id, new(index, clock)))
            findings.Refute(Claim.C6, index, $"an access with the id {access.Id} had been allowed before");
    }

    /// <summary>A start ends all sessions.</summary>
    public void EndSessions() => state.Sessions.Clear();

    public void Judge(long index, SessionOpened opened)
    {
        findings.Judged(Claim.C3);
        // The access that opens a session is allowed before.
        if (state.Sessions.TryGetValue(opened.Session, out var session) && (session.Subject != opened.Subject || session.Client != opened.Client))
            findings.Refute(Claim.C3, index, $"session {opened.Session} was opened for another user or client than event {session.Index} was", session.Index);
        else if (session is null)
            state.Sessions.Add(opened.Session, new(index, opened.Subject, opened.Client, Token: null, StreamEndsBy: null));
    }

    public void Judge(long index, SessionClosed closed, long clock)
    {
        if (state.Sessions.Remove(closed.Session, out var session))
            JudgeStream(index, closed.Session, session, clock);
    }

    /// <summary>Streams whose tokens have ended, and which nothing says have ended, too.</summary>
    public void JudgeStreams(long index, long clock)
    {
        foreach (var (id, session) in state.Sessions)
        {
            if (JudgeStream(index, id, session, clock))
                state.Sessions[id] = session with { Token = null, StreamEndsBy = null };
        }
    }

    private void JudgeToken(long index, AccessAllowed access, AccessToken token, long clock)
    {
        if (token.Index > access.AsOf || access.AsOf >= index)
            findings.Refute(Claim.C1, index, $"an access was decided on the state as of event {access.AsOf}, with a token that event {token.Index} issued", token.Index);
        if (access.Time > token.Expires + Tolerances.Lag)
            findings.Refute(Claim.C1, index, $"an access was allowed after its token, of event {token.Index}, had expired", token.Index);
        if (token.Ended is { } ended && (ended.Index <= access.AsOf || clock - ended.Clock > Milliseconds(Tolerances.Lag + Tolerances.Stamp)))
            findings.Refute(Claim.C1, index, $"an access was allowed after event {ended.Index} had revoked its token", ended.Index);
        if (token.Grant.Audience is { } audience && access.Audience != audience)
            findings.Refute(Claim.C1, index, $"an access to {access.Audience} was allowed with a token for {audience}", token.Index);
        if (access.Subject != token.Grant.Subject || access.Client != token.Grant.Client)
            findings.Refute(Claim.C1, index, $"an access was allowed to another user or client than the token of event {token.Index} was given to", token.Index);
        if (!access.ScopesNeeded.All(scope => token.Scopes.Contains(scope, StringComparer.Ordinal)))
            findings.Refute(Claim.C1, index, $"an access needed more than the token of event {token.Index} is good for", token.Index);
        if (token.Grant is { Reused: { } reused, Revoked: null } && access.AsOf >= reused)
            findings.Refute(Claim.C4, index, $"an access was allowed after the reuse at event {reused}, under a grant that should have been revoked", reused);
    }

    private void JudgeSession(long index, AccessAllowed access, AccessToken? token, long clock)
    {
        findings.Judged(Claim.C3);
        if (state.Sessions.TryGetValue(access.Session!, out var session))
        {
            if (session.Subject != access.Subject || session.Client != access.Client)
                findings.Refute(Claim.C3, index, $"session {access.Session} of event {session.Index} was used by another user or client", session.Index);
        }
        else if (access is { Transport: Sse, HttpMethod: "GET" })
        {
            long? endsBy = token is null ? null : clock + Milliseconds(token.Expires - access.Time);
            state.Sessions.Add(access.Session!, new(index, access.Subject, access.Client, token, endsBy));
        }
        else if (access.Method == "initialize")
        {
            state.Sessions.Add(access.Session!, new(index, access.Subject, access.Client, Token: null, StreamEndsBy: null));
        }
        else
        {
            findings.Refute(Claim.C3, index, $"session {access.Session}, which nobody had opened, or which had ended, was used");
        }
    }

    /// <returns>Whether it was found to have outlived its token.</returns>
    private bool JudgeStream(long index, string id, Session session, long clock)
    {
        if (session.Token is not { } token)
            return false;
        var late = Milliseconds(Tolerances.Lag + Tolerances.Stamp);
        var expired = clock > session.StreamEndsBy + late;
        var revoked = token.Ended is { } ended && clock > ended.Clock + late;
        if (!expired && !revoked)
            return false;
        findings.Refute(Claim.C1, index, $"the stream of session {id} went on after its token, of event {token.Index}, had {(revoked ? $"been revoked by event {token.Ended!.Value.Index}" : "expired")}", session.Index, token.Index);
        return true;
    }

    private static long Milliseconds(TimeSpan span) => (long)span.TotalMilliseconds;
}
