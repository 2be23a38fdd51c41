namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>Finds a command as a shell does. The runtime's own search would look into the gate's own directory first.</summary>
internal static class ProcessCommand
{
    private const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <returns>An absolute path; null when there is no such program.</returns>
    public static string? Find(string command) =>
        command.Contains('/') || (OperatingSystem.IsWindows() && command.Contains('\\'))
            ? Candidates(Path.GetFullPath(command)).FirstOrDefault(IsProgram)
            : (Environment.GetEnvironmentVariable("PATH") ?? "")
                .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
                .SelectMany(directory => Candidates(Path.GetFullPath(Path.Combine(directory, command))))
                .FirstOrDefault(IsProgram);

    private static IEnumerable<string> Candidates(string path) =>
        OperatingSystem.IsWindows() && !Path.HasExtension(path) ? [path + ".exe", path + ".cmd", path + ".bat"] : [path];

    private static bool IsProgram(string path) =>
        File.Exists(path) && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & Executable) != 0);
}
