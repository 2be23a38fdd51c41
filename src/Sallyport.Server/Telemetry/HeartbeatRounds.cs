using System.Diagnostics.Metrics;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Telemetry;

/// <summary>What came of the newest heartbeats at one upstream.</summary>
/// <param name="At">When, by the measuring clock.</param>
internal sealed record HeartbeatRound(long At, int Right, int Wrong, int Unknown);

/// <summary>The newest round at each upstream, out of the events in which heartbeats tell of themselves.</summary>
internal sealed class HeartbeatRounds
{
    /// <summary>How long a round may take: some answers may be waited for.</summary>
    private static readonly TimeSpan s_round = TimeSpan.FromMinutes(2);

    private readonly GateConfiguration _configuration;
    private readonly TimeProvider _time;
    private readonly Counter<long> _answers;
    private readonly long _began;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, HeartbeatRound> _newest = new(StringComparer.Ordinal);

    public HeartbeatRounds(GateMeter meter, AuditLog log, GateConfiguration configuration, TimeProvider time)
    {
        (_configuration, _time, _began) = (configuration, time, time.GetTimestamp());
        _answers = meter.Counter("sallyport.heartbeats", "{request}", "Requests of the gate's own with bad credentials, by their class and what their answer shows: right, wrong, or unknown.");
        meter.Gauge("sallyport.heartbeat.age", "s", "Since the newest round of heartbeats at an upstream.",
            () => Read(round => [(time.GetElapsedTime(round.At).TotalSeconds, null)]));
        meter.Gauge("sallyport.heartbeat.answers", "{request}", "What the newest round of heartbeats came to.",
            () => Read(round => [(round.Right, "right"), (round.Wrong, "wrong"), (round.Unknown, "unknown")]));
        log.Committed += Note;
    }

    /// <summary>Whether a newest round had a wrong answer.</summary>
    public bool AreWrong
    {
        get
        {
            lock (_gate)
                return _newest.Values.Any(round => round.Wrong > 0);
        }
    }

    /// <summary>Whether no round came to its end for too long at some upstream. One that never got an answer did.</summary>
    public bool AreMissing
    {
        get
        {
            var limit = (2 * _configuration.HeartbeatInterval) + s_round;
            lock (_gate)
                return _configuration.Upstreams.Any(upstream => _time.GetElapsedTime(_newest.GetValueOrDefault(upstream.Audience)?.At ?? _began) > limit);
        }
    }

    private void Note(AuditEvent auditEvent)
    {
        if (auditEvent is not HeartbeatAnswered answered)
            return;
        var sums = new Dictionary<ClaimStatus, int>();
        foreach (var (of, status, _, ways) in HeartbeatRule.Judge(answered))
        {
            sums[status] = sums.GetValueOrDefault(status) + ways;
            _answers.Add(ways, GateMeter.Label("class", HeartbeatRule.Word(of)), GateMeter.Label("result", Word(status)));
        }
        lock (_gate)
        {
            _newest[answered.Audience] = new(
                _time.GetTimestamp(), sums.GetValueOrDefault(ClaimStatus.Proved), sums.GetValueOrDefault(ClaimStatus.Refuted), sums.GetValueOrDefault(ClaimStatus.Unknown));
        }
    }

    private static string Word(ClaimStatus status) => status switch
    {
        ClaimStatus.Proved => "right",
        ClaimStatus.Refuted => "wrong",
        _ => "unknown",
    };

    private List<Measurement<double>> Read(Func<HeartbeatRound, IEnumerable<(double Value, string? Result)>> values)
    {
        lock (_gate)
        {
            return
            [
                .. from upstream in _configuration.Upstreams
                   where _newest.ContainsKey(upstream.Audience)
                   from value in values(_newest[upstream.Audience])
                   select value.Result is null
                       ? new Measurement<double>(value.Value, GateMeter.Label("upstream", upstream.Label))
                       : new Measurement<double>(value.Value, GateMeter.Label("upstream", upstream.Label), GateMeter.Label("result", value.Result)),
            ];
        }
    }
}
