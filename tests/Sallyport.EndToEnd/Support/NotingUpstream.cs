using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Sallyport.EndToEnd.Support;

/// <summary>An MCP server that takes every call and notes the name of its tool the moment it arrives.</summary>
internal sealed class NotingUpstream : IAsyncDisposable
{
    private readonly WebApplication _server;
    private readonly List<string> _reached = [];

    private NotingUpstream(WebApplication server, int port) => (_server, Url) = (server, $"http://127.0.0.1:{port}/mcp");

    public string Url { get; }

    /// <summary>Runs for each call that has arrived.</summary>
    public event Action? Reached;

    /// <summary>The tools that were called, in order of arrival.</summary>
    public IReadOnlyList<string> Calls
    {
        get
        {
            lock (_reached)
                return [.. _reached];
        }
    }

    public static async Task<NotingUpstream> StartAsync()
    {
        var port = Ports.Free();
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port));
        var upstream = new NotingUpstream(builder.Build(), port);
        upstream._server.Run(upstream.AnswerAsync);
        await upstream._server.StartAsync(TestContext.Current.CancellationToken);
        return upstream;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        using var message = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        lock (_reached)
            _reached.Add(message.RootElement.GetProperty("params").GetProperty("name").GetString()!);
        Reached?.Invoke();
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync("""{"jsonrpc":"2.0","id":1,"result":{}}""", context.RequestAborted);
    }
}
