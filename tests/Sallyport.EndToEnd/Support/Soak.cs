namespace Sallyport.EndToEnd.Support;

/// <summary>How often what depends on chance is done: <c>./test soak</c> takes its time.</summary>
internal static class Soak
{
    private const int Times = 20;

    /// <summary>Whether this run takes its time.</summary>
    public static bool IsLong { get; } = Environment.GetEnvironmentVariable("SALLYPORT_SOAK") == "1";

    /// <summary>The runs of a theory: one, or many.</summary>
    public static TheoryData<int> Runs => [.. Enumerable.Range(1, IsLong ? Times : 1)];
}
