namespace Sallyport.EndToEnd.Support;

/// <summary>How a command says that it could not do what it was asked for.</summary>
internal static class Faults
{
    /// <summary>It ended with that code, told what happened and what to do on stderr, and gave no data.</summary>
    public static void Assert(Finished finished, ExitCode exitCode)
    {
        Xunit.Assert.True(finished.ExitCode == (int)exitCode, $"It ended with {finished.ExitCode}: {finished.Error}");
        Checkpoints.AssertNothingElse(finished.Output);
        var lines = finished.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Xunit.Assert.StartsWith("sallyport: ", lines[0], StringComparison.Ordinal);
        // The hint is the last line, indented.
        Xunit.Assert.Matches("^  [A-Z]", lines[^1]);
        Xunit.Assert.DoesNotContain("   at ", finished.Error, StringComparison.Ordinal);
    }
}
