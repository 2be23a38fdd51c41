using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>Clients that present an expired token again and again, and neither refresh it nor ask for another.</summary>
internal sealed class ExpiredReplay : IFindingRule
{
    private readonly Recent<(string, string), Stretch> _callers = new(Thresholds.Remembered);

    public void Observe(in FindingRules.Step step)
    {
        switch (step.Event)
        {
            case TokenIssued issued:
                _callers.Forget((issued.Client, issued.Subject));
                break;
            case AccessRefused { Reason: Reason.TokenExpired, Client: { } client, Subject: { } subject }:
                var counted = _callers.Of((client, subject)).Add(step.Now, step.Index, Thresholds.ExpiredSpan);
                if (counted.Count >= Thresholds.ExpiredReplays && counted.Length >= Thresholds.ExpiredLeast)
                    step.Raise(FindingRule.ExpiredReplay, counted, Thresholds.ExpiredReplays, new(Client: client, Subject: subject));
                break;
        }
    }
}
