using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Sallyport.Bench.Processes;

internal sealed record Finished(int ExitCode, string Output, string Error);

/// <summary>A process of the bench's own; it is ended by its id.</summary>
internal sealed partial class ChildProcess : IAsyncDisposable
{
    private const int Sigterm = 15;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly Task _drained;

    private ChildProcess(Process process)
    {
        _process = process;
        _drained = Task.WhenAll(DrainAsync(process.StandardOutput, _output), DrainAsync(process.StandardError, _error));
    }

    public int Id => _process.Id;

    public string Error => Read(_error);

    public bool HasExited => _process.HasExited;

    public static ChildProcess Start(string file, IEnumerable<string> arguments, string? input = null, string? workingDirectory = null, params ReadOnlySpan<(string Name, string Value)> environment)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            // Away from whatever configuration lies in the current directory.
            WorkingDirectory = workingDirectory ?? Path.GetTempPath(),
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var process = Process.Start(start) ?? throw new BenchFault($"{file} did not start");
        process.StandardInput.NewLine = "\n";
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        return new(process);
    }

    /// <summary>Runs it to its end.</summary>
    public static async Task<Finished> RunAsync(string file, IEnumerable<string> arguments, string? input = null, params (string Name, string Value)[] environment)
    {
        await using var process = Start(file, arguments, input, environment: environment);
        return await process.WaitAsync();
    }

    public async Task<Finished> WaitAsync()
    {
        await _process.WaitForExitAsync();
        await _drained;
        return new(_process.ExitCode, Read(_output), Error);
    }

    /// <summary>Asks it to stop, and waits until it has.</summary>
    public async Task<Finished> TerminateAsync()
    {
        if (!_process.HasExited)
            _ = SendSignal(_process.Id, Sigterm);
        return await WaitAsync().WaitAsync(s_patience, TimeProvider.System);
    }

    /// <summary>The processor time that it has had.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>The same, with its children: nginx does its work in those.</summary>
    public TimeSpan ProcessorTimeOfTree() => ProcessorTime + Children(Id).Aggregate(TimeSpan.Zero, (sum, id) => sum + Process.GetProcessById(id).TotalProcessorTime);

    /// <summary>What it has in memory, in KiB.</summary>
    public long ResidentKib() => StatusKib("VmRSS") ?? throw new BenchFault($"Process {Id} has ended");

    /// <summary>The most that it ever had; null when it has ended meanwhile.</summary>
    public long? PeakMemoryKib() => StatusKib("VmHWM");

    private long? StatusKib(string name)
    {
        try
        {
            var line = File.ReadLines($"/proc/{Id}/status").FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.Ordinal));
            return line is null ? null : long.Parse(line.AsSpan(name.Length + 1).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            try
            {
                await TerminateAsync();
            }
            catch (TimeoutException)
            {
                _process.Kill();
                await _process.WaitForExitAsync();
            }
        }
        _process.Dispose();
    }

    private static IEnumerable<int> Children(int id) =>
        File.ReadAllText($"/proc/{id}/task/{id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(child => int.Parse(child, CultureInfo.InvariantCulture));

    private static async Task DrainAsync(StreamReader from, StringBuilder to)
    {
        var buffer = new char[4096];
        while (await from.ReadAsync(buffer, CancellationToken.None) is > 0 and var length)
        {
            lock (to)
                to.Append(buffer, 0, length);
        }
    }

    private static string Read(StringBuilder text)
    {
        lock (text)
            return text.ToString();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int processId, int signal);
}
