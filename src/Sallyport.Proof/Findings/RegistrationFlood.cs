using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>Floods of registrations, by source and in all. A client that registers again and is known adds nothing, and is not counted.</summary>
internal sealed class RegistrationFlood : IFindingRule
{
    private readonly Recent<string, Window> _sources = new(Thresholds.Remembered);
    private readonly Window _all = new();

    public void Observe(in FindingRules.Step step)
    {
        if (step.Event is not ClientRegistered { Repeated: false } registered)
            return;
        var inAll = _all.Add(step.Now, step.Index, Thresholds.RegistrationSpan, Thresholds.RegistrationsInAll);
        if (inAll.Count >= Thresholds.RegistrationsInAll)
            step.Raise(FindingRule.RegistrationFlood, inAll, Thresholds.RegistrationsInAll, new());
        if (registered.Source is not { } source)
            return;
        var ofSource = _sources.Of(source).Add(step.Now, step.Index, Thresholds.RegistrationSpan, Thresholds.Registrations);
        if (ofSource.Count >= Thresholds.Registrations)
            step.Raise(FindingRule.RegistrationFlood, ofSource, Thresholds.Registrations, new(Source: source));
    }
}
