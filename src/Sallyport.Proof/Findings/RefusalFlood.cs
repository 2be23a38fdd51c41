using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>
/// Floods of refusals, by source and in all. That a token has expired is a client's hourly step to the next one, and no part of them: who does not take it, <see cref="ExpiredReplay"/>
/// finds.
/// </summary>
internal sealed class RefusalFlood : IFindingRule
{
    private readonly Recent<string, Window> _sources = new(Thresholds.Remembered);
    private readonly Window _all = new();

    public void Observe(in FindingRules.Step step)
    {
        var (times, source) = step.Event switch
        {
            AccessRefused { Reason: Reason.TokenExpired } => (0, null),
            RequestsLimited limited => (Math.Clamp(limited.Count, 1, int.MaxValue), limited.Source),
            AccessRefused or TokenRefused or ClientRefused or AuthorizationRefused or UserRefused => (1, ((RequestEvent)step.Event).Source),
            _ => (0, null),
        };
        if (times == 0)
            return;
        var inAll = _all.Add(step.Now, step.Index, Thresholds.RefusalSpan, Thresholds.RefusalsInAll, times);
        if (inAll.Count >= Thresholds.RefusalsInAll)
            step.Raise(FindingRule.RefusalFlood, inAll, Thresholds.RefusalsInAll, new());
        if (source is null)
            return;
        var ofSource = _sources.Of(source).Add(step.Now, step.Index, Thresholds.RefusalSpan, Thresholds.Refusals, times);
        if (ofSource.Count >= Thresholds.Refusals)
            step.Raise(FindingRule.RefusalFlood, ofSource, Thresholds.Refusals, new(Source: source));
    }
}
