namespace Sallyport.Bench.Processes;

/// <summary>Where things are in this clone.</summary>
internal static class Paths
{
    public static string Root { get; } = FindRoot();
    public static string Bench { get; } = Path.Combine(Root, "bench");
    public static string Gate { get; } = Path.Combine(Root, "artifacts", "program", "sallyport.dll");
    public static string Self { get; } = Path.Combine(AppContext.BaseDirectory, "Sallyport.Bench.dll");

    /// <summary>A directory for one run, on the disk that the clone is on: a log in memory would be no log.</summary>
    public static string NewRun() => Directory.CreateDirectory(Path.Combine(Root, "artifacts", "bench", Path.GetRandomFileName())).FullName;

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Sallyport.slnx")))
                return directory.FullName;
        }
        throw new BenchFault($"{AppContext.BaseDirectory} is in no clone of Sallyport");
    }
}
