using Sallyport.Proof.Claims;

namespace Sallyport.EndToEnd.Support;

/// <summary>Whether a log holds together.</summary>
internal static class Verification
{
    /// <summary><c>audit verify</c> is content, and so is <see cref="AssertConsistent"/>.</summary>
    public static async Task<Recording> VerifyAsync(DataFolder data)
    {
        var finished = await Executable.RunAsync("audit", "verify", "--data", data.Path);
        Assert.True(finished.ExitCode == (int)ExitCode.Success, $"audit verify ended with {finished.ExitCode}: {finished.Output}{finished.Error}");
        var log = Recording.ReadFiles(data);
        AssertConsistent(log);
        return log;
    }

    /// <summary>Every id stands once, and no claim is contradicted.</summary>
    public static void AssertConsistent(Recording log)
    {
        Assert.Equal(log.Events.Count, log.Events.Select(e => e.Id).Distinct().Count());
        var judge = new ClaimJudge();
        foreach (var (index, next) in log.Events.Index())
            judge.Observe(index, next);
        Assert.Empty(judge.Conclude(new()).Claims.SelectMany(claim => claim.Findings).Where(finding => finding.Refutes).Select(finding => $"{finding.Claim} at event {finding.Index}: {finding.Text}"));
    }
}
