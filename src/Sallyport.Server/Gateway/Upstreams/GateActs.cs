using Sallyport.Proof.Events;
using Sallyport.Server.Audit;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>The record of the gate's own messages upstream: what no caller asked for is in the log too, before it leaves.</summary>
internal sealed class GateActs
{
    private readonly AuditLog? _log;

    public GateActs(AuditLog log) => _log = log;

    private GateActs()
    {
    }

    /// <summary>For an operator's command, which asks a server by itself: that is no act of a gate.</summary>
    public static GateActs OfNoGate { get; } = new();

    /// <exception cref="AuditUnavailableException">There is no record, so nothing may go upstream.</exception>
    public async ValueTask RecordAsync(GateAct act, string audience, string? session = null)
    {
        if (_log is not null)
            await _log.AppendAsync(new GateActed { Id = AuditLog.NewId(), Act = act, Audience = audience, Session = session });
    }
}
