using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Sallyport.Server.Audit;

namespace Sallyport.Tests.Gateway.Processes;

/// <summary>
/// A gate in front of a shell script that speaks MCP over stdio. It knows <c>initialize</c>, <c>pid</c> and what a test adds: for a word
/// in a message, what to do about it. There is <c>$line</c>, <c>$id</c>, <c>answer JSON</c> and <c>refuse JSON</c>.
/// </summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    /// <summary>What makes it a server of 2026-07-28 too.</summary>
    public const string Discovered =
        """*'"method":"server/discover"'*) answer '{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"new","version":"2"}}}';;""" + "\n";

    /// <summary>What makes it no server of any other.</summary>
    public const string NoSessions =
        """*'"method":"initialize"'*) refuse '{"code":-32022,"message":"no","data":{"supported":["2026-07-28"],"requested":"2025-11-25"}}';;""" + "\n";

    private readonly TestData _folder;

    private ScriptedServer(TestData folder, TestGate gate) => (_folder, Gate) = (folder, gate);

    public TestGate Gate { get; }

    /// <summary>A directory that the script knows as <c>$here</c>.</summary>
    public string Here => _folder.Root;

    public static async Task<ScriptedServer> StartAsync(string arms, string begin = "", Action<Sallyport.Server.Configuration.GateSettings>? settings = null)
    {
        var folder = new TestData();
        try
        {
            Directory.CreateDirectory(folder.Root);
            var file = Write(folder.Root, arms, begin);
            var gate = await TestGate.StartAsync(new()
            {
                Settings = given =>
                {
                    given.Command = [file, "an argument"];
                    given.AccessTokenSeconds = 86_400;
                    settings?.Invoke(given);
                },
                Logged = LogLevel.Information,
                Services = services => services.AddSingleton(Supervisor.OfThisProgram()),
            });
            return new(folder, gate);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    public static string Write(string directory, string arms, string begin)
    {
        var file = Path.Combine(directory, "server.sh");
        File.WriteAllText(file, $$$"""
            #!/bin/sh
            here='{{{directory}}}'
            answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
            refuse() { printf '{"jsonrpc":"2.0","id":%s,"error":%s}\n' "$id" "$1"; }
            {{{begin}}}
            while IFS= read -r line; do
              id=${line#*'"id":'}; id=${id%%,*}
              case $line in
                {{{arms}}}
                *'"method":"initialize"'*) answer '{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"scripted","version":"1"}}';;
                *'"method":"server/discover"'*) refuse '{"code":-32601,"message":"Method not found"}';;
                *'"pid"'*) answer "{\"pid\":$$}";;
              esac
            done
            """);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return file;
    }

    /// <summary>A session of a client of its own.</summary>
    public async Task<ScriptedSession> ConnectAsync(string user = TestGate.UserName)
    {
        var tokens = await (await TestClient.RegisterAsync(Gate)).TokensAsync(user);
        var response = await Gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        return new(Gate, tokens.AccessToken, response, response.StatusCode == HttpStatusCode.OK ? response.Headers.GetValues("Mcp-Session-Id").Single() : "");
    }

    /// <summary>A client of its own that has no sessions.</summary>
    public async Task<StatelessClient> ClientAsync(string user = TestGate.UserName) =>
        new(Gate, (await (await TestClient.RegisterAsync(Gate)).TokensAsync(user)).AccessToken);

    public async ValueTask DisposeAsync()
    {
        await Gate.DisposeAsync();
        _folder.Dispose();
    }

    /// <summary>Waits for what the gate comes to by itself.</summary>
    public async Task UntilAsync(Func<bool> condition)
    {
        for (var begun = TimeProvider.System.GetTimestamp(); !condition();)
        {
            if (TimeProvider.System.GetElapsedTime(begun) > TimeSpan.FromSeconds(30))
                throw new TimeoutException("it has not come to that");
            // A turn of the journal's loop.
            await Gate.Services.GetRequiredService<AuditLog>().SyncAsync();
        }
    }

    /// <summary>Waits until a process is gone.</summary>
    public static async Task GoneAsync(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);
        }
        catch (ArgumentException)
        {
            // It has gone already.
        }
    }
}

/// <summary>A session of a client, over Streamable HTTP.</summary>
internal sealed record ScriptedSession(TestGate Gate, string Token, HttpResponseMessage Opened, string Id)
{
    public Task<HttpResponseMessage> PostAsync(string message) => Gate.PostMcpAsync(Token, message, session: Id);

    public Task<HttpResponseMessage> CallAsync(string tool, int id = 1) => PostAsync(Messages.Call(id, tool));

    public async Task<JsonElement> ResultAsync(string tool, int id = 1) => (await (await CallAsync(tool, id)).JsonAsync()).GetProperty("result");

    public async Task<int> PidAsync() => (await ResultAsync("pid")).GetProperty("pid").GetInt32();

    public Task<HttpResponseMessage> CloseAsync()
    {
        var request = new HttpRequestMessage(HttpMethod.Delete, "/mcp") { Headers = { { "Mcp-Session-Id", Id } } };
        request.Headers.Authorization = new("Bearer", Token);
        return Gate.Http.SendAsync(request, TestContext.Current.CancellationToken);
    }
}

/// <summary>A client of 2026-07-28: each of its requests stands for itself.</summary>
internal sealed record StatelessClient(TestGate Gate, string Token)
{
    private const string Revision = "2026-07-28";

    /// <param name="tool">The tool that it calls.</param>
    /// <param name="id">The request's id, as JSON.</param>
    /// <param name="meta">Further members of <c>_meta</c>.</param>
    public static string Call(string tool, string id = "1", string meta = "") => Body("tools/call", id, $$""" "name":"{{tool}}","arguments":{},""", meta);

    public static string Body(string method, string id, string parameters = "", string meta = "") =>
        $$$$"""{"jsonrpc":"2.0","id":{{{{id}}}},"method":"{{{{method}}}}","params":{{{{{parameters}}}}"_meta":{"io.modelcontextprotocol/protocolVersion":"{{{{Revision}}}}","io.modelcontextprotocol/clientCapabilities":{}{{{{meta}}}}}}}""";

    public Task<HttpResponseMessage> PostAsync(string body) => PostUntilAsync(body, TestContext.Current.CancellationToken);

    public Task<HttpResponseMessage> PostUntilAsync(string body, CancellationToken leaving)
    {
        var message = JsonDocument.Parse(body).RootElement;
        var request = Gate.McpRequest(Token, body);
        request.Headers.Add("MCP-Protocol-Version", Revision);
        if (message.TryGetProperty("method", out var method))
            request.Headers.Add("Mcp-Method", method.GetString());
        if (message.TryGetProperty("params", out var parameters) && parameters.TryGetProperty("name", out var name))
            request.Headers.Add("Mcp-Name", name.GetString());
        return Gate.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leaving);
    }

    public Task<HttpResponseMessage> CallAsync(string tool, string id = "1", string meta = "") => PostAsync(Call(tool, id, meta));

    public async Task<JsonElement> ResultAsync(string tool) => (await (await CallAsync(tool)).JsonAsync()).GetProperty("result");

    public async Task<int> PidAsync() => (await ResultAsync("pid")).GetProperty("pid").GetInt32();
}
