using System.Reflection;
using System.Text.Json.Serialization;
using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>A finding in words: what it is, of whom, and what to do.</summary>
public static class FindingWords
{
    private static readonly Dictionary<FindingRule, string> s_words = Enum.GetValues<FindingRule>().ToDictionary(
        rule => rule,
        rule => typeof(FindingRule).GetField(rule.ToString())!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name);

    /// <summary>As the log has it.</summary>
    public static string Word(this FindingRule rule) => s_words[rule];

    /// <summary>What was noticed.</summary>
    public static string What(FindingRaised finding) => finding.Rule switch
    {
        FindingRule.RefusalFlood => finding.Source is null ? "A flood of refusals, from everywhere" : "A flood of refusals, from one source",
        FindingRule.Reuse => "A used code or refresh token came again",
        FindingRule.RegistrationFlood => finding.Source is null ? "A flood of registrations, from everywhere" : "A flood of registrations, from one source",
        FindingRule.DistantNetworks => "A token used to and fro from distant networks",
        FindingRule.SessionProbing => "Sessions probed",
        FindingRule.ClientGrowth => "A client calls far more than ever",
        FindingRule.ToolGrowth => "A tool is called far more than ever",
        FindingRule.ExpiredReplay => "An expired token, again and again",
        FindingRule.BrokenFunnel => finding.Step switch
        {
            "authorization.started" => "Its way in breaks off at sign-in and consent",
            "code.issued" => "Its codes are never exchanged",
            _ => "Its tokens are never used",
        },
        _ => "A PKCE challenge that is always the same",
    };

    /// <summary>Whom or what it is about. Names and ids are as they came: whoever shows them escapes them.</summary>
    public static string Of(FindingRaised finding) => string.Join(", ", new[]
    {
        Named("client", finding.Client), Named("user", finding.Subject), Named("grant", finding.Grant), Named("tool", finding.Name), Named("at", finding.Audience), Named("source", finding.Source),
    }.Where(part => part is not null)) is { Length: > 0 } of ? of : "all sources together";

    /// <summary>How many there were, against how many are none.</summary>
    public static string Counted(FindingRaised finding) => finding.Threshold <= 1
        ? "once is enough"
        : $"{finding.Count.Grouped()} in {(finding.Seconds < 120 ? finding.Seconds.Counted("second") : TimeSpan.FromSeconds(finding.Seconds).Told())} (threshold {finding.Threshold.Grouped()})";

    /// <summary>One sentence.</summary>
    public static string Advice(FindingRaised finding)
    {
        var tail = finding.Client is null ? "'sallyport audit tail --since 2h'" : $"'sallyport audit tail --client {finding.Client}'";
        return finding.Rule switch
        {
            FindingRule.RefusalFlood when finding.Source is null => $"See in {tail} for what they were refused and whether one client stands behind them, and limit it before the gate.",
            FindingRule.RefusalFlood => $"Find the address of event {finding.Last} with {tail}: a scanner is for the firewall, a monitor for /healthz, a client for its owner.",
            FindingRule.Reuse => "Ask the user whether it was they; a client that keeps an old token after its answer was lost does it, too, and so does a thief.",
            FindingRule.RegistrationFlood => $"See what registers with {tail}, and set --registrations-per-minute lower, or --clients, if it is none of yours.",
            FindingRule.DistantNetworks => "Ask the user whether they use two lines at once; if not, let them withdraw it and sign out everywhere at /account.",
            FindingRule.SessionProbing => $"Look at what this caller asks for with {tail}; a client that does not begin anew after 404 does it, too.",
            FindingRule.ClientGrowth => $"Ask its users what has changed; an agent in a loop is stopped with 'sallyport client disable {finding.Client}'.",
            FindingRule.ToolGrowth => "See in the clients below who calls it, and ask them; an agent in a loop does it, too.",
            FindingRule.ExpiredReplay => "Let the user connect this client anew: it does not refresh; --access-token-seconds sets how often that happens.",
            FindingRule.BrokenFunnel => $"Look at the last thing that went well and the refusal behind it with {tail}, and at the client's own log: nobody gets in by it.",
            _ => "Update this client: with a challenge that is always the same, whoever sees one code once can redeem all.",
        };
    }

    private static string? Named(string what, string? value) => value is null ? null : $"{what} {value}";
}
