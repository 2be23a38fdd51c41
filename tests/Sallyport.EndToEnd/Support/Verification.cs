using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;

namespace Sallyport.EndToEnd.Support;

/// <summary>Whether a log holds together.</summary>
internal static class Verification
{
    /// <summary>For a log of millions of events that the disk has to be read for.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(15);

    /// <summary><c>audit verify</c> is content, and so is <see cref="AssertConsistent"/>.</summary>
    public static async Task<Recording> VerifyAsync(DataFolder data, bool lacksNothing = false)
    {
        await AuditVerifyAsync(data, patience: null);
        var log = Recording.ReadFiles(data);
        AssertConsistent(log, lacksNothing);
        return log;
    }

    /// <summary>Likewise, of a log that is too long to be kept in memory.</summary>
    /// <param name="each">Is given each event, in the order of the log.</param>
    public static async Task VerifyAsync(DataFolder data, Action<AuditEvent> each)
    {
        await AuditVerifyAsync(data, s_patience);
        AssertConsistent(JournalFiles.ReadAll(data.Log).Select(leaf => (leaf.Index, leaf.Event)), lacksNothing: false, each);
    }

    private static async Task AuditVerifyAsync(DataFolder data, TimeSpan? patience)
    {
        await using var verify = Executable.Start("audit", "verify", "--data", data.Path);
        var finished = await verify.WaitAsync(patience);
        Assert.True(finished.ExitCode == (int)ExitCode.Success, $"audit verify ended with {finished.ExitCode}: {finished.Output}{finished.Error}");
    }

    /// <summary>Every id stands once, and no claim is contradicted.</summary>
    /// <param name="lacksNothing">Nor is any unknown, whatever became of the gate, but that nobody tried without a token; and what only the files can say, which are not looked at here.</param>
    public static void AssertConsistent(Recording log, bool lacksNothing = false) =>
        AssertConsistent(log.Events.Select((next, index) => ((long)index, next)), lacksNothing);

    private static void AssertConsistent(IEnumerable<(long Index, AuditEvent Event)> events, bool lacksNothing, Action<AuditEvent>? each = null)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        var judge = new ClaimJudge();
        foreach (var (index, next) in events)
        {
            Assert.Equal(ids.Count, index);
            Assert.True(ids.Add(next.Id), $"Event {index} has an id that stands before: {next.Id}");
            judge.Observe(index, next);
            each?.Invoke(next);
        }
        var findings = judge.Conclude(new()).Claims.SelectMany(claim => claim.Findings)
            .Where(finding => finding.Refutes || (lacksNothing && finding.Claim != Claim.C7 && finding is not { Claim: Claim.C5, Index: null }));
        Assert.Empty(findings.Select(finding => $"{finding.Claim} at event {finding.Index}: {finding.Text}"));
    }
}
