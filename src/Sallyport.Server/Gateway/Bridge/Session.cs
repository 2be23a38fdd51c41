using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>A session with the gate. Its id authenticates nobody: every request needs its token, of the same subject and client.</summary>
internal abstract class Session(string id, string transport, Caller caller, TimeProvider time) : IAsyncDisposable
{
    private readonly TimeProvider _time = time;
    private long _lastUsed = time.GetTimestamp();
    private int _streams;

    public string Id { get; } = id;
    public string Transport { get; } = transport;

    /// <summary>The revision that its server settled on when it answered <c>initialize</c>; null until then, and where it does not say.</summary>
    public string? Revision { get; set; }

    public string Subject { get; } = caller.Subject;
    public string ClientId { get; } = caller.ClientId;
    public string Audience { get; } = caller.Token.Audience;

    /// <summary>Who made the newest request: always the same user and client (<see cref="BelongsTo"/>), perhaps with a newer token.</summary>
    public Caller Caller { get; private set; } = caller;

    /// <summary>A request or a stream of it is open.</summary>
    public bool IsInUse => Volatile.Read(ref _streams) > 0;

    /// <summary>How long it has been without a request or an open stream.</summary>
    public TimeSpan Idle => IsInUse ? TimeSpan.Zero : _time.GetElapsedTime(Volatile.Read(ref _lastUsed));

    public bool BelongsTo(Caller caller) => caller.Subject == Subject && caller.ClientId == ClientId;

    public void Use(Caller caller)
    {
        Caller = caller;
        Volatile.Write(ref _lastUsed, _time.GetTimestamp());
    }

    /// <summary>Keeps the session from idling while a stream is open.</summary>
    public IDisposable HoldStream()
    {
        Interlocked.Increment(ref _streams);
        return new Hold(this);
    }

    /// <summary>Done when the server ended the session by itself; says how.</summary>
    public virtual Task<Reason>? Ended => null;

    public abstract ValueTask DisposeAsync();

    private sealed class Hold(Session session) : IDisposable
    {
        public void Dispose()
        {
            Volatile.Write(ref session._lastUsed, session._time.GetTimestamp());
            Interlocked.Decrement(ref session._streams);
        }
    }
}

/// <summary>A session whose id at the HTTP upstream is known to the gate alone.</summary>
internal sealed class RelayedSession(string id, HttpUpstream upstream, string upstreamId, Caller caller, TimeProvider time)
    : Session(id, AccessRecord.StreamableHttp, caller, time)
{
    public string UpstreamId { get; } = upstreamId;

    /// <summary>The upstream knows that it is over: it said so, or its client did.</summary>
    public bool IsOverUpstream { get; set; }

    public override async ValueTask DisposeAsync()
    {
        if (!IsOverUpstream)
            await upstream.EndSessionAsync(Id, UpstreamId, Revision);
    }
}
