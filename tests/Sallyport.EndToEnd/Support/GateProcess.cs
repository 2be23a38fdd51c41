using System.Globalization;

namespace Sallyport.EndToEnd.Support;

/// <summary>A gate: the real executable, serving on a port of its own.</summary>
internal sealed class GateProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private GateProcess(ChildProcess process, int port)
    {
        _process = process;
        Port = port;
        Origin = OriginOf(port);
    }

    public int Port { get; }

    /// <summary>The public URL: scheme and authority.</summary>
    public string Origin { get; }

    public ChildProcess Process => _process;
    public string Output => _process.Output;
    public string Error => _process.Error;

    public static string OriginOf(int port) => string.Create(CultureInfo.InvariantCulture, $"http://localhost:{port}");

    /// <summary>Starts one on a free port; it answers when this returns.</summary>
    public static Task<GateProcess> StartAsync(DataFolder data, params IEnumerable<string> options) => StartAsync(data, Ports.Free(), options);

    /// <summary>Starts one on this port, where one was before.</summary>
    public static Task<GateProcess> StartAsync(DataFolder data, int port, params IEnumerable<string> options) =>
        StartAsync(data, port, arguments => Executable.Start([.. arguments, .. options]));

    /// <summary>Starts one on this port, with these variables in its environment.</summary>
    public static Task<GateProcess> StartAsync(
        DataFolder data, int port, IReadOnlyDictionary<string, string> environment, params IEnumerable<string> options) =>
        StartAsync(data, port, arguments => ChildProcess.Start("dotnet", [Executable.Path, .. arguments, .. options], environment: environment));

    /// <summary>Starts one in surroundings of its own.</summary>
    /// <param name="data">Its data.</param>
    /// <param name="port">Where it listens.</param>
    /// <param name="start">Starts the executable with these arguments.</param>
    public static async Task<GateProcess> StartAsync(DataFolder data, int port, Func<string[], ChildProcess> start)
    {
        var process = start(["serve", "--urls", OriginOf(port), "--data", data.Path]);
        try
        {
            // The banner is the last thing that a start does: a title, and lines between blank ones. What is logged may follow at once.
            if (await process.WritesAsync(() => process.Error.Split("\n\n").Length > 2))
                return new(process, port);
            var finished = await process.WaitAsync();
            throw new InvalidOperationException($"The gate ended with {finished.ExitCode}: {finished.Error}");
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops it as an operator does. Whatever happened at it is in its log then, outcomes included.</summary>
    public async Task StopAsync()
    {
        var finished = await _process.TerminateAsync();
        Assert.True(finished.ExitCode == (int)ExitCode.Success, $"It ended with {finished.ExitCode}: {finished.Error}");
    }

    public Task KillAsync() => _process.KillAsync();

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
