using System.ComponentModel;
using System.Globalization;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;
using Sallyport.Proof.Report;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Index;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>
/// Sallyport's own MCP server, which is served when there is no other: so that the first run does something real, and a model can ask
/// the gate about itself. One server a session, which knows whose it is.
/// </summary>
internal sealed class BuiltInServer(IServiceScopeFactory scopes, DataDirectory directory, OwnReport report, ILoggerFactory loggers)
{
    private const int MostRecentEvents = 100;
    /// <summary>Anybody can make events large (a registration's redirect URIs), and the answer has to stay a line that fits.</summary>
    private const int MostRecentBytes = 256 * 1024;
    /// <summary>How far back they are looked for.</summary>
    private const int MostSegments = 16;

    private readonly SemaphoreSlim _reading = new(1, 1);

    /// <param name="caller">Who made the session's newest request.</param>
    public LineChannel Open(Func<Caller> caller)
    {
        var toServer = new Pipe();
        var fromServer = new Pipe();
        var transport = new StreamServerTransport(toServer.Reader.AsStream(), fromServer.Writer.AsStream(), "sallyport", loggers);
        var server = McpServer.Create(transport, new McpServerOptions
        {
            ServerInfo = new Implementation { Name = "sallyport", Title = "Sallyport", Version = Product.Version },
            ServerInstructions = "The OAuth gate that you came through, speaking for itself.",
            ToolCollection =
            [
                Tool("echo", "Gives the message back.", Echo),
                Tool("whoami", "Who you are to this gate: user, client, scopes, and when the access token expires.", () => WhoAmIAsync(caller())),
                Tool("oauth_status", "Whether this gate is being bypassed, decided from its log: the verdict with its evidence, and what is not proven. You see your own events in it; an operator sees all of them.",
                    (CancellationToken cancellationToken) => OAuthStatusAsync(caller(), cancellationToken)),
                Tool("recent_events", "The newest events of this gate's log that concern you; an operator sees all of them.",
                    ([Description("How many events at most, 1 to 100")] int count = 20) => RecentEventsAsync(caller(), count)),
            ],
        }, loggers);
        return new(toServer.Writer.AsStream(), fromServer.Reader.AsStream(), new Running(server, fromServer.Writer));
    }

    private static McpServerTool Tool(string name, string description, Delegate method) =>
        McpServerTool.Create(method, new() { Name = name, Description = description, ReadOnly = true, OpenWorld = false });

    private static string Echo([Description("What to give back")] string message) => message;

    private async Task<string> WhoAmIAsync(Caller caller)
    {
        await using var scope = scopes.CreateAsyncScope();
        var user = await scope.ServiceProvider.GetRequiredService<Accounts>().NameOfAsync(caller.Subject, CancellationToken.None);
        var client = await scope.ServiceProvider.GetRequiredService<ClientStore>().FindAsync(caller.ClientId, CancellationToken.None);
        return new JsonObject
        {
            ["subject"] = caller.Subject,
            ["user"] = user,
            ["client_id"] = caller.ClientId,
            ["client_name"] = client?.Name,
            ["scopes"] = new JsonArray([.. caller.Token.Scopes.Select(s => JsonValue.Create(s))]),
            ["audience"] = caller.Token.Audience,
            ["token_expires"] = caller.Token.ExpiresAt.UtcDateTime.ToString("O"),
        }.ToJsonString();
    }

    /// <summary>What <c>audit report</c> says, without what clients call themselves: a model should not read that as if the gate had said it.</summary>
    private async Task<string> OAuthStatusAsync(Caller caller, CancellationToken cancellationToken)
    {
        var (status, wait) = await report.GetAsync(await SeesAllAsync(caller) ? null : caller.Subject, cancellationToken);
        return status is null
            ? string.Create(CultureInfo.InvariantCulture, $"The log was read for somebody else a moment ago. Ask again in {Math.Ceiling(wait.TotalSeconds)} s.")
            : MarkdownRenderer.Render(ReportComposer.Compose(status));
    }

    private async Task<bool> SeesAllAsync(Caller caller)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<Accounts>().IsOperatorAsync(caller.Subject, CancellationToken.None);
    }

    private async Task<string> RecentEventsAsync(Caller caller, int count)
    {
        var seesAll = await SeesAllAsync(caller);
        // One at a time: a reading takes as much memory as a segment has.
        await _reading.WaitAsync();
        try
        {
            var bytes = 0;
            var events = EventSearch.NewestFirst(directory.Log, new() { Subject = seesAll ? null : caller.Subject }, MostSegments)
                .Where(leaf => seesAll || Concerns(leaf.Bytes, caller.Subject))
                .Take(Math.Clamp(count, 1, MostRecentEvents))
                .TakeWhile(leaf => (bytes += leaf.Bytes.Length) <= MostRecentBytes)
                .Reverse()
                .Select(leaf => new JsonObject { ["number"] = leaf.Index, ["event"] = JsonNode.Parse(leaf.Bytes) });
            return new JsonArray([.. events]).ToJsonString();
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Whether the event is of this subject.</summary>
    private static bool Concerns(byte[] leaf, string subject)
    {
        using var document = JsonDocument.Parse(leaf);
        return document.RootElement.TryGetProperty("subject", out var value) && value.ValueEquals(subject);
    }

    /// <summary>A server that runs until its session is over.</summary>
    private sealed class Running : IAsyncDisposable
    {
        private readonly McpServer _server;
        private readonly Task _run;

        public Running(McpServer server, PipeWriter output)
        {
            _server = server;
            _run = RunAsync(output);
        }

        public async ValueTask DisposeAsync()
        {
            await _server.DisposeAsync();
            await _run;
        }

        private async Task RunAsync(PipeWriter output)
        {
            try
            {
                await _server.RunAsync();
            }
            catch (OperationCanceledException)
            {
            }
            finally
            {
                // Whoever reads its lines sees the end of them.
                await output.CompleteAsync();
            }
        }
    }
}
