using Sallyport.Bench.Processes;

namespace Sallyport.Bench.Measures;

/// <summary>One run of a command to its end: how long it took, start included, and the most memory that it ever had.</summary>
internal sealed record TimedRun(TimeSpan Elapsed, double PeakMebibytes)
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);

    /// <summary>Of the program, on one core as the runtime counts them: the garbage collector has no other to itself either. Without diagnostics, as ./sallyport starts it, which would start itself once more otherwise.</summary>
    public static Task<TimedRun> OfGateAsync(string what, IEnumerable<string> arguments, params IReadOnlyList<int> exits) =>
        OfAsync(what, "dotnet", [Paths.Gate, .. arguments], exits, ("DOTNET_PROCESSOR_COUNT", "1"), ("DOTNET_EnableDiagnostics", "0"));

    public static async Task<TimedRun> OfAsync(string what, string file, IEnumerable<string> arguments, IReadOnlyList<int> exits, params (string Name, string Value)[] environment)
    {
        var time = TimeProvider.System;
        var begun = time.GetTimestamp();
        await using var command = ChildProcess.Start(file, arguments, environment: environment);
        // What it prints is read while it runs.
        var finishing = command.WaitAsync();
        long peak = 0;
        while (!command.HasExited)
        {
            peak = Math.Max(peak, command.PeakMemoryKib() ?? 0);
            await Task.Delay(s_look, time);
        }
        var elapsed = time.GetElapsedTime(begun);
        var finished = await finishing;
        return exits.Contains(finished.ExitCode) ? new(elapsed, peak / 1024.0) : throw new BenchFault($"{what} ended with {finished.ExitCode}: {finished.Output}{finished.Error}");
    }
}
