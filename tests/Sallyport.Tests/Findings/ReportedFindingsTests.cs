using Sallyport.Proof.Claims;
using Sallyport.Proof.Report;

namespace Sallyport.Tests.Findings;

/// <summary>What a report shows of findings, and how it is at the log's end.</summary>
public class ReportedFindingsTests
{
    private static readonly DateTimeOffset s_begin = new(2026, 3, 2, 9, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_log_without_findings_and_heartbeats_says_nothing_of_them()
    {
        var report = Report((0, Story.Refused(Reason.TokenMissing)));

        Assert.Equal((null, null, 0), (report.Now, report.Heartbeat, report.Findings.Count));
        Assert.DoesNotContain("inding", PlainRenderer.Render(ReportComposer.Compose(report), 110), StringComparison.Ordinal);
    }

    [Fact]
    public void Findings_about_the_same_are_one_line_with_their_history_the_newest_first()
    {
        var report = Report((0, Finding("a")), (2, Finding("b")), (3, Finding("a")));

        Assert.Equal([("source a", 2L, 0L, 2L), ("source b", 1L, 1L, 1L)], report.Findings.Select(finding => (finding.Of, finding.Times, finding.FirstRaised.Number, finding.LastRaised.Number)));
    }

    [Fact]
    public void What_stands_is_that_of_the_last_day_of_the_log()
    {
        var report = Report((0, Finding("a")), (20, Finding("b")), (24, Story.Refused(Reason.TokenMissing)));

        Assert.Equal("At the end of this log: from its last 24 hours a finding stands: refusal_flood (event 1).", report.Now);
        Assert.Equal(2, report.Findings.Count);
    }

    [Fact]
    public void A_round_that_was_right_is_told_with_its_time()
    {
        var report = Report((0, Beat(401)));

        Assert.Equal("At the end of this log: the gate's own bad credentials were refused as they should be, 2026-03-02 09:00:00Z (event 0). No finding stands from its last 24 hours.", report.Now);
    }

    [Fact]
    public void A_round_that_was_wrong_is_told_with_what_was()
    {
        var report = Report((0, Beat(401)), (1, Beat(200)));

        Assert.StartsWith("At the end of this log: not all of the gate's own bad credentials were refused as they should be, 2026-03-02 10:00:00Z (event 1): a request of the gate's own (none) was answered with 200.", report.Now, StringComparison.Ordinal);
        Assert.Equal(ClaimStatus.Refuted, report.Heartbeat!.Status);
    }

    [Fact]
    public void A_round_that_does_not_tell_is_no_wrong_one()
    {
        var report = Report((0, Beat(401)), (1, Beat(503)));

        Assert.StartsWith("At the end of this log: not all of the gate's own requests tell whether it refuses bad credentials, 2026-03-02 10:00:00Z (event 1): a request of the gate's own (none) was answered with 503", report.Now, StringComparison.Ordinal);
        Assert.Equal(ClaimStatus.Unknown, report.Heartbeat!.Status);
    }

    [Fact]
    public void A_round_in_which_a_class_was_not_tried_does_not_tell()
    {
        var beat = Beat(401);
        var report = Report((0, beat with { Answers = [.. beat.Answers.Where(answer => answer.Class != HeartbeatClass.Revoked)] }));

        Assert.Equal(ClaimStatus.Unknown, report.Heartbeat!.Status);
        Assert.Contains("no request of the gate's own of the class revoked was sent to each way in", report.Now, StringComparison.Ordinal);
    }

    [Fact]
    public void A_round_that_none_followed_is_late()
    {
        var report = Report((0, Beat(401)), (5, Story.Refused(Reason.TokenMissing)));

        Assert.Contains("and no later round is in the log, which goes on for 5 hours", report.Now, StringComparison.Ordinal);
        Assert.True(report.Heartbeat!.IsLate);
    }

    [Fact]
    public void An_upstream_that_a_start_left_out_is_not_waited_for()
    {
        var report = Report(
            (0, Beat(200, "https://gone.example/mcp")),
            (1, new Started { Id = "", Process = "serve", Version = "1", AfterCleanStop = true, BytesCut = 0, Recovered = 0, Durability = "process", Configuration = "c" }),
            (1, Beat(401)));

        Assert.Null(report.Heartbeat?.Fault);
    }

    [Fact]
    public void A_user_is_shown_their_own()
    {
        var report = Report(new ReportScope { Subject = "s" }, (0, Finding("a")), (1, Finding(null) with { Rule = FindingRule.ExpiredReplay, Client = "c", Subject = "s" }), (2, Beat(401)));

        Assert.Equal(["expired_replay"], report.Findings.Select(finding => finding.Rule));
    }

    private static FindingRaised Finding(string? source) => new() { Id = "", Rule = FindingRule.RefusalFlood, Source = source, Count = 200, Threshold = 200, Seconds = 60, First = 0, Last = 0 };

    private static HeartbeatAnswered Beat(int status, string audience = "https://mcp.example/mcp") => new()
    {
        Id = "", Audience = audience, Interval = 300, Ways = ["GET /mcp"], Answers = [new(HeartbeatClass.None, ByGate: status == 401, status, status == 401 ? Reason.TokenMissing : null), .. s_right],
    };

    /// <summary>Of all classes but one.</summary>
    private static readonly HeartbeatAnswer[] s_right =
    [
        new(HeartbeatClass.Malformed, true, 401, Reason.TokenMalformed), new(HeartbeatClass.Unknown, true, 401, Reason.TokenUnknown), new(HeartbeatClass.Forged, true, 401, Reason.TokenForged),
        new(HeartbeatClass.InQuery, true, 401, Reason.TokenInQuery), new(HeartbeatClass.JwtAlgNone, true, 401, Reason.TokenMalformed), new(HeartbeatClass.JwtWrongKey, true, 401, Reason.TokenMalformed),
        new(HeartbeatClass.OriginForeign, true, 403, Reason.OriginForeign), new(HeartbeatClass.HostWrong, true, 421, Reason.HostUnknown), new(HeartbeatClass.Expired, true, 401, Reason.TokenExpired),
        new(HeartbeatClass.Revoked, true, 401, Reason.TokenRevoked), new(HeartbeatClass.WrongAudience, true, 401, Reason.TokenWrongAudience), new(HeartbeatClass.WrongScope, true, 403, Reason.ScopeInsufficient),
        new(HeartbeatClass.Good, true, 204), new(HeartbeatClass.AnothersSession, true, 404, Reason.SessionOfAnother),
    ];

    private static StatusReport Report(params ReadOnlySpan<(int Hour, AuditEvent Event)> events) => Report(new ReportScope(), events);

    private static StatusReport Report(ReportScope scope, params ReadOnlySpan<(int Hour, AuditEvent Event)> events)
    {
        var builder = new ReportBuilder(scope);
        for (var i = 0; i < events.Length; i++)
            builder.Observe(i, AuditEventJson.Write(events[i].Event with { Time = s_begin.AddHours(events[i].Hour) }));
        return builder.Build(new(), (_, _) => null);
    }
}
