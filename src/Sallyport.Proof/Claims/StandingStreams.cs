using Sallyport.Proof.Events;

namespace Sallyport.Proof.Claims;

/// <summary>The part of C1 that is about streams which stand open for whatever comes: the GET of Streamable HTTP, and <c>subscriptions/listen</c>.</summary>
internal sealed class StandingStreams(LiveState state, Findings findings)
{
    /// <summary>Of one that is never heard of again.</summary>
    private static readonly long s_gone = (long)TimeSpan.FromHours(1).TotalMilliseconds;

    public void Judge(long index, AccessAllowed access, long clock)
    {
        if (access.Transport == AccessAllowed.StreamableHttp && (access.HttpMethod == "GET" || access.Method == AccessAllowed.Listen) && state.Tokens.Find(access.Token) is { } token)
            state.Streams.TryAdd(access.Id, OpenStream.Of(index, access, token, clock));
    }

    public void Judge(long index, AccessOutcome outcome, long clock)
    {
        foreach (var failure in outcome.NotForwarded)
            state.Streams.Remove(failure.Access);
        foreach (var access in outcome.StreamsEnded ?? [])
        {
            if (state.Streams.Remove(access, out var stream) && stream.WhyLate(clock) is { } why)
                findings.Refute(Claim.C1, index, $"the stream of event {stream.Index} went on after its token, of event {stream.Token.Index}, had {why}", stream.Index, stream.Token.Index);
        }
    }

    /// <summary>Where a process ends, its streams do.</summary>
    public void Judge(Started _, long clock)
    {
        JudgeOpen(clock);
        state.Streams.Clear();
    }

    /// <summary>Where the log ends, or a process: those whose tokens have ended, and of whose own end nothing is said.</summary>
    public void JudgeOpen(long clock)
    {
        foreach (var (_, stream) in state.Streams)
        {
            if (stream.WhyLate(clock) is { } why)
                Miss(stream, why);
        }
    }

    public void Sweep(long clock)
    {
        foreach (var (access, stream) in state.Streams)
        {
            if (clock <= stream.EndsBy + s_gone)
                continue;
            Miss(stream, "expired");
            state.Streams.Remove(access);
        }
    }

    private void Miss(OpenStream stream, string why) =>
        findings.Miss(Claim.C1, stream.Index, $"the end of this stream is not in the log, though its token, of event {stream.Token.Index}, had {why}", stream.Token.Index);
}
