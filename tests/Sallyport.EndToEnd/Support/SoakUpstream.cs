using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Sallyport.Server.Protocol;

namespace Sallyport.EndToEnd.Support;

/// <summary>
/// A Streamable HTTP server for the soak: says each nonce again, in JSON or a stream, where it is told to hold it not before the session's
/// next call, and breaks off where it is told to. Whoever listens is told each nonce of his too.
/// </summary>
internal sealed class SoakUpstream : IAsyncDisposable
{
    private readonly WebApplication _server;
    private readonly ConcurrentDictionary<string, bool> _sessions = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _held = new();
    private readonly ConcurrentDictionary<string, Channel<string>> _listeners = new();
    private int _calls;

    private SoakUpstream(WebApplication server, int port) => (_server, Url) = (server, $"http://127.0.0.1:{port}/mcp");

    public string Url { get; }

    /// <summary>The sessions that nobody has ended.</summary>
    public int Sessions => _sessions.Count;

    public static async Task<SoakUpstream> StartAsync()
    {
        var port = Ports.Free();
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port));
        var upstream = new SoakUpstream(builder.Build(), port);
        upstream._server.Run(upstream.AnswerAsync);
        await upstream._server.StartAsync(TestContext.Current.CancellationToken);
        return upstream;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var session = context.Request.Headers["Mcp-Session-Id"].ToString();
        if (HttpMethods.IsDelete(context.Request.Method))
        {
            _sessions.TryRemove(session, out _);
            LetGo(session);
            if (_listeners.TryRemove(session, out var listener))
                listener.Writer.TryComplete();
            return;
        }
        if (HttpMethods.IsGet(context.Request.Method))
        {
            await TellAllAsync(context, session);
            return;
        }
        if (!HttpMethods.IsPost(context.Request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            return;
        }
        using var message = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        var root = message.RootElement;
        if (!root.TryGetProperty("id", out var id))
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }
        object result = new { };
        switch (root.GetProperty("method").GetString())
        {
            case "server/discover":
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                return;
            case "initialize":
                session = RandomId.New();
                _sessions[session] = true;
                context.Response.Headers["Mcp-Session-Id"] = session;
                result = new { protocolVersion = "2025-11-25", capabilities = new { }, serverInfo = new { name = "soak", version = "1.0.0" } };
                break;
            case "tools/call" when root.GetProperty("params").GetProperty("name").GetString() == "crash":
                context.Abort();
                return;
            case "tools/call":
                LetGo(session);
                var nonce = root.GetProperty("params").GetProperty("arguments").GetProperty("nonce").GetString();
                if (_listeners.TryGetValue(session, out var listener))
                    listener.Writer.TryWrite(JsonSerializer.Serialize(new { jsonrpc = "2.0", method = "notifications/message", @params = new { level = "info", data = nonce } }));
                if (root.GetProperty("params").GetProperty("name").GetString() == "hold")
                    await (_held[session] = new(TaskCreationOptions.RunContinuationsAsynchronously)).Task.WaitAsync(context.RequestAborted);
                result = new { content = new[] { new { type = "text", text = nonce } } };
                break;
            default:
                break;
        }
        var answer = JsonSerializer.Serialize(new { jsonrpc = "2.0", id, result });
        var isStream = Interlocked.Increment(ref _calls) % 2 == 0;
        context.Response.ContentType = isStream ? "text/event-stream" : "application/json";
        await context.Response.WriteAsync(isStream ? $"event: message\ndata: {answer}\n\n" : answer, context.RequestAborted);
    }

    /// <summary>The stream of a session, until its client leaves or ends it.</summary>
    private async Task TellAllAsync(HttpContext context, string session)
    {
        if (!_sessions.ContainsKey(session))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        var told = _listeners[session] = Channel.CreateUnbounded<string>();
        context.Response.ContentType = "text/event-stream";
        await context.Response.Body.FlushAsync(context.RequestAborted);
        try
        {
            await foreach (var message in told.Reader.ReadAllAsync(context.RequestAborted))
            {
                await context.Response.WriteAsync($"event: message\ndata: {message}\n\n", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
        catch (OperationCanceledException)
        {
            _listeners.TryRemove(KeyValuePair.Create(session, told));
        }
    }

    private void LetGo(string session)
    {
        if (_held.TryRemove(session, out var held))
            held.SetResult();
    }
}
