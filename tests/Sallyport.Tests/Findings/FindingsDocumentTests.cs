using System.Globalization;
using Sallyport.Proof.Findings;
using Sallyport.Server.Findings;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Findings;

/// <summary>Whoever is told of a finding looks into <c>docs/findings.md</c>: it says what the code does.</summary>
public class FindingsDocumentTests
{
    private static readonly string s_document = File.ReadAllText(Path.Combine(VectorFiles.Root, "..", "docs", "findings.md"));

    public static TheoryData<FindingRule, string> Rules => new()
    {
        { FindingRule.RefusalFlood, $"{N(Thresholds.Refusals)} of one source, or {N(Thresholds.RefusalsInAll)} in all, in {Thresholds.RefusalSpan.TotalMinutes} minutes" },
        { FindingRule.Reuse, "once" },
        { FindingRule.RegistrationFlood, $"{N(Thresholds.Registrations)} of one source, or {N(Thresholds.RegistrationsInAll)} in all, in {Thresholds.RegistrationSpan.TotalMinutes} minutes" },
        { FindingRule.DistantNetworks, $"{N(Thresholds.NetworkReturns)} returns in {Thresholds.NetworkSpan.TotalMinutes} minutes" },
        { FindingRule.SessionProbing, $"{N(Thresholds.OthersSessions)} of others, or {N(Thresholds.UnknownSessions)} unknown, in {Thresholds.SessionSpan.TotalMinutes} minutes" },
        { FindingRule.ClientGrowth, $"{N(Thresholds.Growth)} times the busiest hour of the {N(Thresholds.GrowthDays)} days before, and {N(Thresholds.GrowthFrom)}" },
        { FindingRule.ToolGrowth, $"{N(Thresholds.Growth)} times the busiest hour of the {N(Thresholds.GrowthDays)} days before, and {N(Thresholds.GrowthFrom)}" },
        { FindingRule.ExpiredReplay, $"{N(Thresholds.ExpiredReplays)} in an hour, for a minute at least" },
        { FindingRule.BrokenFunnel, $"{N(Thresholds.Authorizations)} requests for authorization without a code, {N(Thresholds.Unfinished)} codes without a token, or {N(Thresholds.Unfinished)} tokens without an access, one after the other, in a day, for {Thresholds.FunnelLeast.TotalMinutes} minutes at least" },
        { FindingRule.ConstantChallenge, $"once; the gate warns from {N(Server.Protocol.Limits.CodesPerChallenge)} codes under one challenge on" },
    };

    [Theory]
    [MemberData(nameof(Rules))]
    public void Every_rule_has_its_row_with_its_threshold(FindingRule rule, string threshold)
    {
        var row = Assert.Single(s_document.Split('\n'), line => line.StartsWith($"| `{rule.Word()}` |", StringComparison.Ordinal));

        Assert.Equal(threshold, row.Split(" | ")[2]);
    }

    [Fact]
    public void No_rule_is_without() => Assert.Equal(Enum.GetValues<FindingRule>(), Rules.Select(row => row.Data.Item1));

    [Fact]
    public void The_rests_and_bounds_are_those_of_the_code()
    {
        Assert.Equal((TimeSpan.FromHours(1), TimeSpan.FromDays(1), TimeSpan.FromMinutes(1), TimeSpan.FromHours(1), TimeSpan.FromMinutes(1), TimeSpan.FromDays(1), TimeSpan.FromDays(8)),
            (Thresholds.ShortRest, Thresholds.LongRest, Thresholds.ClockNoise, Thresholds.ExpiredSpan, Thresholds.ExpiredLeast, Thresholds.FunnelSpan, FindingRules.LooksBack));
        Assert.Contains($"No rule raises more than {N(Thresholds.MostPerHour)} in an hour", s_document, StringComparison.Ordinal);
        Assert.Contains($"each rule remembers {N(Thresholds.Remembered)} sources", s_document, StringComparison.Ordinal);
        Assert.Contains($"Up to {N(Webhook.Most)} wait", s_document, StringComparison.Ordinal);
        Assert.Contains($"a network that {N(Thresholds.UsersOfSharedNetwork)} users of a client come from", s_document, StringComparison.Ordinal);
    }

    private static string N(int number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
