using System.Globalization;
using Sallyport.Proof.Events;

namespace Sallyport.Proof.Claims;

/// <summary>What was let in: C1 (rightly), C3 (into sessions of their own only), and the part of C4 that is about accesses.</summary>
internal sealed class Accesses(LiveState state, Findings findings)
{
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
    public void Judge(long index, Started _, long clock)
    {
        JudgeStreams(index, clock);
        state.Sessions.Clear();
    }

    public void Judge(long index, SessionOpened opened)
    {
        findings.Judged(Claim.C3);
        // The access that opens a session is allowed before.
        if (state.Sessions.TryGetValue(opened.Session, out var session) && (session.Subject != opened.Subject || session.Client != opened.Client))
            findings.Refute(Claim.C3, index, $"session {opened.Session} was opened for another user or client than event {session.Index} was", session.Index);
        state.Sessions[opened.Session] = (session ?? new(index, opened.Subject, opened.Client)) with { Index = index, IsOpened = true };
    }

    public void Judge(long index, SessionClosed closed, long clock)
    {
        if (!state.Sessions.TryGetValue(closed.Session, out var session) || session.Closed is not null)
            return;
        JudgeStream(index, closed.Session, session, clock);
        state.Sessions[closed.Session] = session with { Stream = null, Closed = new(index, clock) };
    }

    /// <summary>Streams whose tokens have ended, and which nothing says have ended, too: where a process ends, or the log.</summary>
    public void JudgeStreams(long index, long clock)
    {
        foreach (var (id, session) in state.Sessions)
            JudgeStream(index, id, session, clock);
    }

    private void JudgeToken(long index, AccessAllowed access, AccessToken token, long clock)
    {
        if ((token.Index > access.AsOf && !token.IsTold) || access.AsOf >= index)
            findings.Refute(Claim.C1, index, $"an access was decided on the state as of event {access.AsOf}, with a token that event {token.Index} issued", token.Index);
        if (access.Time > token.Expires + Tolerances.Lag)
            findings.Refute(Claim.C1, index, string.Create(CultureInfo.InvariantCulture, $"an access was allowed {(access.Time - token.Expires).TotalSeconds:0.###} s after its token (event {token.Index}) had expired, where {Tolerances.Lag.TotalSeconds:0} s is allowed"), token.Index);
        if (token.Ended is { } ended && (ended.Index <= access.AsOf || clock - ended.Clock > Milliseconds(Tolerances.Lag + Tolerances.Stamp)))
            findings.Refute(Claim.C1, index, $"an access was allowed after event {ended.Index} had revoked its token", ended.Index);
        if (access.Audience != token.Audience)
            findings.Refute(Claim.C1, index, $"an access to {access.Audience} was allowed with a token for {token.Audience}", token.Index);
        if (access.Subject != token.Subject || access.Client != token.Client)
            findings.Refute(Claim.C1, index, $"an access was allowed to another user or client than the token of event {token.Index} was given to", token.Index);
        if (!access.ScopesNeeded.IsWithin(token.Scopes))
            findings.Refute(Claim.C1, index, $"an access needed more than the token of event {token.Index} is good for", token.Index);
        if (token.Grant is { Reused: { } reused, Revoked: null } && access.AsOf >= reused)
            findings.Refute(Claim.C4, index, $"an access was allowed after the reuse at event {reused}, under a grant that should have been revoked", reused);
    }

    private void JudgeSession(long index, AccessAllowed access, AccessToken? token, long clock)
    {
        findings.Judged(Claim.C3);
        var isStream = access is { Transport: AccessAllowed.Sse, HttpMethod: "GET" };
        state.Sessions.TryGetValue(access.Session!, out var session);
        if (session is not null && (session.Subject != access.Subject || session.Client != access.Client))
            findings.Refute(Claim.C3, index, $"session {access.Session} of event {session.Index} was used by another user or client", session.Index);
        else if (session is { Closed: { } closed } && session.HasEndedBefore(clock))
            findings.Refute(Claim.C3, index, $"session {access.Session} was used after it had ended at event {closed.Index}", closed.Index);
        else if (session is not { IsOpened: true } && !access.OpensSession)
            findings.Refute(Claim.C3, index, $"session {access.Session}, which nobody had opened, or which had ended, was used");
        else if (session is null)
            state.Sessions.Add(access.Session!, new(index, access.Subject, access.Client, isStream && token is not null ? OpenStream.Of(index, access, token, clock) : null));
    }

    private void JudgeStream(long index, string id, Session session, long clock)
    {
        // Where nothing says that it was opened, the upstream was not there to open it.
        if (session is { IsOpened: true, Stream: { } stream } && stream.WhyLate(clock) is { } why)
            findings.Refute(Claim.C1, index, $"the stream of session {id} went on after its token, of event {stream.Token.Index}, had {why}", session.Index, stream.Token.Index);
    }

    private static long Milliseconds(TimeSpan span) => (long)span.TotalMilliseconds;
}
