using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Verification;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>The logs in <c>vectors/claims</c>, each with one thing wrong, and what they are judged to be. They were written without our code.</summary>
public class ClaimVectorTests
{
    private static readonly NoteSigner s_log = new("sallyport.example/claims", "claims");

    private static readonly Dictionary<string, Expected> s_cases =
        JsonSerializer.Deserialize<List<Expected>>(File.ReadAllText(FileOf("expected.json")), new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower })!.ToDictionary(told => told.Name);

    public static TheoryData<string> Names => [.. s_cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_log_is_judged_as_it_is_told(string name)
    {
        var expected = s_cases[name];
        var leaves = Leaves(name);
        var judged = Judge(leaves, expected.First, Whole(expected.First, leaves.Count));

        Assert.Equal(
            expected.Findings.Select(finding => finding.ToString()).Order(StringComparer.Ordinal),
            judged.Claims.SelectMany(claim => claim.Findings).Select(Told).Order(StringComparer.Ordinal));
        Assert.Equal(expected.Claims, judged.Claims.ToDictionary(claim => claim.Claim.ToString(), claim => Word(claim.Status)));
        Assert.Equal(expected.Verdict, Word(judged.Verdict));
        Assert.Equal((expected.Unreadable, expected.UnderWay, expected.Interrupted), (judged.Unreadable, judged.UnderWay, judged.Interrupted));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_log_but_those_whose_fault_that_is_is_whole(string name)
    {
        // What was pruned cannot be written anew.
        if (s_cases[name].First > 0 || s_cases[name].Claims["C7"] == "refuted")
            return;
        var report = LogVerifier.Verify(new MemoryLogStore(Log(Leaves(name)).Files()), NoteSigner.Check);

        Assert.Empty(report.Faults);
        Assert.Equal(report.Length, report.SignedLength);
    }

    [Fact]
    public void There_is_no_file_without_an_expectation() =>
        Assert.Equal(s_cases.Keys.Order(), Directory.EnumerateFiles(Path.Combine(VectorFiles.Root, "claims"), "*.jsonl").Select(file => Path.GetFileNameWithoutExtension(file)!).Order());

    [Fact]
    public void Each_claim_is_refuted_and_unknown_and_proved_somewhere()
    {
        foreach (var claim in Enum.GetNames<Claim>())
            Assert.Superset(claim == "C7" ? ["refuted", "proved"] : new HashSet<string> { "refuted", "unknown", "proved" }, s_cases.Values.Select(told => told.Claims[claim]).ToHashSet());
    }

    [Fact]
    public void A_log_that_nobody_signed_is_not_proven()
    {
        var log = new LogWriter(s_log);
        Leaves("healthy-killed").ForEach(log.Append);
        var judged = Judge(log);

        Assert.Equal((Verdict.NotProven, ClaimStatus.Unknown), (judged.Verdict, judged[Claim.C7].Status));
        Assert.Null(Assert.Single(judged[Claim.C7].Findings).Index);
    }

    [Fact]
    public void A_log_that_was_signed_is_enforced_until_a_leaf_of_it_is_changed()
    {
        var leaves = Leaves("healthy");
        var log = Log(leaves);
        Assert.Equal(Verdict.Enforced, Judge(log).Verdict);

        // The signatures stay, and who wrote it anew was thorough.
        var changed = leaves.FindIndex(leaf => Encoding.UTF8.GetString(leaf).Contains("\"status\":401", StringComparison.Ordinal));
        leaves[changed] = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(leaves[changed]).Replace("\"status\":401", "\"status\":403", StringComparison.Ordinal));
        var files = Log(leaves).Files();
        files[ILogStore.Checkpoint] = log.Files()[ILogStore.Checkpoint];
        files[ILogStore.Checkpoints] = log.Files()[ILogStore.Checkpoints];
        var judged = Judge(files);

        Assert.Equal((Verdict.Tampered, ClaimStatus.Refuted), (judged.Verdict, judged[Claim.C7].Status));
        Assert.Contains(judged[Claim.C7].Findings, finding => finding.Index == leaves.Count);
    }

    /// <summary>Of a log from which a piece of evidence was left out: a gate that never wrote it, so that the places of all others are told anew.</summary>
    [Fact]
    public void No_log_without_a_piece_of_its_evidence_is_enforced()
    {
        HashSet<string> evidence = ["client.registered", "authorization.started", "user.authenticated", "consent.given", "code.issued", "token.issued", "session.opened", "access.allowed"];
        var leaves = Leaves("healthy");
        Assert.Equal(Verdict.Enforced, Judge(leaves, 0, Whole(0, leaves.Count)).Verdict);
        var dropped = 0;
        for (var without = 0; without < leaves.Count; without++)
        {
            if (!evidence.Contains(TypeOf(leaves[without])))
                continue;
            dropped++;
            List<byte[]> left = [.. leaves.Where((_, index) => index != without).Select(leaf => MovedUp(leaf, without))];

            var judged = Judge(left, 0, Whole(0, left.Count));

            Assert.True(judged.Verdict == Verdict.Bypassed, $"without event {without}, {TypeOf(leaves[without])}: {judged.Verdict}");
        }
        Assert.InRange(dropped, 25, leaves.Count);
    }

    [Fact]
    public void What_is_found_of_the_event_that_is_asked_about_is_kept_however_much_was_found_before()
    {
        var leaves = Leaves("access-with-a-token-from-nowhere");
        var bad = (int)Judge(leaves, 0, Whole(0, leaves.Count)).Claims[0].Findings[0].Index!.Value;
        var asked = bad + 120;
        var judge = new ClaimJudge(asked);
        for (var i = 0; i < bad + 200; i++)
        {
            var leaf = JsonNode.Parse(leaves[Math.Min(i, bad)])!.AsObject();
            if (i > bad)
                leaf["id"] = $"again{i:00000000000000000}";
            judge.Observe(i, Encoding.UTF8.GetBytes(leaf.ToJsonString()));
        }

        var kept = judge.Conclude(new()).Claims[0];

        Assert.Equal(200, kept.FindingCount);
        Assert.DoesNotContain(kept.Findings, finding => finding.Index == asked);
        Assert.Equal(asked, Assert.Single(judge.About()).Index);
    }

    private static string TypeOf(byte[] leaf) => JsonNode.Parse(leaf)!["type"]!.GetValue<string>();

    private static byte[] MovedUp(byte[] leaf, int without)
    {
        var told = JsonNode.Parse(leaf)!.AsObject();
        foreach (var place in new[] { "as_of", "follows_size" })
        {
            if (told[place] is { } index && index.GetValue<long>() >= without)
                told[place] = index.GetValue<long>() - 1;
        }
        return Encoding.UTF8.GetBytes(told.ToJsonString());
    }

    private static Judgement Judge(List<byte[]> leaves, long first, LogReport report)
    {
        var judge = new ClaimJudge();
        for (var i = 0; i < leaves.Count; i++)
            judge.Observe(first + i, leaves[i]);
        return judge.Conclude(report);
    }

    private static Judgement Judge(LogWriter log) => Judge(log.Files());

    private static Judgement Judge(Dictionary<string, byte[]> files)
    {
        var judge = new ClaimJudge();
        return judge.Conclude(LogVerifier.Verify(new MemoryLogStore(files), NoteSigner.Check, begin: () => (index, leaf) => judge.Observe(index, leaf)));
    }

    private static LogWriter Log(List<byte[]> leaves)
    {
        var log = new LogWriter(s_log);
        leaves.ForEach(log.Append);
        log.Sign();
        return log;
    }

    private static LogReport Whole(long first, int count) => new() { FirstIndex = first, Length = first + count, SignedLength = first + count };

    private static List<byte[]> Leaves(string name) => [.. File.ReadLines(FileOf(name + ".jsonl")).Select(Encoding.UTF8.GetBytes)];

    private static string FileOf(string name) => Path.Combine(VectorFiles.Root, "claims", name);

    private static string Told(ClaimFinding finding) => new ExpectedFinding(finding.Claim.ToString(), finding.Refutes ? "refuted" : "unknown", finding.Index, finding.Others).ToString();

    private static string Word(ClaimStatus status) => status switch { ClaimStatus.Proved => "proved", ClaimStatus.Unknown => "unknown", _ => "refuted" };

    private static string Word(Verdict verdict) => verdict switch { Verdict.Enforced => "enforced", Verdict.Bypassed => "bypassed", Verdict.NotProven => "not proven", _ => "tampered" };

    private sealed record Expected(
        string Name, string Says, string Verdict, long First, Dictionary<string, string> Claims, IReadOnlyList<ExpectedFinding> Findings, long Unreadable, long UnderWay, long Interrupted);

    private sealed record ExpectedFinding(string Claim, string Status, long? Index, IReadOnlyList<long> Others)
    {
        public override string ToString() => $"{Claim} {Status} at {Index?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "no event"}: {string.Join(", ", Others)}";
    }
}
