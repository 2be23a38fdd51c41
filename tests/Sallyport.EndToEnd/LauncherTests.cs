using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>The <c>./sallyport</c> of a clone. Runs alone: it is about time.</summary>
[Collection(nameof(LauncherTests))]
[CollectionDefinition(nameof(LauncherTests), DisableParallelization = true)]
public sealed class LauncherTests
{
    private static readonly TimeSpan s_allowance = TimeSpan.FromSeconds(0.3);

    [Fact]
    public async Task With_nothing_to_build_the_program_starts_directly()
    {
        const int Runs = 7;

        var launcher = Path.Combine(Repository.Root, "sallyport");
        // The first run may still have to build.
        var built = await ChildProcess.RunAsync(launcher, ["--version"]);
        Assert.True(built.ExitCode == 0, built.Error);

        var launched = new List<TimeSpan>();
        var direct = new List<TimeSpan>();
        for (var run = 0; run < Runs; run++)
        {
            launched.Add(await TimeAsync(() => ChildProcess.RunAsync(launcher, ["--version"])));
            direct.Add(await TimeAsync(() => Executable.RunAsync("--version")));
        }

        Assert.InRange(Median(launched) - Median(direct), TimeSpan.MinValue, s_allowance);
    }

    private static async Task<TimeSpan> TimeAsync(Func<Task<Finished>> run)
    {
        var begun = TimeProvider.System.GetTimestamp();
        var finished = await run();
        var taken = TimeProvider.System.GetElapsedTime(begun);
        Assert.Equal((0, ""), (finished.ExitCode, finished.Error));
        return taken;
    }

    private static TimeSpan Median(List<TimeSpan> times) => times.Order().ElementAt(times.Count / 2);
}
