using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>One caller asks for sessions that are another's, or that there are not.</summary>
internal sealed class SessionProbing : IFindingRule
{
    private readonly Recent<(string, string), Asked> _callers = new(Thresholds.Remembered);

    public void Observe(in FindingRules.Step step)
    {
        if (step.Event is not AccessRefused { Reason: Reason.SessionOfAnother or Reason.SessionUnknown, Client: { } client, Subject: { } subject } refused)
            return;
        var asked = _callers.Of((client, subject));
        var (window, threshold) = refused.Reason == Reason.SessionOfAnother ? (asked.Others, Thresholds.OthersSessions) : (asked.Unknown, Thresholds.UnknownSessions);
        var counted = window.Add(step.Now, step.Index, Thresholds.SessionSpan, threshold);
        if (counted.Count >= threshold)
            step.Raise(FindingRule.SessionProbing, counted, threshold, new(Client: client, Subject: subject));
    }

    private sealed class Asked
    {
        public Window Others { get; } = new();
        public Window Unknown { get; } = new();
    }
}
