using System.Globalization;

namespace Sallyport.EndToEnd.Support;

/// <summary>The reference server that has everything, over Streamable HTTP, on loopback.</summary>
internal sealed class EverythingServer : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private EverythingServer(ChildProcess process, string url) => (_process, Url) = (process, url);

    /// <summary>Its MCP endpoint.</summary>
    public string Url { get; }

    public static async Task<EverythingServer> StartAsync()
    {
        var port = Ports.Free();
        var process = ChildProcess.Start(
            "node",
            ["--require", "./loopback.cjs", "node_modules/@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp"],
            workingDirectory: Repository.Clients,
            environment: new Dictionary<string, string> { ["PORT"] = port.ToString(CultureInfo.InvariantCulture) });
        try
        {
            if (!await process.WritesAsync(() => process.Error.Contains("listening on port", StringComparison.Ordinal)))
                throw new InvalidOperationException($"The server has ended: {process.Error}");
            return new(process, string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/mcp"));
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
