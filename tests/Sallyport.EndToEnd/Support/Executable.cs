namespace Sallyport.EndToEnd.Support;

/// <summary>The program as it is built, in a process of its own.</summary>
internal static class Executable
{
    public static string Path { get; } = System.IO.Path.Combine(Repository.ExecutableDirectory, "sallyport.dll");

    public static Task<Finished> RunAsync(params IEnumerable<string> arguments) => RunWithInputAsync(null, arguments);

    public static Task<Finished> RunWithInputAsync(string? input, params IEnumerable<string> arguments) =>
        ChildProcess.RunAsync("dotnet", [Path, .. arguments], input);

    public static ChildProcess Start(params IEnumerable<string> arguments) => ChildProcess.Start("dotnet", [Path, .. arguments]);

    /// <summary>Adds a user, who can sign in when this returns. Gives the subject id.</summary>
    public static async Task<string> AddUserAsync(DataFolder data, string name, string password)
    {
        var finished = await RunWithInputAsync(password + "\n", "user", "add", name, "--password-stdin", "--data", data.Path);
        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        return finished.Output.TrimEnd('\n');
    }
}
