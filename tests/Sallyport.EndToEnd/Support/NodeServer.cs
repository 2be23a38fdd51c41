using System.Globalization;

namespace Sallyport.EndToEnd.Support;

/// <summary>An MCP server from npm in a process of its own, on loopback.</summary>
internal sealed class NodeServer : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private NodeServer(ChildProcess process, string url) => (_process, Url) = (process, url);

    /// <summary>Its MCP endpoint.</summary>
    public string Url { get; }

    /// <summary>The reference server that has everything.</summary>
    /// <param name="transport"><c>streamableHttp</c>, or <c>sse</c>.</param>
    public static Task<NodeServer> StartEverythingAsync(string transport = "streamableHttp") =>
        StartAsync(transport == "sse" ? "/sse" : "/mcp", "node_modules/@modelcontextprotocol/server-everything/dist/index.js", transport);

    /// <summary>One that speaks 2026-07-28 and nothing else.</summary>
    public static Task<NodeServer> StartModernAsync() => StartAsync("/mcp", "modern-server.mjs");

    private static async Task<NodeServer> StartAsync(string path, params string[] arguments)
    {
        var port = Ports.Free();
        var process = ChildProcess.Start(
            "node",
            ["--require", "./loopback.cjs", .. arguments],
            workingDirectory: Repository.Clients,
            environment: new Dictionary<string, string> { ["PORT"] = port.ToString(CultureInfo.InvariantCulture) });
        try
        {
            if (!await process.WritesAsync(() => process.Error.Contains(" on port ", StringComparison.Ordinal)))
                throw new InvalidOperationException($"The server has ended: {process.Error}");
            return new(process, string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}{path}"));
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
