using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Sallyport.EndToEnd.Support;

/// <summary>What a process left behind.</summary>
internal sealed record Finished(int ExitCode, string Output, string Error);

/// <summary>A process of the tests' own. Its output is kept, and it is ended by its id.</summary>
internal sealed partial class ChildProcess : IAsyncDisposable
{
    private const int Sigterm = 15;

    /// <summary>Nothing that the tests wait for takes so long on a machine that works.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>How long a signal that was let pass is waited upon.</summary>
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(100);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly Task _drained;
    private TaskCompletionSource _wrote = NewSignal();

    private ChildProcess(Process process)
    {
        _process = process;
        _drained = Task.WhenAll(DrainAsync(process.StandardOutput, _output), DrainAsync(process.StandardError, _error));
    }

    /// <summary>What it has written to its standard output so far.</summary>
    public string Output => Read(_output);

    /// <summary>What it has written to its standard error so far.</summary>
    public string Error => Read(_error);

    public bool HasExited => _process.HasExited;

    /// <summary>Waits until what it has written is as it should be; false when it ended and it never was.</summary>
    public async Task<bool> WritesAsync(Func<bool> condition)
    {
        while (true)
        {
            // Taken before the look: what is written meanwhile is a reason to look again.
            var wrote = Volatile.Read(ref _wrote).Task;
            if (condition())
                return true;
            if (_drained.IsCompleted)
                return condition();
            try
            {
                await Task.WhenAny(wrote, _drained).WaitAsync(s_patience, TimeProvider.System, TestContext.Current.CancellationToken);
            }
            catch (TimeoutException exception)
            {
                throw new TimeoutException($"It has not written what was waited for:\n{Output}\n{Error}", exception);
            }
        }
    }

    /// <summary>Strikes it down. The runtime lets the first one of some signals pass, as the instruction that caused it would be repeated.</summary>
    public async Task StrikeAsync(int signal)
    {
        while (SendSignal(_process.Id, signal) == 0)
        {
            try
            {
                await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(s_between, TimeProvider.System);
                return;
            }
            catch (TimeoutException)
            {
            }
        }
    }

    public int Id => _process.Id;

    public static ChildProcess Start(
        string file, IEnumerable<string> arguments, string? input = null, string? workingDirectory = null, IReadOnlyDictionary<string, string>? environment = null,
        bool isToldMore = false)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            // Away from whatever configuration lies in the current directory.
            WorkingDirectory = workingDirectory ?? Path.GetTempPath(),
        };
        // What is meant for the tests, such as SALLYPORT_SOAK, no gate knows.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("SALLYPORT_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        // What is in a gate's log is what was done to it, but where a test says otherwise by a flag.
        start.Environment["SALLYPORT_HEARTBEAT_SECONDS"] = "0";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        var process = Process.Start(start)!;
        process.StandardInput.NewLine = "\n";
        process.StandardInput.Write(input);
        if (!isToldMore)
            process.StandardInput.Close();
        return new(process);
    }

    /// <summary>Writes a line to its standard input, which was kept open for that.</summary>
    public async Task TellAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Starts a process and waits for its end.</summary>
    public static async Task<Finished> RunAsync(string file, IEnumerable<string> arguments, string? input = null, string? workingDirectory = null)
    {
        await using var process = Start(file, arguments, input, workingDirectory);
        return await process.WaitAsync();
    }

    /// <param name="patience">A minute where it is not given.</param>
    public async Task<Finished> WaitAsync(TimeSpan? patience = null)
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(patience ?? s_patience, TimeProvider.System);
        await _drained;
        return new(_process.ExitCode, Output, Error);
    }

    /// <summary>Asks it to stop, and waits until it has.</summary>
    public Task<Finished> TerminateAsync()
    {
        Assert.Equal(0, SendSignal(_process.Id, Sigterm));
        return WaitAsync();
    }

    /// <summary>Ends it as <c>kill -9</c> does, and waits until it is gone.</summary>
    public Task<Finished> KillAsync()
    {
        _process.Kill();
        return WaitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }
        _process.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task DrainAsync(StreamReader from, StringBuilder to)
    {
        var buffer = new char[4096];
        while (await from.ReadAsync(buffer, CancellationToken.None) is > 0 and var length)
        {
            lock (to)
                to.Append(buffer, 0, length);
            Interlocked.Exchange(ref _wrote, NewSignal()).TrySetResult();
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
