using System.Text;
using System.Text.Json;
using Sallyport.Proof.Report;
using Sallyport.Proof.Verification;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>What the report says, whole, of some of the logs in <c>vectors/claims</c>: <c>vectors/report</c> is what people read, and where a change of it is seen.</summary>
public class ReportVectorTests
{
    private static readonly NoteSigner s_log = new("sallyport.example/claims", "claims");

    [Theory]
    [InlineData("healthy", "enforced")]
    [InlineData("access-with-an-expired-token", "bypassed")]
    [InlineData("nobody-was-refused", "not-proven")]
    [InlineData("heartbeats", "heartbeats")]
    [InlineData("findings", "findings")]
    public void The_report_of_a_log_is_the_one_that_was_looked_at(string log, string name)
    {
        Rendered.AssertAsLookedAt(ReportOf(Leaves(log)), "report", name);
    }

    /// <summary>Names, paths and tools are what anybody sent.</summary>
    [Theory]
    [InlineData("txt md html json", "\u001b[2J", "\u001b")]
    [InlineData("txt md html json", "\u202e", "\u202e")]
    [InlineData("txt md html json", "a\nOAuth is not enforced", "\nOAuth is not")]
    [InlineData("html md json", "<script>alert(1)</script>", "<script>")]
    [InlineData("md", "| [b](https://evil.example)", "[b](https")]
    public void What_comes_from_outside_is_text_and_no_more_in_every_format(string formats, string hostile, string never)
    {
        var leaves = Leaves("findings").Select(leaf => Encoding.UTF8.GetString(leaf)).Select(leaf => leaf
            .Replace("\"path\":\"/mcp\"", $"\"path\":{JsonSerializer.Serialize(hostile)}", StringComparison.Ordinal)
            .Replace("\"name\":\"echo\",\"count\"", $"\"name\":{JsonSerializer.Serialize(hostile)},\"count\"", StringComparison.Ordinal)
            .Replace("\"method\":\"tools/call\",\"name\":\"echo\"", $"\"method\":\"tools/call\",\"name\":{JsonSerializer.Serialize(hostile)}", StringComparison.Ordinal)).ToList();
        Assert.Contains(leaves, leaf => leaf.Contains("tools/call", StringComparison.Ordinal) && !leaf.Contains("\"name\":\"echo\"", StringComparison.Ordinal));
        var report = ReportOf([.. leaves.Select(Encoding.UTF8.GetBytes)], hostile);

        Rendered.AssertNeverShows(report, formats, never);
    }

    private static StatusReport ReportOf(List<byte[]> leaves, string? clientName = null)
    {
        var log = new LogWriter(s_log);
        leaves.ForEach(log.Append);
        log.Sign();
        ReportBuilder builder = new(new());
        var verified = LogVerifier.Verify(new MemoryLogStore(log.Files()), NoteSigner.Check, begin: () => (builder = new(new())).Observe);
        return builder.Build(verified, (_, _) => clientName);
    }

    private static List<byte[]> Leaves(string name) =>
        [.. File.ReadLines(Path.Combine(VectorFiles.Root, "claims", name + ".jsonl")).Select(Encoding.UTF8.GetBytes)];
}
