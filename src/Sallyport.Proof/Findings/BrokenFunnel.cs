using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>A client's way in breaks off at a step, again and again, and nobody gets beyond it any more. What somebody comes to beyond it ends the count.</summary>
internal sealed class BrokenFunnel : IFindingRule
{
    private readonly Recent<string, Way> _clients = new(Thresholds.Remembered);

    public void Observe(in FindingRules.Step step)
    {
        switch (step.Event)
        {
            case AuthorizationStarted started:
                Count(step, started.Client, _clients.Of(started.Client).Asked, "authorization.started", Thresholds.Authorizations);
                break;
            case CodeIssued issued:
                _clients.Of(issued.Client).Asked.End();
                Count(step, issued.Client, _clients.Of(issued.Client).Codes, "code.issued", Thresholds.Unfinished);
                break;
            case TokenIssued { GrantType: "authorization_code" } issued:
                _clients.Of(issued.Client).Codes.End();
                Count(step, issued.Client, _clients.Of(issued.Client).Tokens, "token.issued", Thresholds.Unfinished);
                break;
            case AccessAllowed allowed when _clients.TryFind(allowed.Client, out var way):
                way.Tokens.End();
                break;
        }
    }

    private static void Count(in FindingRules.Step step, string client, Stretch behind, string what, int threshold)
    {
        var counted = behind.Add(step.Now, step.Index, Thresholds.FunnelSpan);
        if (counted.Count >= threshold && counted.Length >= Thresholds.FunnelLeast)
            step.Raise(FindingRule.BrokenFunnel, counted, threshold, new(Client: client, Step: what));
    }

    private sealed class Way
    {
        public Stretch Asked { get; } = new();
        public Stretch Codes { get; } = new();
        public Stretch Tokens { get; } = new();
    }
}
