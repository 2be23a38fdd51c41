using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Sallyport.Server.Protocol;

namespace Sallyport.Tests.Gate;

/// <summary>A server that speaks HTTP+SSE only. It answers each request with its method and the session that it came by.</summary>
internal sealed class SseServer(Func<string, string> endpointOf)
{
    private readonly Dictionary<string, Channel<string>> _sessions = [];
    private readonly List<string> _seen = [];
    private readonly TaskCompletionSource _closed = new();

    /// <summary>The methods that were posted, after which session's stream they came by.</summary>
    public IReadOnlyList<string> Seen
    {
        get
        {
            lock (_seen)
                return [.. _seen];
        }
    }

    /// <summary>Done when a stream was closed by the gate.</summary>
    public Task Closed => _closed.Task;

    public async Task HandleAsync(HttpContext context)
    {
        if (HttpMethods.IsGet(context.Request.Method) && context.Request.Path == "/mcp")
            await StreamAsync(context);
        else if (HttpMethods.IsPost(context.Request.Method) && context.Request.Path == "/post")
            await PostAsync(context);
        else
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
    }

    private async Task StreamAsync(HttpContext context)
    {
        var id = RandomId.NewHex();
        var messages = Channel.CreateUnbounded<string>();
        lock (_seen)
            _sessions[id] = messages;
        context.Response.ContentType = "text/event-stream";
        await context.Response.WriteAsync($"event: endpoint\r\ndata: {endpointOf(id)}\r\n\r\n");
        await context.Response.Body.FlushAsync();
        try
        {
            await foreach (var message in messages.Reader.ReadAllAsync(context.RequestAborted))
            {
                await context.Response.WriteAsync($"event: message\ndata: {message}\n\n");
                await context.Response.Body.FlushAsync();
            }
        }
        catch (OperationCanceledException)
        {
            _closed.TrySetResult();
        }
    }

    private async Task PostAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        using var message = JsonDocument.Parse(await reader.ReadToEndAsync());
        var session = context.Request.Query["s"].ToString();
        var method = message.RootElement.GetProperty("method").GetString()!;
        Channel<string> messages;
        lock (_seen)
        {
            _seen.Add(method);
            messages = _sessions[session];
        }
        if (message.RootElement.TryGetProperty("id", out var id))
        {
            var revision = method == "initialize" ? message.RootElement.GetProperty("params").GetProperty("protocolVersion").GetString() : null;
            messages.Writer.TryWrite(JsonSerializer.Serialize(new { jsonrpc = "2.0", method = "notifications/message", @params = new { data = method } }));
            messages.Writer.TryWrite(JsonSerializer.Serialize(new { jsonrpc = "2.0", id, result = new { protocolVersion = revision, method, session } }));
        }
        context.Response.StatusCode = StatusCodes.Status202Accepted;
    }
}
