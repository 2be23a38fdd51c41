using System.Collections.Frozen;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text.Json.Serialization;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Telemetry;

/// <summary>Counts what the log says, once it is committed: so that no figure says anything else than the log.</summary>
internal sealed class EventCounters
{
    private static readonly FrozenDictionary<Type, string> s_types = typeof(AuditEvent).GetCustomAttributes<JsonDerivedTypeAttribute>()
        .ToFrozenDictionary(type => type.DerivedType, type => (string)type.TypeDiscriminator!);

    private readonly GateConfiguration _configuration;
    private readonly FrozenDictionary<string, string> _upstreams;
    private readonly Counter<long> _events, _accesses, _refusals, _outcomes;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, bool> _anchors = new(StringComparer.Ordinal);

    public EventCounters(GateMeter meter, AuditLog log, GateConfiguration configuration)
    {
        _configuration = configuration;
        _upstreams = configuration.Upstreams.ToFrozenDictionary(upstream => upstream.Audience, upstream => upstream.Label, StringComparer.Ordinal);
        _events = meter.Counter("sallyport.events", "{event}", "Events committed to the log, by their type.");
        _accesses = meter.Counter("sallyport.accesses", "{access}", "Accesses allowed and recorded.");
        _refusals = meter.Counter("sallyport.refusals", "{refusal}", "What was refused, by the event that tells of it and its reason.");
        _outcomes = meter.Counter("sallyport.outcomes", "{access}", "What became of allowed accesses.");
        meter.Gauge("sallyport.anchor.reached", "1", "Whether an anchor has the newest checkpoint: 1, or 0.", () =>
        {
            lock (_gate)
                return [.. _anchors.Select(anchor => new Measurement<double>(anchor.Value ? 1 : 0, GateMeter.Label("anchor", anchor.Key)))];
        });
        log.Committed += Count;
    }

    private void Count(AuditEvent auditEvent)
    {
        var type = s_types.GetValueOrDefault(auditEvent.GetType(), "");
        _events.Add(1, GateMeter.Label("type", type));
        switch (auditEvent)
        {
            case AccessAllowed allowed:
                _accesses.Add(1,
                    GateMeter.Label("upstream", _upstreams.GetValueOrDefault(allowed.Audience, "")), GateMeter.Label("transport", allowed.Transport), GateMeter.Label("mcp.method.name", McpMethods.Label(allowed.Method)));
                break;
            case AccessOutcome outcome:
                Count(outcome);
                break;
            case CheckpointSigned signed:
                lock (_gate)
                {
                    foreach (var anchor in signed.Anchors)
                        _anchors[anchor] = true;
                    foreach (var failure in signed.Failures)
                        _anchors[failure.Anchor] = false;
                }
                break;
            case AccessRefused refused:
                Refuse(type, refused.Reason, 1, _configuration.Upstreams.FirstOrDefault(upstream => upstream.Has(refused.Path) || refused.Path.StartsWith(upstream.MessagesPath[..^1], StringComparison.Ordinal)));
                break;
            case RequestsLimited limited:
                Refuse(type, limited.Reason, limited.Count);
                break;
            case ClientRefused refused:
                Refuse(type, refused.Reason);
                break;
            case AuthorizationRefused refused:
                Refuse(type, refused.Reason);
                break;
            case UserRefused refused:
                Refuse(type, refused.Reason);
                break;
            case TokenRefused refused:
                Refuse(type, refused.Reason);
                break;
            case WitnessRefused refused:
                Refuse(type, refused.Reason);
                break;
        }
    }

    private void Refuse(string type, Reason reason, long count = 1, UpstreamSetting? upstream = null)
    {
        var tags = new TagList { { "type", type }, { "reason", reason.Word() } };
        if (upstream is not null)
            tags.Add("upstream", upstream.Label);
        _refusals.Add(count, tags);
    }

    private void Count(AccessOutcome outcome)
    {
        var unanswered = outcome.Unanswered.Count;
        if (outcome.Forwarded.Count > unanswered)
            _outcomes.Add(outcome.Forwarded.Count - unanswered, GateMeter.Label("outcome", "forwarded"));
        foreach (var failure in outcome.Unanswered)
            _outcomes.Add(1, GateMeter.Label("outcome", "unanswered"), GateMeter.Label("reason", failure.Reason.Word()));
        foreach (var failure in outcome.NotForwarded)
            _outcomes.Add(1, GateMeter.Label("outcome", "not_forwarded"), GateMeter.Label("reason", failure.Reason.Word()));
    }
}
