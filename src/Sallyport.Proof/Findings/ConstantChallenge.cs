using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>Clients whose PKCE challenge is always the same one (RFC 9700 §2.1.1): the gate counts them, and warns with the code.</summary>
internal sealed class ConstantChallenge : IFindingRule
{
    public void Observe(in FindingRules.Step step)
    {
        if (step.Event is CodeIssued { Warning: Reason.PkceConstantChallenge } issued)
            step.RaiseAtOnce(FindingRule.ConstantChallenge, new(Client: issued.Client));
    }
}
