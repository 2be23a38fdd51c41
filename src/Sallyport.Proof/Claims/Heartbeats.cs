using System.Globalization;
using Sallyport.Proof.Events;

namespace Sallyport.Proof.Claims;

/// <summary>The part of C5 that is about the gate's own requests: each was answered as its class has to be, and they came as often as they were to.</summary>
internal sealed class Heartbeats(Findings findings)
{
    /// <summary>The newest of each upstream, in the process that runs.</summary>
    private readonly Dictionary<string, Beat> _newest = new(StringComparer.Ordinal);

    public void Judge(long index, HeartbeatAnswered answered, long clock)
    {
        findings.Judged(Claim.C5);
        if (_newest.TryGetValue(answered.Audience, out var before) && before.Gap(clock) is { } gap)
            findings.Miss(Claim.C5, index, Late(before, gap), before.Index);
        _newest[answered.Audience] = new(index, clock, answered.Interval);
        foreach (var (_, status, text, _) in HeartbeatRule.Judge(answered))
        {
            if (status == ClaimStatus.Refuted)
                findings.Refute(Claim.C5, index, text);
            else if (status == ClaimStatus.Unknown)
                findings.Miss(Claim.C5, index, text);
        }
    }

    /// <summary>A process ended; the next one begins anew.</summary>
    public void Judge(Started _, long clock)
    {
        JudgeGaps(clock);
        _newest.Clear();
    }

    /// <summary>Where a process ends, or the log.</summary>
    public void JudgeGaps(long clock)
    {
        foreach (var (_, newest) in _newest)
        {
            if (newest.Gap(clock) is { } gap)
                findings.Miss(Claim.C5, newest.Index, Late(newest, gap));
        }
    }

    private static string Late(Beat before, long gap) => string.Create(CultureInfo.InvariantCulture,
        $"for {gap / 1000} s nothing is known of the gate's own requests, which are sent every {before.Interval} s, after event {before.Index}");

    private readonly record struct Beat(long Index, long Clock, int Interval)
    {
        /// <summary>Milliseconds since then, where they are too many.</summary>
        public long? Gap(long clock) => clock - Clock is var gap && gap > 2000L * Interval + (long)Tolerances.Stamp.TotalMilliseconds ? gap : null;
    }
}
