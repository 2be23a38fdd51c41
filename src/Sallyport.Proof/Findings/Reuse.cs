using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>Codes and refresh tokens that were used up and came again, too late for a lost answer. One is enough: its grant was revoked for it.</summary>
internal sealed class Reuse : IFindingRule
{
    public void Observe(in FindingRules.Step step)
    {
        if (step.Event is TokenRefused { Reason: Reason.RefreshReused or Reason.CodeReused } refused)
            step.RaiseAtOnce(FindingRule.Reuse, new(Client: refused.Client, Grant: refused.Grant));
    }
}
