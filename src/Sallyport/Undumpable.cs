using System.Runtime.InteropServices;
using System.Text;

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
    /// same program once more, under the same id, with them set right. The environment of this one is not touched: other threads read it.
    /// </summary>
    private static unsafe void StartAgain()
    {
        // What the diagnostics port leaves behind where it is not closed in order; it names this process, which lives on.
        foreach (var pattern in (string[])[$"dotnet-diagnostic-{Environment.ProcessId}-*", $"clr-debug-pipe-{Environment.ProcessId}-*"])
        {
            foreach (var path in Directory.EnumerateFiles(Path.GetTempPath(), pattern))
                File.Delete(path);
        }
        // As bytes: neither has to be text.
        var arguments = ReadStrings("/proc/self/cmdline");
        var environment = ReadStrings("/proc/self/environ").Where(variable => !IsOurs(variable)).Append(Encoding.ASCII.GetBytes($"{Diagnostics}=0"));
        fixed (byte* path = Encoding.UTF8.GetBytes(Environment.ProcessPath! + '\0'))
            Check(Execute(path, Terminated(arguments), Terminated(environment)), "execve");
    }

    private static List<byte[]> ReadStrings(string path)
    {
        var strings = new List<byte[]>();
        ReadOnlySpan<byte> content = File.ReadAllBytes(path);
        while (content.IndexOf((byte)0) is >= 0 and var end)
        {
            strings.Add(content[..end].ToArray());
            content = content[(end + 1)..];
        }
        return strings;
    }

    private static bool IsOurs(byte[] variable) =>
        s_dumps.Append(Diagnostics).Any(name => variable.AsSpan().StartsWith(Encoding.ASCII.GetBytes(name + '=')));

    /// <summary>An array that ends with a null pointer, of strings that end with a zero. The program that uses it leaves no memory behind to give back.</summary>
    private static unsafe byte** Terminated(IEnumerable<byte[]> strings)
    {
        var all = strings.ToList();
        var pointers = (byte**)NativeMemory.AllocZeroed((nuint)all.Count + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < all.Count; i++)
        {
            pointers[i] = (byte*)NativeMemory.AllocZeroed((nuint)all[i].Length + 1);
            all[i].CopyTo(new Span<byte>(pointers[i], all[i].Length));
        }
        return pointers;
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

    [LibraryImport("libc", EntryPoint = "execve", SetLastError = true)]
    private static unsafe partial int Execute(byte* path, byte** arguments, byte** environment);
}
