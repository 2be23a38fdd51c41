using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Sallyport.Server.Gateway.Upstreams.Processes;

namespace Sallyport;

/// <summary>
/// Stands between the gate and a server's process, which has this one's standard streams as its own. It leads their process group and
/// inherits what loses its parent, so that it can end all of it: when the server ends, and when nobody holds the other end of its
/// standard input any more, be it that the gate closed it or that the gate was killed.
/// </summary>
internal static partial class Supervisor
{
    /// <summary>The first argument of the program that makes it a supervisor.</summary>
    public const string Name = "supervise";

    private const int Sigkill = 9, Sigterm = 15;
    private const int SubreaperOption = 36;
    private const uint CloseOnExec = 4;
    private const short SetSignalDefaults = 4, SetSignalMask = 8;
    private const int InterruptedCall = 4;
    /// <summary>More than any C library has for these structures.</summary>
    private const int StructureBytes = 1024;
    private const int CannotStart = 127;

    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(20);

    /// <summary>How this program is started as a supervisor.</summary>
    public static Supervision OfThisProgram()
    {
        var self = Environment.ProcessPath ?? "";
        return Path.GetFileNameWithoutExtension(self) == "sallyport"
            ? new(self, [Name])
            : new("dotnet", [Assembly.GetExecutingAssembly().Location, Name]);
    }

    /// <summary>Runs a command to its end, or the gate's.</summary>
    /// <param name="arguments">The names of variables that are this process's own, separated by commas; then the command.</param>
    /// <returns>The command's exit code; 128 and the signal where one ended it.</returns>
    public static int Run(string[] arguments)
    {
        // Whoever asks for an end gets one, in order: see below.
        using var toEnd = new ManualResetEventSlim();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, End);
        void End(PosixSignalContext context)
        {
            context.Cancel = true;
            toEnd.Set();
        }

        _ = NewSession();
        if (OperatingSystem.IsLinux())
        {
            _ = Control(SubreaperOption, 1, 0, 0, 0);
            CloseWhatWasInherited();
        }
        var server = Start(arguments[1], arguments[1..], arguments[0].Split(','));
        if (server is null)
            return CannotStart;

        var exitCode = 0;
        using var serverEnded = new ManualResetEventSlim();
        using var allEnded = new ManualResetEventSlim();
        var reaping = new Thread(() =>
        {
            while (Wait(-1, out var status, 0) is var id && (id > 0 || Marshal.GetLastPInvokeError() == InterruptedCall))
            {
                if (id != server)
                    continue;
                exitCode = (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f);
                serverEnded.Set();
            }
            serverEnded.Set();
            allEnded.Set();
        }) { IsBackground = true };
        reaping.Start();
        new Thread(() =>
        {
            var input = new PolledFile { File = 0 };
            // No event is asked for but the one that is always told: the other end is closed.
            while (Poll(ref input, 1, -1) < 0 && Marshal.GetLastPInvokeError() == InterruptedCall)
            {
            }
            toEnd.Set();
        }) { IsBackground = true }.Start();

        WaitHandle.WaitAny([toEnd.WaitHandle, serverEnded.WaitHandle]);
        if (serverEnded.IsSet || !allEnded.Wait(Supervision.Patience))
        {
            SignalAll(Sigterm);
            if (!allEnded.Wait(Supervision.Patience))
                StrikeDown(allEnded);
        }
        return exitCode;
    }

    /// <summary>What is killed can start nothing more; what escaped from the group meanwhile is found in the next round.</summary>
    private static void StrikeDown(ManualResetEventSlim allEnded)
    {
        for (var left = Supervision.Patience / s_between; left > 0; left--)
        {
            SignalAll(Sigkill);
            if (allEnded.Wait(s_between))
                return;
        }
        // With this process itself.
        _ = Kill(0, Sigkill);
    }

    private static void SignalAll(int signal)
    {
        // Elsewhere only the group can be found, with this process in it, which lets SIGTERM pass.
        if (!OperatingSystem.IsLinux())
            _ = Kill(0, signal);
        foreach (var id in Descendants(Environment.ProcessId))
            _ = Kill(id, signal);
    }

    /// <summary>All that descend from a process, as far as the system tells.</summary>
    private static List<int> Descendants(int ancestor)
    {
        if (!OperatingSystem.IsLinux())
            return [];
        var children = new Dictionary<int, List<int>>();
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out var id) || ParentOf(id) is not { } parent)
                continue;
            if (!children.TryGetValue(parent, out var siblings))
                children[parent] = siblings = [];
            siblings.Add(id);
        }
        var found = new List<int>();
        var next = new Queue<int>([ancestor]);
        while (next.TryDequeue(out var parent))
        {
            foreach (var child in children.GetValueOrDefault(parent) ?? [])
            {
                found.Add(child);
                next.Enqueue(child);
            }
        }
        return found;
    }

    /// <summary>See proc_pid_stat(5): the name, which may contain anything, ends with the last bracket.</summary>
    private static int? ParentOf(int id)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            return int.Parse(stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or IndexOutOfRangeException or FormatException)
        {
            return null;
        }
    }

    /// <summary>Descriptors that the gate's own parent left open are not the server's.</summary>
    private static void CloseWhatWasInherited()
    {
        try
        {
            _ = CloseRange(3, uint.MaxValue, CloseOnExec);
        }
        catch (EntryPointNotFoundException)
        {
            // An old C library; the gate's own descriptors close by themselves.
        }
    }

    /// <returns>Null where it cannot be started, which is told on standard error.</returns>
    private static unsafe int? Start(string file, string[] arguments, string[] without)
    {
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Where(variable => !without.Contains((string)variable.Key))
            .Select(variable => $"{variable.Key}={variable.Value}");
        var attributes = stackalloc byte[StructureBytes];
        var signals = stackalloc byte[StructureBytes];
        new Span<byte>(signals, StructureBytes).Clear();
        _ = InitializeAttributes(attributes);
        // The runtime ignores some signals and blocks others, which a program would inherit.
        _ = SetMask(attributes, signals);
        _ = FillSignals(signals);
        _ = SetDefaults(attributes, signals);
        _ = SetFlags(attributes, SetSignalDefaults | SetSignalMask);
        var error = Spawn(out var id, file, null, attributes, [.. arguments, null], [.. environment, null]);
        if (error == 0)
            return id;
        Console.Error.WriteLine($"sallyport: {file} cannot be started: {Marshal.GetPInvokeErrorMessage(error)}");
        return null;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PolledFile
    {
        public int File;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int NewSession();

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Control(int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);

    [LibraryImport("libc", EntryPoint = "close_range")]
    private static partial int CloseRange(uint first, uint last, uint flags);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int processId, int signal);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int Wait(int processId, out int status, int options);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PolledFile files, nuint count, int timeout);

    [LibraryImport("libc", EntryPoint = "sigfillset")]
    private static unsafe partial int FillSignals(byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static unsafe partial int InitializeAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    private static unsafe partial int SetDefaults(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    private static unsafe partial int SetMask(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static unsafe partial int SetFlags(byte* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Spawn(out int processId, string file, void* actions, byte* attributes, string?[] arguments, string?[] environment);
}
