using System.Text.Json;
using ModelContextProtocol.Client;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>Every client at every server, from its first 401 to the refusal of a user that was disabled; the gate is restarted meanwhile.</summary>
public sealed class MatrixTests
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web);

    private static readonly (string Kind, string Transport, string Title)[] s_servers =
    [
        ("everything", "stdio", $"server-everything {MatrixDocument.ReleaseOf("@modelcontextprotocol/server-everything")}, stdio"),
        ("everything", "streamableHttp", $"server-everything {MatrixDocument.ReleaseOf("@modelcontextprotocol/server-everything")}, Streamable HTTP"),
        ("everything", "sse", $"server-everything {MatrixDocument.ReleaseOf("@modelcontextprotocol/server-everything")}, HTTP+SSE"),
        ("filesystem", "stdio", $"server-filesystem {MatrixDocument.ReleaseOf("@modelcontextprotocol/server-filesystem")}, stdio"),
        ("memory", "stdio", $"server-memory {MatrixDocument.ReleaseOf("@modelcontextprotocol/server-memory")}, stdio"),
        ("csharp", "http", "a server of our own on the C# SDK 2.3.1, Streamable HTTP with sessions"),
        ("csharp-stateless", "http", "a server of our own on the C# SDK 2.3.1, Streamable HTTP of 2026-07-28"),
        ("fastmcp", "http", $"a server on FastMCP {MatrixDocument.ReleaseOf("fastmcp")} (TypeScript), Streamable HTTP"),
    ];

    public static TheoryData<string, string> Servers => [.. s_servers.Select(server => (server.Kind, server.Transport))];

    [Theory]
    [MemberData(nameof(Servers))]
    public async Task Every_client_works_with(string kind, string transport)
    {
        using var data = new DataFolder();
        var directory = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(data.Path)!, "files")).FullName;
        await File.WriteAllTextAsync(Path.Combine(directory, "hello.txt"), "through the gate", TestContext.Current.CancellationToken);
        await using var server = await StartServerAsync(kind, transport);
        string[] options = server is not null ? ["--upstream", server.Url] : ["--", "node", ModuleOf(kind), .. kind == "filesystem" ? [directory] : Array.Empty<string>()];
        var port = Ports.Free();
        var gate = await GateProcess.StartAsync(data, port, options);
        await using var lastGate = new Last(() => gate);
        await Executable.AddUserAsync(data, UserName, Password);
        var story = new { kind, directory, mcp = gate.Origin + "/mcp", sse = gate.Origin + "/sse", username = UserName, password = Password };
        await using var others = ChildProcess.Start(Repository.NewerNode, ["matrix/run.mjs", JsonSerializer.Serialize(story)], workingDirectory: Repository.Clients, isToldMore: true);
        await using var first = new CSharpMatrixClient("csharp", HttpTransportMode.StreamableHttp, gate.Origin, "/mcp", MatrixServer.Of(kind, directory, "csharp"), UserName, Password);
        await using var second = new CSharpMatrixClient("csharp-sse", HttpTransportMode.Sse, gate.Origin, "/sse", MatrixServer.Of(kind, directory, "csharp-sse"), UserName, Password);
        CSharpMatrixClient[] own = [first, second];

        // 1. All that a client and a server can do.
        await Task.WhenAll(own.Select(client => client.BeginAsync()));
        await ReachesAsync(others, "restart");

        // 2. The gate is another process.
        await gate.StopAsync();
        gate = await GateProcess.StartAsync(data, port, options);
        await others.TellAsync("");
        await Task.WhenAll(own.Select(client => client.AgainAsync("restart")));
        await ReachesAsync(others, "expiry");

        // 3. Two hours later for the gate, so that all access tokens have expired.
        await gate.StopAsync();
        using (var clock = new TempClock())
        {
            clock.Set("+2h");
            gate = await GateProcess.StartAsync(data, port, clock.Environment, options);
            await others.TellAsync("");
            await Task.WhenAll(own.Select(client => client.AgainAsync("expiry")));
            await ReachesAsync(others, "revoked");

            // 4. The user is not let in any more.
            var disabled = await Executable.RunAsync("user", "disable", UserName, "--data", data.Path);
            Assert.True(disabled.ExitCode == 0, disabled.Error);
            await others.TellAsync("");
            await Task.WhenAll(own.Select(client => client.RefusedAsync()));
            var finished = await others.WaitAsync();
            Assert.True(finished.ExitCode == 0, finished.Output + finished.Error);
            // Under libfaketime waits that are limited end at once, the one for an orderly stop among them.
            await gate.KillAsync();
        }

        var told = Lines(others.Output).Select(line => JsonSerializer.Deserialize<MatrixStep>(line, s_json)!).Concat(own.SelectMany(client => client.Steps)).ToList();
        var steps = new MatrixLog(Recording.ReadFiles(data)).Judge(told);
        Assert.True(steps.TrueForAll(step => step.Result != "failed"), string.Join('\n', steps.Where(step => step.Result == "failed")) + others.Error + gate.Error);
        var section = MatrixDocument.Section(s_servers.Single(each => (each.Kind, each.Transport) == (kind, transport)).Title, steps);
        MatrixDocument.Write([.. s_servers.Select(each => each.Title)], section);
        Assert.Contains(section, MatrixDocument.Read(), StringComparison.Ordinal);
    }

    private static async Task<McpServerProcess?> StartServerAsync(string kind, string transport) => (kind, transport) switch
    {
        (_, "stdio") => null,
        ("everything", _) => await McpServerProcess.StartEverythingAsync(transport),
        ("fastmcp", _) => await McpServerProcess.StartFastMcpAsync(),
        _ => await McpServerProcess.StartConformanceAsync(stateless: kind == "csharp-stateless"),
    };

    private static string ModuleOf(string kind) => Path.Combine(Repository.Clients, "node_modules/@modelcontextprotocol", $"server-{kind}", "dist/index.js");

    private static IEnumerable<string> Lines(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => !line.StartsWith("{\"at\"", StringComparison.Ordinal));

    private static async Task ReachesAsync(ChildProcess clients, string point) => Assert.True(
        await clients.WritesAsync(() => clients.Output.Contains($$"""{"at":"{{point}}"}""", StringComparison.Ordinal)), clients.Output + clients.Error);

    /// <summary>Ends the gate that is there at last, however the test ends.</summary>
    private sealed class Last(Func<GateProcess> gate) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => gate().DisposeAsync();
    }
}
