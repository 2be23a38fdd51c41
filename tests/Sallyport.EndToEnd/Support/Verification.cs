using Sallyport.Proof.Claims;

namespace Sallyport.EndToEnd.Support;

/// <summary>Whether a log holds together.</summary>
internal static class Verification
{
    /// <summary><c>audit verify</c> is content, and so is <see cref="AssertConsistent"/>.</summary>
    public static async Task<Recording> VerifyAsync(DataFolder data, bool lacksNothing = false)
    {
        var finished = await Executable.RunAsync("audit", "verify", "--data", data.Path);
        Assert.True(finished.ExitCode == (int)ExitCode.Success, $"audit verify ended with {finished.ExitCode}: {finished.Output}{finished.Error}");
        var log = Recording.ReadFiles(data);
        AssertConsistent(log, lacksNothing);
        return log;
    }

    /// <summary>Every id stands once, and no claim is contradicted.</summary>
    /// <param name="lacksNothing">Nor is any unknown, whatever became of the gate, but that nobody tried without a token; and what only the files can say, which are not looked at here.</param>
    public static void AssertConsistent(Recording log, bool lacksNothing = false)
    {
        Assert.Equal(log.Events.Count, log.Events.Select(e => e.Id).Distinct().Count());
        var judge = new ClaimJudge();
        foreach (var (index, next) in log.Events.Index())
            judge.Observe(index, next);
        var findings = judge.Conclude(new()).Claims.SelectMany(claim => claim.Findings)
            .Where(finding => finding.Refutes || (lacksNothing && finding.Claim != Claim.C7 && finding is not { Claim: Claim.C5, Index: null }));
        Assert.Empty(findings.Select(finding => $"{finding.Claim} at event {finding.Index}: {finding.Text}"));
    }
}
