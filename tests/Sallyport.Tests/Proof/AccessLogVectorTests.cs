using System.Text;
using System.Text.Json;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Import;
using Sallyport.Proof.Report;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>What <c>audit import</c> says of the logs in <c>vectors/import</c>, of servers that are not Sallyport's.</summary>
public class AccessLogVectorTests
{
    private static readonly Dictionary<string, (string Headline, Verdict Verdict)> s_headlines = new()
    {
        ["consistent"] = ("Consistent with enforcement, not proven", Verdict.NotProven),
        ["contradicted"] = ("The log contradicts enforcement", Verdict.Bypassed),
        ["none"] = ("Not proven: no evidence in this log", Verdict.NotProven),
    };

    public static TheoryData<string> Vectors => [.. Expected().Select(Title)];

    [Theory]
    [MemberData(nameof(Vectors))]
    public void A_log_comes_to_what_is_expected_of_it(string title)
    {
        var expected = Expected().Single(vector => Title(vector) == title);
        var report = ReportOf(expected.GetProperty("log").GetString()!, Strings(expected, "args"));

        Assert.Equal(s_headlines[expected.GetProperty("headline").GetString()!], (report.Headline, report.Judgement.Verdict));
        Assert.Equal(Strings(expected, "components"), report.Components.Select(row => JsonNamingPolicy.SnakeCaseLower.ConvertName(row.Status.ToString())));
        Assert.Equal(Number(expected, "allowed"), report.Components[4].Done.Total);
        Assert.Equal(Number(expected, "refused"), report.Components[5].Done.Total);
        Assert.Equal(Number(expected, "passed_over"), report.Judgement.Unreadable);
        Assert.Equal(Strings(expected, "never_refused"), report.Endpoints.Where(row => row is { Allowed: > 0, Refused: 0 }).Select(row => row.Path));
        long[] refuted = [.. report.Judgement.Claims.SelectMany(claim => claim.Findings).Where(finding => finding.Refutes).Select(finding => finding.Index!.Value)];
        Assert.Equal(expected.TryGetProperty("refuted_at", out var lines) ? lines.EnumerateArray().Select(line => line.GetInt64()) : [], refuted);
        Assert.DoesNotContain(report.Judgement.Claims, claim => claim.Status == ClaimStatus.Proved);
    }

    [Fact]
    public void The_report_of_the_recorded_session_is_the_one_that_was_looked_at() =>
        Rendered.AssertAsLookedAt(ReportOf("chatgpt-session", []), "import", "chatgpt-session");

    [Fact]
    public void A_preflight_is_in_no_picture_of_who_was_let_in() =>
        Assert.Equal((0, 1), (ReportOf("preflight", []).Timeline.Sum(bucket => bucket.Allowed), ReportOf("preflight", []).Timeline.Sum(bucket => bucket.Refused)));

    [Fact]
    public void A_flow_is_followed_by_its_values_and_where_there_is_none_by_the_order_of_lines()
    {
        var report = ReportOf("chatgpt-session", []);

        Assert.Equal(
            [(1, ""), (2, "client_id"), (3, "state"), (4, "the order of lines only"), (5, "the order of lines only"), (6, "the order of lines only"), (7, "the order of lines only"), (8, "the order of lines only")],
            report.Flow.Select(step => (step.Line, step.TiedBy)));
    }

    [Fact]
    public void A_later_message_is_tied_by_its_session_and_an_exchange_by_its_code()
    {
        var report = ReportOf(
            """
            INFO: 192.0.2.1:1 - "GET /authorize?client_id=c&state=s HTTP/1.1" 302 Found
            INFO: 192.0.2.1:1 - "GET /oauth/callback?code=k&state=s HTTP/1.1" 302 Found
            INFO: 192.0.2.1:1 - "POST /token?grant_type=authorization_code&code=k HTTP/1.1" 200 OK
            INFO: 192.0.2.1:1 - "POST /messages/?session_id=n HTTP/1.1" 202 Accepted
            INFO: 192.0.2.1:1 - "POST /messages/?session_id=n HTTP/1.1" 202 Accepted
            """);

        Assert.Equal(["", "state", "code", "the order of lines only", "session_id"], report.Flow.Select(step => step.TiedBy));
        Assert.Equal(1, Assert.Single(report.Clients).Sessions.Total);
    }

    [Fact]
    public void Where_several_clients_wait_for_a_token_none_is_said_to_have_got_it()
    {
        var report = ReportOf("two-clients", []);

        Assert.Equal([0L, 1L], report.Clients.Select(client => client.Tokens.Total).Order());
        Assert.All(report.Clients, client => Assert.Equal(0, client.Accesses.Total));
        Assert.Contains(report.Judgement[Claim.C2].Findings, finding => finding.Text.Contains("1 exchange fits no client, or several", StringComparison.Ordinal));
    }

    [Fact]
    public void Several_files_are_one_log_whose_lines_are_numbered_through()
    {
        var log = new AccessLog(new());
        log.Read("old.log", new MemoryStream("\"POST /mcp HTTP/1.1\" 401\n"u8.ToArray()), static _ => { });
        log.Read("new.log", new MemoryStream("\"GET /mcp HTTP/1.1\" 401\n\"GET /sse HTTP/1.1\" 401"u8.ToArray()), static _ => { });
        var report = log.Build();

        Assert.Equal((3, 1, 3), (report.Events, report.First!.Number, report.Components[5].Done.Last!.Number));
        Assert.Contains("old.log is lines 1 to 1.", report.Strength);
        Assert.Contains("new.log is lines 2 to 3.", report.Strength);
    }

    [Fact]
    public void A_line_beyond_the_limit_is_passed_over_and_those_behind_it_are_read()
    {
        var report = ReportOf($"\"GET /mcp?{new string('x', AccessLog.MaxLine)} HTTP/1.1\" 200\n\"GET /mcp HTTP/1.1\" 401");

        Assert.Equal((1, 0, 1), (report.Judgement.Unreadable, report.Components[4].Done.Total, report.Components[5].Done.Total));
    }

    /// <summary>Codes, states and session ids may still be good for something.</summary>
    [Fact]
    public void No_value_that_might_be_a_secret_is_in_a_report()
    {
        foreach (var (format, text) in Rendered.InEveryFormat(ReportOf("chatgpt-session", [])))
        {
            Assert.All(["xFlYhE6BwO0HmrO7moVCcOx3", "oauth_s_688d6e64f8cc8191", "BSqSWAyqJtJA50LU", "d93221b828fd43d88ef4744e2d27e9d7"],
                secret => Assert.False(text.Contains(secret, StringComparison.Ordinal), $"{format} has {secret}"));
        }
    }

    [Theory]
    [InlineData("txt md html json", "\u001b[2J", "\u001b")]
    [InlineData("txt md html json", "\u202e", "\u202e")]
    [InlineData("html md json", "<script>alert(1)</script>", "<script>")]
    [InlineData("md", "|[b](https://evil.example)", "[b](https")]
    [InlineData("txt md html json", "$(touch${IFS}x)", "curl -i -X POST URL/$(")]
    public void What_strangers_wrote_into_a_line_is_text_and_no_more_in_every_format(string formats, string hostile, string never)
    {
        var report = ReportOf($"INFO:__main__:Registering OAuth client: {hostile}\nProcessing request of type {hostile}\n\"GET /authorize?client_id={hostile} HTTP/1.1\" 302\n\"POST /{hostile}/mcp HTTP/1.1\" 200\n\"GET /{hostile} HTTP/1.1\" 401");

        Assert.Equal(2, report.Endpoints.Count);
        Rendered.AssertNeverShows(report, formats, never);
    }

    /// <summary>Memory is bounded: paths and clients come from outside.</summary>
    [Fact]
    public void Beyond_its_limits_paths_are_counted_together_and_a_way_in_is_not_lost_among_them()
    {
        var text = new StringBuilder();
        for (var i = 0; i < 12_000; i++)
            text.Append($"\"GET /scan/{i} HTTP/1.1\" 404\n\"GET /authorize?client_id={i}&state={i} HTTP/1.1\" 302\n");
        text.Append("\"POST /late/mcp HTTP/1.1\" 200\n");
        var report = ReportOf(text.ToString());

        Assert.Equal(Verdict.Bypassed, report.Judgement.Verdict);
        Assert.Equal(24_001, Assert.Single(report.Judgement[Claim.C1].Findings).Index);
    }

    private static StatusReport ReportOf(string name, string[] args)
    {
        var log = new AccessLog(new() { IsContinued = args.Contains("--continued"), Protected = [.. args.SkipWhile(arg => arg != "--protected").Skip(1)] });
        using var file = File.OpenRead(Path.Combine(VectorFiles.Root, "import", name + ".log"));
        log.Read(name + ".log", file, static _ => { });
        return log.Build();
    }

    private static StatusReport ReportOf(string text)
    {
        var log = new AccessLog(new());
        log.Read("text", new MemoryStream(Encoding.UTF8.GetBytes(text)), static _ => { });
        return log.Build();
    }

    private static IEnumerable<JsonElement> Expected() => JsonDocument.Parse(File.ReadAllText(Path.Combine(VectorFiles.Root, "import", "expected.json"))).RootElement.EnumerateArray();

    private static string Title(JsonElement vector) => string.Join(' ', [vector.GetProperty("log").GetString()!, .. Strings(vector, "args")]);

    private static string[] Strings(JsonElement vector, string member) => vector.TryGetProperty(member, out var found) ? [.. found.EnumerateArray().Select(text => text.GetString()!)] : [];

    private static long Number(JsonElement vector, string member) => vector.TryGetProperty(member, out var found) ? found.GetInt64() : 0;
}
