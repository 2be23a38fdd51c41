using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>
/// One process of a server, with all that it has started. It ends as the specification says (2025-11-25, lifecycle, shutdown over
/// stdio): its standard input is closed, then come SIGTERM and SIGKILL, from the supervisor.
/// </summary>
/// <remarks>Where there is no supervisor (Windows), it and its children are killed; a gate that is killed leaves them behind there.</remarks>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private const int Sigkill = 9;
    /// <summary>What the runtime says of a process that SIGKILL ended.</summary>
    private const int Killed = 128 + Sigkill;

    /// <summary>A supervisor that takes longer than it may is struck down with its group.</summary>
    private static readonly TimeSpan s_limit = 4 * Supervision.Patience;

    private readonly Process _process;
    private readonly Stream _error;
    private readonly Task _talk;

    private ServerProcess(Process process, ProcessTalk talk)
    {
        _process = process;
        (Talk, Input, Output, _error) = (talk, process.StandardInput.BaseStream, process.StandardOutput.BaseStream, process.StandardError.BaseStream);
        _talk = talk.ReadAsync(_error);
        Exit = WaitAsync();
    }

    public ProcessTalk Talk { get; }
    public Stream Input { get; }
    public Stream Output { get; }

    /// <summary>Done when it and all of its children have ended; gives the exit code, 128 and more for a signal.</summary>
    public Task<int> Exit { get; }

    /// <exception cref="Win32Exception">It cannot be started.</exception>
    public static ServerProcess Start(Supervision supervision, string file, IReadOnlyList<string> command, IReadOnlyList<string> variables, ProcessTalk talk)
    {
        var start = new ProcessStartInfo { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Clear();
        foreach (var (name, value) in ProcessEnvironment.From(Environment.GetEnvironmentVariables(), variables))
            start.Environment[name] = value;
        if (OperatingSystem.IsWindows())
        {
            start.FileName = file;
        }
        else
        {
            start.FileName = supervision.File;
            foreach (var argument in supervision.Arguments)
                start.ArgumentList.Add(argument);
            // What the supervisor itself needs, and takes away again.
            var own = RuntimeVariables().Where(variable => start.Environment.TryAdd(variable.Key, variable.Value)).Select(variable => variable.Key).ToList();
            start.ArgumentList.Add(string.Join(',', own));
            start.ArgumentList.Add(file);
        }
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        return new(Process.Start(start)!, talk);
    }

    public async ValueTask DisposeAsync()
    {
        await Input.DisposeAsync();
        if (!await EndsAsync(Exit, OperatingSystem.IsWindows() ? Supervision.Patience : s_limit))
            StrikeDown();
        await Exit;
        // Its standard error ends with it, but for what it lent to somebody who is not its child any more.
        await EndsAsync(_talk, Supervision.Patience);
        // Streams that were asked for are not closed with the process.
        await _error.DisposeAsync();
        _process.Dispose();
        await _talk;
    }

    private static async Task<bool> EndsAsync(Task task, TimeSpan limit)
    {
        try
        {
            await task.WaitAsync(limit, TimeProvider.System);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync();
        // A supervisor that was killed itself leaves its group behind.
        if (_process.ExitCode == Killed && !OperatingSystem.IsWindows())
            StrikeDown();
        return _process.ExitCode;
    }

    private void StrikeDown()
    {
        if (OperatingSystem.IsWindows())
            _process.Kill(entireProcessTree: true);
        else
            _ = Kill(-_process.Id, Sigkill);
    }

    /// <summary>A small process: it only waits.</summary>
    private static Dictionary<string, string> RuntimeVariables()
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["DOTNET_EnableDiagnostics"] = "0",
            ["DOTNET_TieredPGO"] = "0",
            ["DOTNET_GCHeapHardLimit"] = "0x1000000",
            ["DOTNET_gcConcurrent"] = "0",
        };
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root)
            variables["DOTNET_ROOT"] = root;
        return variables;
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int processId, int signal);
}
