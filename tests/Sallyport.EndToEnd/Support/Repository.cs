namespace Sallyport.EndToEnd.Support;

/// <summary>Where things are in this clone.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>The build that this test run belongs to: <c>release</c> or <c>debug</c>.</summary>
    private static string Build { get; } = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));

    public static string ExecutableDirectory { get; } = Path.Combine(Root, "artifacts", "bin", "Sallyport", Build);

    public static string Clients { get; } = Path.Combine(Root, "tests", "clients");

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Sallyport.slnx")))
                return directory.FullName;
        }
        throw new InvalidOperationException($"{AppContext.BaseDirectory} is in no clone of Sallyport");
    }
}
