using System.Globalization;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;
using Sallyport.Proof.Verification;

namespace Sallyport.Proof.Report;

/// <summary>What the findings mean, in sentences. Each follows from what was found; none is there always but what no log can show.</summary>
internal sealed class ReportWording(
    Judgement judgement, LogReport log, IReadOnlyList<Component> components, IReadOnlyList<ClientStatus> clients, IReadOnlyList<EndpointStatus> endpoints,
    Count allowed, Count blocked, Count repeated, OwnTrials own, Offence? offence, bool blockedLately)
{
    private const int MostPaths = 5;

    /// <summary>Whether nobody was turned away where somebody was let in.</summary>
    private static readonly Func<EndpointStatus, bool> s_untried = endpoint => endpoint is { Allowed: > 0, Refused: 0, OwnRefused: 0 };

    private static readonly Func<EndpointStatus, bool> s_tried = endpoint => endpoint.Refused + endpoint.OwnRefused > 0;

    public string Headline() => judgement.Verdict switch
    {
        Verdict.Enforced => "OAuth was enforced",
        Verdict.Bypassed => IsOnce ? "OAuth was not enforced in one case" : "OAuth was not enforced",
        Verdict.Tampered => "The log was tampered with",
        _ => "Not proven",
    };

    public string Sentence() => judgement.Verdict switch
    {
        Verdict.Enforced when allowed.Total == 0 => $"nobody was let in, and {TurnedAway("a valid token")}. {Voucher()}",
        Verdict.Enforced => $"each of the {N(allowed.Total)} accesses in this log had a valid token, which was issued in it, too, and {TurnedAway("one")}. {Voucher()}",
        Verdict.Bypassed => $"{First(refuting: true)}.{Others()}",
        Verdict.Tampered => $"nothing else that the log says can be trusted. {Capital(First(refuting: true, Claim.C7))}.",
        _ => $"nothing in the log contradicts that OAuth is enforced, but {First(refuting: false)}.",
    };

    public IReadOnlyList<string> Strength()
    {
        var lines = new List<string>
        {
            log.SignedLength == 0 ? "Nobody has signed the log yet."
            : log.SignedLength == log.Length ? $"All of its {N(log.Length)} events are signed{Signer()}."
            : $"{N(log.SignedLength)} of its {N(log.Length)} events are signed{Signer()}; the newest {N(log.Length - log.SignedLength)} are not yet.",
            log.CheckpointsGiven > 0
                ? $"It was held against {((long)log.CheckpointsGiven).Counted("checkpoint")} kept elsewhere."
                : "It was held against no checkpoint kept elsewhere: a cut tail, or a log written anew with the key, would not show.",
            log.Durability switch
            {
                Started.SurvivesPowerLoss => "As the gate is built, each access and each change was on the disk before it took effect.",
                Started.SurvivesProcess => "As the gate is built, each access and each change was recorded before it took effect. A loss of power could take the newest accesses and sign-ins with it, but no token and no revocation.",
                _ => "How durable its events were is not said.",
            },
        };
        if (log.FirstIndex > 0)
            lines.Add($"The events before {N(log.FirstIndex)} were pruned; a snapshot stands for them.");
        if (judgement.Interrupted > 0)
            lines.Add($"{judgement.Interrupted.Counted("access", "accesses")} had no outcome when the gate was killed.");
        if (judgement.UnderWay > 0)
            lines.Add($"{judgement.UnderWay.Counted("access", "accesses")} {(judgement.UnderWay == 1 ? "was" : "were")} under way when the log was read.");
        if (judgement.Unreadable > 0)
            lines.Add($"{judgement.Unreadable.Counted("event")} {Were(judgement.Unreadable)} passed over, as this version does not know {(judgement.Unreadable == 1 ? "its" : "their")} type.");
        return lines;
    }

    public IReadOnlyList<string> Limits() =>
    [
        "A request that reached the upstream past the gate is not in this log. An upstream that nobody else can reach, or that demands the signed assertion of --upstream-identity, settles that.",
        "A gate that was changed can be silent. What it did write has to agree with itself, and that was checked.",
        "That a user is who they said is between them and their password, or their provider.",
        "Whoever has the log's private key can write another log. A checkpoint kept where they cannot reach shows it.",
    ];

    public IReadOnlyList<Answer> Answers() =>
    [
        new("It accesses the server without OAuth.", HadAToken() ?? OfClaims([Claim.C1, Claim.C2], () => allowed.Total == 0
            ? "Nobody has accessed it yet."
            : $"No. Each of the {N(allowed.Total)} accesses names a token that was valid then, for this server, and that came from a registered client, a user who had signed in, and their consent (C1, C2).")),
        new("No authentication is happening.", OfClaims([Claim.C2, Claim.C4], () => components[2].Done.Total == 0
            ? "Nobody has been let in, so nobody had to sign in yet."
            : $"It is. {components[2].Done.Total.Counted("code")} {Were(components[2].Done.Total)} issued, {Each(components[2].Done.Total)}after a user had signed in and consented, and {Each(components[2].Done.Total)}was good once; {components[3].Done.Total.Counted("exchange was", "exchanges were")} answered with tokens{(repeated.Total > 0 ? $", and {N(repeated.Total)} with the same tokens again" : "")} (C2, C4).")),
        new("Tools are open without tokens.", OfClaims([Claim.C5, Claim.C6], () =>
            $"Not in this log. {TurnedAway("a valid token")}{Tried()}, and every message that is recorded as sent on had its access recorded before (C5, C6).")),
    ];

    public IReadOnlyList<SecurityArea> Security(Count toolCalls, Count signedIn) =>
    [
        Area("Authentication", [Claim.C2, Claim.C4], signedIn.Total > 0,
            $"{signedIn.Total.Counted("sign-in")}, {components[2].Done.Total.Counted("code")}, {components[3].Done.Total.Counted("token exchange")}; {N(components[3].Refused.Total)} refused"),
        ToolProtection(toolCalls),
        EndpointProtection(),
    ];

    /// <param name="standout">What to do about what stands out.</param>
    public IReadOnlyList<string> NextSteps(string? standout)
    {
        var steps = new List<string>();
        if (judgement.Verdict == Verdict.Bypassed)
            steps.Add("Before anything is changed, copy the log with its checkpoints: 'sallyport backup FILE'.");
        foreach (var claim in judgement.Claims.Where(claim => claim.Status == ClaimStatus.Refuted))
        {
            if (claim.Claim == Claim.C7)
                steps.Add("See every fault with 'sallyport audit verify', and compare with a checkpoint or a copy that was kept elsewhere. Until that is settled, trust no other line of this report.");
            else
                steps.Add($"Look at event {claim.Findings[0].Index} with 'sallyport audit explain {claim.Findings[0].Index}' ({claim.Claim}), and end the grant{EndOf(claim.Findings[0])}.");
        }
        if (judgement.Verdict == Verdict.Bypassed)
            steps.Add("Compare the gate's program with the one that was released, and look at its clock. If neither was changed, this is a fault of Sallyport's: report it as SECURITY.md says.");
        if (standout is not null)
            steps.Add(standout);
        if (judgement[Claim.C5].Status == ClaimStatus.Unknown)
            steps.Add("Try without a token, once at each endpoint ('curl -i URL/mcp'; 401 has to come), and ask for the report again: the refusals are the evidence that is missing.");
        if (judgement[Claim.C7].Status == ClaimStatus.Unknown)
            steps.Add("Wait until the gate has signed its log (every minute, and when it stops), and ask for the report again.");
        if (judgement[Claim.C6].Status == ClaimStatus.Unknown)
            steps.Add("Look for what the gate said when it stopped: it could not write what became of some accesses.");
        if (judgement[Claim.C2].Status == ClaimStatus.Unknown)
            steps.Add("Let the clients concerned be authorized anew ('sallyport token revoke'): what their consents rested on is not in the log any more.");
        if (judgement.Verdict is Verdict.Enforced or Verdict.NotProven && log.CheckpointsGiven == 0 && log.SignedLength > 0)
            steps.Add("Keep checkpoints where the gate's machine cannot change them (--anchors with a directory elsewhere, or a witness), and give one with --against.");
        if (judgement.Verdict == Verdict.Enforced)
        {
            if (Paths(s_untried) is { Length: > 0 } untried)
                steps.Add($"Send a request without a token to {untried} ('curl -i -X METHOD URL'): 401 has to come, and the log will show it. Nobody has tried there yet.");
            if (allowed.Total > 0 && !blockedLately)
                steps.Add("The newest refusal is more than a day older than the newest event: try once without a token, so that the evidence is fresh.");
        }
        foreach (var client in clients.Where(client => client.Stopped is not null).Take(5))
            steps.Add($"{client.Name ?? client.Client} {client.Stage} and came {client.Stopped}; its events: 'sallyport audit tail --client {client.Client}'.".ToPrintable());
        return steps;
    }

    private SecurityArea EndpointProtection()
    {
        var (tried, untried) = (Paths(s_tried), Paths(s_untried));
        var area = Area("Endpoint protection", [Claim.C5, Claim.C6], blocked.Total + own.Refused > 0,
            tried.Length == 0 ? "no refusal is recorded" : $"{Requests(blocked.Total)} without a valid token turned away{BesideOwn()}; refusals at {tried}{(untried.Length > 0 ? $", and nobody tried at {untried}" : "")}");
        return area.Status == ComponentStatus.Working && untried.Length > 0 ? area with { Status = ComponentStatus.Partly } : area;
    }

    private SecurityArea ToolProtection(Count toolCalls)
    {
        Claim[] claims = [Claim.C1, Claim.C3, Claim.C6];
        var area = Area("Tool protection", claims, toolCalls.Total > 0,
            $"{toolCalls.Total.Counted("tool call")} among {allowed.Total.Counted("access", "accesses")}, each recorded with its token, user and client before anything went to the server");
        // What guards the tools let something else in.
        return offence is { Chain: not null, IsToolCall: false } && claims.Sum(claim => judgement[claim].FindingCount) == 1
            ? area with { Evidence = $"{area.Evidence}. It called no tool; but what guards the tools, of which {(toolCalls.Total == 1 ? "1 call" : $"{N(toolCalls.Total)} calls")} {Were(toolCalls.Total)} let in, is what let it in." }
            : area;
    }

    /// <summary>Where C1 alone is refuted, by an access with a token that the gate gave out: that is no access without OAuth.</summary>
    private string? HadAToken() =>
        offence?.Chain is { Token: { } token } chain && judgement.Verdict == Verdict.Bypassed && judgement[Claim.C2].Status == ClaimStatus.Proved && judgement[Claim.C1].Findings is [{ Refutes: true } finding, ..] && finding.Index == chain.Access
            ? $"Not without, but against its rules: {Text(finding)} (C1). The token is one that this gate gave out (event {N(token)})."
            : null;

    private string TurnedAway(string without) => $"{Requests(blocked.Total)} without {without} {Were(blocked.Total)} turned away{BesideOwn()}";

    private string BesideOwn() => own.Refused == 0 ? "" : $", beside {N(own.Refused)} that the gate sent itself";

    /// <summary>One fault is not a gate that stands open.</summary>
    private bool IsOnce => offence?.Chain is not null && judgement.Claims.Sum(claim => claim.FindingCount) == 1;

    private string Others() => IsOnce && allowed.Total > 1
        ? $" Nothing contradicts the other {(allowed.Total - 1).Counted("access", "accesses")}."
        : "";

    private string Signer() => (log.NewestKey ?? log.Key) is { } key
        ? $", by the key {key}, {(log.HasGivenKey ? "which was given to check it with" : "which was found beside the log")}".ToPrintable()
        : "";

    /// <summary>Who says so: with nothing from elsewhere, it is the log's own key.</summary>
    private string Voucher() => log.CheckpointsGiven > 0
        ? $"The log agrees with {((long)log.CheckpointsGiven).Counted("checkpoint")} kept elsewhere."
        : "The log's own key vouches for it; no checkpoint kept elsewhere was held against it.";

    private SecurityArea Area(string name, Claim[] claims, bool isSeen, string evidence) =>
        judgement.Verdict == Verdict.Tampered ? new(name, ComponentStatus.Contradicted, "the log was tampered with")
        : claims.Select(claim => judgement[claim]).FirstOrDefault(result => result.Status == ClaimStatus.Refuted) is { } refuted ? new(name, ComponentStatus.Contradicted, Text(refuted.Findings[0]))
        : new(name, isSeen ? ComponentStatus.Working : ComponentStatus.NoEvidence, evidence);

    private string EndOf(ClaimFinding finding) =>
        offence is { Grant: { } grant } && finding.Index == offence.Event.Number ? $": 'sallyport token revoke {grant.ToPrintable()}'" : " that is named there: 'sallyport token revoke GRANT'";

    /// <summary>Where people were turned away, and where nobody tried: both have to be known of it.</summary>
    private string Tried()
    {
        var (tried, open) = (Paths(s_tried), Paths(s_untried));
        return string.Concat(tried.Length > 0 ? $" at {tried}" : "", open.Length > 0 ? $" (nobody tried at {open})" : "");
    }

    private string Paths(Func<EndpointStatus, bool> which) => endpoints.Where(which).Select(endpoint => endpoint.Path.ToPrintable()).ToArray().Listed(MostPaths);

    private string OfClaims(Claim[] claims, Func<string> ifProved)
    {
        if (judgement.Verdict == Verdict.Tampered)
            return "The log cannot say any more: it was tampered with.";
        var results = claims.Select(claim => judgement[claim]).ToArray();
        if (results.FirstOrDefault(result => result.Status == ClaimStatus.Refuted) is { } refuted)
            return $"The log shows what must not be: {Text(refuted.Findings[0])} ({refuted.Claim}).";
        if (results.FirstOrDefault(result => result.Status == ClaimStatus.Unknown) is { } unknown)
            return $"Nothing in the log says so, and it is not proven: {Text(unknown.Findings[0])} ({unknown.Claim}).";
        return ifProved();
    }

    private string First(bool refuting, Claim? of = null)
    {
        var findings = judgement.Claims.Where(claim => of is null || claim.Claim == of).SelectMany(claim => claim.Findings).Where(finding => finding.Refutes == refuting).ToArray();
        var all = judgement.Claims.Where(claim => of is null || claim.Claim == of).Where(claim => claim.Status == (refuting ? ClaimStatus.Refuted : ClaimStatus.Unknown)).Sum(claim => claim.FindingCount);
        return findings.Length == 0 ? "it is not known what is missing" : Text(findings[0]) + (all > 1 ? $", and {N(all - 1)} more" : "");
    }

    private static string Text(ClaimFinding finding) => finding.Index is { } index ? $"at event {N(index)}, {finding.Text}" : finding.Text;

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private static string N(long number) => number.Grouped();

    private static string Requests(long count) => count.Counted("request");

    private static string Each(long count) => count == 1 ? "" : "each ";

    private static string Were(long count) => count == 1 ? "was" : "were";
}
