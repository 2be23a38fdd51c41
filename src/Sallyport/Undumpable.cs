using System.Runtime.InteropServices;

namespace Sallyport;

/// <summary>
/// What this process has in memory (passwords, tokens, keys) gets into no file: neither a core, nor a dump or trace that the
/// runtime would write itself, nor what somebody asks of its diagnostics port.
/// </summary>
internal static partial class Undumpable
{
    private const string Diagnostics = "DOTNET_EnableDiagnostics";

    /// <summary>The runtime's own dumps and traces; the diagnostics switch does not turn them off.</summary>
    private static readonly string[] s_dumps =
        [.. from prefix in (string[])["DOTNET_", "COMPlus_"]
            from name in (string[])["DbgEnableMiniDump", "EnableCrashReport", "EnableCrashReportOnly", "EnableEventPipe"]
            select prefix + name];

    private const int CoreLimit = 4;
    private const int SetDumpable = 4;

    /// <summary>The first thing that every command does.</summary>
    public static void Become()
    {
        if (OperatingSystem.IsWindows())
            return;
        Check(SetLimit(CoreLimit, default), "setrlimit");
        if (!OperatingSystem.IsLinux())
            return;
        if (Environment.GetEnvironmentVariable(Diagnostics) != "0" || s_dumps.Any(name => Environment.GetEnvironmentVariable(name) is not null))
            StartAgain();
        // After that, as a new program image is dumpable again. The limit does not hold for cores that are piped to a program; this does.
        Check(Control(SetDumpable, 0, 0, 0, 0), "prctl");
    }

    /// <summary>
    /// The runtime reads these variables before any of our code runs, and has no other place for them: so the process becomes the
    /// same program once more, under the same id, with them set right.
    /// </summary>
    private static void StartAgain()
    {
        Check(SetVariable(Diagnostics, "0", overwrite: 1), "setenv");
        foreach (var name in s_dumps)
            Check(UnsetVariable(name), "unsetenv");
        // What the diagnostics port leaves behind where it is not closed in order; it names this process, which lives on.
        foreach (var pattern in (string[])[$"dotnet-diagnostic-{Environment.ProcessId}-*", $"clr-debug-pipe-{Environment.ProcessId}-*"])
        {
            foreach (var path in Directory.EnumerateFiles(Path.GetTempPath(), pattern))
                File.Delete(path);
        }
        string?[] arguments = [.. File.ReadAllText("/proc/self/cmdline").Split('\0')[..^1], null];
        Check(Execute(Environment.ProcessPath!, arguments), "execv");
    }

    private static void Check(int result, string call)
    {
        if (result != 0)
            throw new IOException($"{call} failed, so memory might get into a dump: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Limit(nuint Soft, nuint Hard);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static partial int SetLimit(int resource, in Limit limit);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Control(int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);

    [LibraryImport("libc", EntryPoint = "setenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "unsetenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnsetVariable(string name);

    [LibraryImport("libc", EntryPoint = "execv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string path, string?[] arguments);
}
