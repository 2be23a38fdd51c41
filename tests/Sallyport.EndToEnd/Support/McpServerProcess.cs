using System.Globalization;

namespace Sallyport.EndToEnd.Support;

/// <summary>An MCP server in a process of its own, on loopback.</summary>
internal sealed class McpServerProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private McpServerProcess(ChildProcess process, string url) => (_process, Url) = (process, url);

    /// <summary>Its MCP endpoint.</summary>
    public string Url { get; }

    /// <summary>The reference server that has everything.</summary>
    /// <param name="transport"><c>streamableHttp</c>, or <c>sse</c>.</param>
    public static Task<McpServerProcess> StartEverythingAsync(string transport = "streamableHttp") =>
        StartNodeAsync(transport == "sse" ? "/sse" : "/mcp", "node_modules/@modelcontextprotocol/server-everything/dist/index.js", transport);

    /// <summary>One that speaks 2026-07-28 and nothing else.</summary>
    public static Task<McpServerProcess> StartModernAsync() => StartNodeAsync("/mcp", "modern-server.mjs");

    /// <summary>The one of our own, made with the C# SDK, with all that the conformance suite asks for.</summary>
    /// <param name="stateless">Of 2026-07-28, instead of one with sessions.</param>
    public static Task<McpServerProcess> StartConformanceAsync(bool stateless)
    {
        var port = Ports.Free();
        return StartAsync(port, "/mcp", ChildProcess.Start(
            "dotnet", [Repository.ConformanceServer, .. stateless ? (string[])["--stateless"] : [], "--urls", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")]));
    }

    /// <summary>One that is made with the C# SDK and judges tokens by itself.</summary>
    /// <param name="tokenKey">What tokens are signed with, by HMAC-SHA-256.</param>
    /// <param name="options"><c>--forgotten</c>: not at every way in. <c>--json</c>: its log is JSON.</param>
    public static Task<McpServerProcess> StartProtectedAsync(byte[] tokenKey, params string[] options)
    {
        var port = Ports.Free();
        return StartAsync(port, "/mcp", ChildProcess.Start(
            "dotnet", [Repository.ProtectedServer, .. options, "--urls", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")],
            environment: new Dictionary<string, string> { ["TOKEN_KEY"] = Convert.ToBase64String(tokenKey) }));
    }

    /// <summary>Waits until it has written what a condition wants, and gives all that it wrote.</summary>
    public async Task<string> WrittenAsync(Func<string, bool> condition) =>
        await _process.WritesAsync(() => condition(_process.Output)) ? _process.Output : throw new InvalidOperationException($"The server has ended: {_process.Error}");

    /// <summary>One that is made with FastMCP.</summary>
    public static Task<McpServerProcess> StartFastMcpAsync() => StartNodeAsync("/mcp", "matrix/fastmcp-server.mjs");

    private static Task<McpServerProcess> StartNodeAsync(string path, params string[] arguments)
    {
        var port = Ports.Free();
        return StartAsync(port, path, ChildProcess.Start(
            Repository.NewerNode,
            ["--require", "./loopback.cjs", .. arguments],
            workingDirectory: Repository.Clients,
            environment: new Dictionary<string, string> { ["PORT"] = port.ToString(CultureInfo.InvariantCulture) }));
    }

    private static async Task<McpServerProcess> StartAsync(int port, string path, ChildProcess process)
    {
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
