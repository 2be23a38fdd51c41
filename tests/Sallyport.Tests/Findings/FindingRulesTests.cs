using Sallyport.Proof.Findings;
using static Sallyport.Tests.Findings.Story;

namespace Sallyport.Tests.Findings;

/// <summary>Each rule, at its threshold and just below.</summary>
public class FindingRulesTests
{
    private const string There = "198.51.100.7", Elsewhere = "203.0.113.9";

    private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1), s_hour = TimeSpan.FromHours(1), s_day = TimeSpan.FromDays(1);

    /// <summary>What fires a rule, with how many of what it counts; one fewer, or what is said beside it, must not.</summary>
    private static readonly Dictionary<string, (FindingRule Rule, int Threshold, Action<Story, int> Tell)> s_firing = new()
    {
        ["refusals of one source"] = (FindingRule.RefusalFlood, 200, (story, count) => story.Add(count, 5 * s_minute, i => Refused(i % 2 == 0 ? Reason.TokenMissing : Reason.TokenForged, There))),
        ["refusals of sources that are not known"] = (FindingRule.RefusalFlood, 2_000, (story, count) => story.Add(count, 5 * s_minute, _ => Refused(Reason.TokenMissing))),
        ["refusals that were limited, and counted together"] = (FindingRule.RefusalFlood, 200, (story, count) => story.Add(new RequestsLimited { Id = "", Reason = Reason.LimitSource, Path = "/register", Count = count, Source = There })),
        ["refusals at the token endpoint"] = (FindingRule.RefusalFlood, 200, (story, count) => story.Add(count, 5 * s_minute, _ => TokenRefused(Reason.CodeUnknown) with { Source = There })),
        ["a refresh token that comes again"] = (FindingRule.Reuse, 1, (story, count) => story.Add(count, s_minute, _ => TokenRefused(Reason.RefreshReused))),
        ["a code that comes again"] = (FindingRule.Reuse, 1, (story, count) => story.Add(count, s_minute, _ => TokenRefused(Reason.CodeReused))),
        ["registrations from one source"] = (FindingRule.RegistrationFlood, 50, (story, count) => story.Add(count, 10 * s_minute, i => Registered($"c{i}", There))),
        ["registrations from many"] = (FindingRule.RegistrationFlood, 300, (story, count) => story.Add(count, 10 * s_minute, i => Registered($"c{i}", $"203.0.{i % 200}.1"))),
        ["two networks, to and fro"] = (FindingRule.DistantNetworks, 6, (story, count) => story.Add(count + 2, 10 * s_minute, i => Call(source: i % 2 == 0 ? There : Elsewhere))),
        ["two networks of IPv6, to and fro"] = (FindingRule.DistantNetworks, 6, (story, count) => story.Add(count + 2, 10 * s_minute, i => Call(source: i % 2 == 0 ? "2001:db8:0:1::/64" : "2001:db9:0:1::/64"))),
        ["sessions of others"] = (FindingRule.SessionProbing, 3, (story, count) => story.Add(count, 10 * s_minute, _ => Refused(Reason.SessionOfAnother, client: "c", subject: "s"))),
        ["sessions that there are not"] = (FindingRule.SessionProbing, 200, (story, count) => story.Add(count, 10 * s_minute, _ => Refused(Reason.SessionUnknown, client: "c", subject: "s"))),
        ["an expired token"] = (FindingRule.ExpiredReplay, 20, (story, count) => story.Add(count, s_hour, _ => Refused(Reason.TokenExpired, client: "c", subject: "s"))),
        ["requests for authorization without a code"] = (FindingRule.BrokenFunnel, 20, (story, count) => story.Add(count, s_day, _ => Started())),
        ["codes that nobody exchanges"] = (FindingRule.BrokenFunnel, 5, (story, count) => story.Add(count, s_day, _ => Code())),
        ["tokens that nobody uses"] = (FindingRule.BrokenFunnel, 5, (story, count) => story.Add(count, s_day, _ => Token())),
        ["a challenge that is always the same"] = (FindingRule.ConstantChallenge, 1, (story, count) => story.Add(count, s_minute, _ => Code(warning: Reason.PkceConstantChallenge))),
        ["a client that calls ten times as much as ever"] = (FindingRule.ClientGrowth, 1_500, (story, count) =>
        {
            story.Add(150, s_minute, i => Call(tool: $"tool{i % 10}"));
            story.Now += 7 * s_day;
            story.Add(count, 50 * s_minute, i => Call(tool: $"tool{i % 10}"));
        }),
        ["a tool that is called ten times as much as ever"] = (FindingRule.ToolGrowth, 1_500, (story, count) =>
        {
            story.Add(150, s_minute, i => Call(client: $"c{i % 10}"));
            story.Now += 7 * s_day;
            story.Add(count, 50 * s_minute, i => Call(client: $"c{i % 10}"));
        }),
        ["a tool that was hardly called before"] = (FindingRule.ToolGrowth, 1_000, (story, count) =>
        {
            story.Add(Call());
            story.Now += 8 * s_day;
            story.Add(count, 50 * s_minute, i => Call(client: $"c{i % 10}"));
        }),
    };

    private static readonly Dictionary<string, Action<Story>> s_silent = new()
    {
        ["refusals of one source, a second too slow"] = story => story.Add(200, 5 * s_minute + TimeSpan.FromSeconds(2), _ => Refused(Reason.TokenMissing, There)),
        ["the gate's own requests, whose mark a proxy has kept back"] = story => story.Add(1_000, 5 * s_minute, i =>
            Refused(i % 2 == 0 ? Reason.TokenExpired : Reason.SessionOfAnother, There, HeartbeatPrepared.Client, "s")),
        ["an office whose tokens have expired"] = story => story.Add(1_000, 5 * s_minute, i => Refused(Reason.TokenExpired, There, "c", $"s{i}")),
        ["a client that registers at each start"] = story => story.Add(1_000, 10 * s_minute, _ => Registered("c", There, repeated: true)),
        ["an answer that was lost and given again"] = story => story.Add(100, s_minute, _ => new TokenRepeated { Id = "", Grant = "g", Client = "c", Presented = "p" }),
        ["a token that somebody else presents"] = story => story.Add(100, s_minute, _ => TokenRefused(Reason.RefreshOfAnotherClient)),
        ["somebody on the road"] = story => story.Add(100, 10 * s_minute, i => Call(source: $"{i / 10 + 80}.1.0.{i}")),
        ["a machine with both kinds of addresses"] = story => story.Add(100, 10 * s_minute, i => Call(source: i % 2 == 0 ? There : "2001:db8:0:1::/64")),
        ["addresses of one network"] = story => story.Add(100, 10 * s_minute, i => Call(source: $"198.51.{i % 7}.{i}")),
        ["a private network and another"] = story => story.Add(100, 10 * s_minute, i => Call(source: i % 2 == 0 ? "10.0.0.1" : "192.168.0.1")),
        ["addresses that cannot be known"] = story => story.Add(100, 10 * s_minute, i => Call(source: i % 2 == 0 ? "erased" : There)),
        ["a client whose users all come from its own networks"] = story =>
        {
            foreach (var user in (string[])["u1", "u2", "u3"])
            {
                story.Add(Call(subject: user, source: There));
                story.Add(Call(subject: user, source: Elsewhere));
            }
            story.Add(100, 10 * s_minute, i => Call(subject: "u4", source: i % 2 == 0 ? There : Elsewhere));
        },
        ["sessions of two callers"] = story => story.Add(4, s_minute, i => Refused(Reason.SessionOfAnother, client: "c", subject: $"s{i % 2}")),
        ["many requests at once with a token that has just expired"] = story => story.Add(500, TimeSpan.FromSeconds(59), _ => Refused(Reason.TokenExpired, client: "c", subject: "s")),
        ["a client that refreshes late"] = story => story.Add(200, s_hour, i => i % 10 == 9 ? Token(grantType: "refresh_token") : Refused(Reason.TokenExpired, client: "c", subject: "s")),
        ["a token that nobody knows"] = story => story.Add(150, s_hour, _ => Refused(Reason.TokenExpired)),
        ["people who think better of it, but for one"] = story => story.Add(38, s_hour, i => i == 19 ? Code() : Started()),
        ["codes on their way"] = story => story.Add(50, 4 * s_minute, _ => Code()),
        ["codes of which one is exchanged"] = story => story.Add(9, s_hour, i => i == 4 ? Token() : Code()),
        ["tokens with whose client somebody was let in"] = story => story.Add(9, s_hour, i => i == 4 ? Call() : Token()),
        ["what was refused of two days"] = story => story.Add(5, s_day + TimeSpan.FromMinutes(10), _ => Token()),
        ["codes without a warning"] = story => story.Add(3, s_minute, _ => Code(client: "other")),
        ["a client that is new"] = story => story.Add(100_000, 50 * s_minute, i => Call()),
        ["a client that is six days old"] = story =>
        {
            story.Add(Call());
            story.Now += 6 * s_day;
            story.Add(100_000, 50 * s_minute, i => Call());
        },
        ["a Monday like the last one"] = story =>
        {
            foreach (var day in Enumerable.Range(0, 15))
            {
                var calls = day % 7 is 5 or 6 ? 5 : 1_400;
                story.Add(calls, 50 * s_minute, _ => Call());
                story.Now += s_day - 50 * s_minute;
            }
        },
        ["lists of tools, however often"] = story =>
        {
            story.Add(Call());
            story.Now += 8 * s_day;
            story.Add(10_000, 50 * s_minute, _ => Call(tool: null) with { Method = "tools/list" });
        },
        ["the gate's own requests"] = story => story.Add(3_000, 5 * s_minute, _ => new HeartbeatAnswered { Id = "", Audience = "a", Interval = 10, Ways = ["GET /mcp"], Answers = [new(HeartbeatClass.None, true, 401, Reason.TokenMissing)] }),
    };

    public static TheoryData<string> Firing => [.. s_firing.Keys];

    public static TheoryData<string> Silent => [.. s_silent.Keys];

    [Theory]
    [MemberData(nameof(Firing))]
    public void It_is_found_from_its_threshold_on(string what)
    {
        var (rule, threshold, tell) = s_firing[what];
        var story = new Story();
        tell(story, threshold);

        var finding = Assert.Single(story.Found);
        Assert.Equal((rule, threshold, threshold), (finding.Rule, finding.Threshold, finding.Count));
        Assert.InRange(finding.First, 0, finding.Last);
    }

    [Theory]
    [MemberData(nameof(Firing))]
    public void It_is_not_found_just_below_it(string what)
    {
        var (_, threshold, tell) = s_firing[what];
        var story = new Story();
        tell(story, threshold - 1);

        Assert.Empty(story.Found);
    }

    [Theory]
    [MemberData(nameof(Silent))]
    public void What_is_like_it_and_innocent_is_not_found(string what)
    {
        var story = new Story();
        s_silent[what](story);

        Assert.Empty(story.Found);
    }

    [Fact]
    public void Every_rule_has_a_log_that_fires_it() =>
        Assert.Equal(Enum.GetValues<FindingRule>(), s_firing.Values.Select(firing => firing.Rule).Distinct().Order());

    [Fact]
    public void A_flood_is_one_finding_and_another_when_it_still_goes_on_after_an_hour()
    {
        var story = new Story();
        story.Add(100_000, 90 * s_minute, _ => Refused(Reason.TokenForged, There));

        Assert.Equal([(string?)There, null, There, null], story.Found.OrderBy(finding => finding.Last).Select(finding => finding.Source));
        Assert.All(story.Found, finding => Assert.Equal(finding.Threshold, finding.Count));
    }

    [Fact]
    public void A_finding_says_whose_it_is_and_where()
    {
        var story = new Story();
        story.Add(Call());
        story.Add(20, 10 * s_minute, _ => Refused(Reason.TokenExpired, There, "c", "s"));

        var finding = Assert.Single(story.Found);
        Assert.Equal(("c", "s", null, null, 1, 20, 600), (finding.Client, finding.Subject, finding.Source, finding.Grant, finding.First, finding.Last, finding.Seconds));
    }

    [Fact]
    public void What_stands_in_the_log_is_not_found_again_until_its_rest_is_over()
    {
        var story = new Story();
        story.Add(TokenRefused(Reason.RefreshReused));
        var standing = Assert.Single(story.Found);
        var after = new Story { Now = story.Now };
        after.Add(standing);
        after.Add(TokenRefused(Reason.RefreshReused));
        after.Now += s_day - s_minute;
        after.Add(TokenRefused(Reason.RefreshReused));

        Assert.Empty(after.Found);
        after.Now += s_minute;
        after.Add(TokenRefused(Reason.RefreshReused));
        after.Add(TokenRefused(Reason.RefreshReused, grant: "another"));
        Assert.Equal(["g", "another"], after.Found.Select(finding => finding.Grant));
    }

    [Fact]
    public void Who_has_many_addresses_does_not_fill_the_log()
    {
        var story = new Story();
        for (var source = 0; source < 1_000; source++)
            story.Add(200, TimeSpan.FromSeconds(1), _ => Refused(Reason.TokenForged, $"203.0.{source / 250}.{source % 250}"));

        Assert.Equal(20, story.Found.Count);
    }

    [Fact]
    public void A_clock_that_was_set_back_begins_all_counts_anew()
    {
        var story = new Story();
        story.Add(199, s_minute, _ => Refused(Reason.TokenForged, There));
        story.Now -= s_hour;
        story.Add(199, s_minute, _ => Refused(Reason.TokenForged, There));
        Assert.Empty(story.Found);

        // What is stamped and written in another order is none.
        story.Now -= TimeSpan.FromSeconds(5);
        story.Add(Refused(Reason.TokenForged, There));
        Assert.Single(story.Found);
    }

    [Fact]
    public void What_a_start_recovers_is_no_clock_that_was_set_back()
    {
        var story = new Story();
        story.Add(199, s_minute, _ => Refused(Reason.TokenForged, There));
        var before = story.Now;
        story.Now += 3 * s_minute;
        story.Add(new Started { Id = "", Process = "serve", Version = "1", AfterCleanStop = false, BytesCut = 0, Recovered = 2, Durability = "process" });
        (story.Now, var now) = (before, story.Now);
        story.Add(Token());
        story.Add(Token());
        story.Now = now;
        story.Add(Refused(Reason.TokenForged, There));

        Assert.Single(story.Found);
    }

    [Fact]
    public void What_stands_counts_among_those_of_the_hour()
    {
        var (before, after) = (new Story(), new Story());
        for (var grant = 0; grant < 20; grant++)
            before.Add(TokenRefused(Reason.RefreshReused, $"g{grant}"));
        foreach (var standing in before.Found)
            after.Add(standing);
        after.Add(TokenRefused(Reason.RefreshReused, "another"));

        Assert.Equal((20, 0), (before.Found.Count, after.Found.Count));
    }

    [Fact]
    public void Memory_is_bounded_whatever_comes()
    {
        var story = new Story();
        void Tell(int from, int count)
        {
            for (var i = from; i < from + count; i++)
            {
                story.Add(Refused(Reason.SessionUnknown, $"2001:{i % 50_000:x}:{i / 50_000:x}:1::/64", $"c{i}", $"s{i}"));
                story.Add(Refused(Reason.TokenExpired, null, $"c{i}", $"s{i}"));
                story.Add(Call($"c{i}", $"s{i}", $"tool{i}", $"2001:{i % 50_000:x}::/64"));
                story.Add(Started($"c{i}"));
                story.Now += TimeSpan.FromSeconds(1);
            }
        }
        Tell(0, 10_000);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        Tell(10_000, 50_000);

        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 8 * 1024 * 1024);
        Assert.Empty(story.Found);
    }
}
