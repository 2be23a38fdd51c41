using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gate;

/// <summary>A Streamable HTTP server of 2025-06-18 with one session. What comes of a message, and of listening, the test says.</summary>
/// <param name="message">Upon what is neither the gate's own question nor <c>initialize</c>.</param>
internal sealed class StreamableServer(Func<HttpContext, string, Task> message)
{
    /// <summary>Upon GET; without, there is no such stream.</summary>
    public Func<HttpContext, Task>? Listens { get; init; }

    /// <summary>How what it answers to <c>initialize</c> is written.</summary>
    public Func<string, string> Written { get; init; } = static json => json;

    public static string Answer(int id) => $$$"""{"jsonrpc":"2.0","id":{{{id}}},"result":{}}""";

    public async Task HandleAsync(HttpContext context)
    {
        if (HttpMethods.IsDelete(context.Request.Method))
            return;
        if (HttpMethods.IsGet(context.Request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            if (Listens is not null)
            {
                context.Response.StatusCode = StatusCodes.Status200OK;
                context.Response.ContentType = "text/event-stream";
                await Listens(context);
            }
            return;
        }
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync();
        using var parsed = JsonDocument.Parse(body);
        switch (parsed.RootElement.TryGetProperty("method", out var method) ? method.GetString() : null)
        {
            case "server/discover":
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                break;
            case "initialize":
                context.Response.Headers["Mcp-Session-Id"] = "theirs";
                await context.AnswerAsync(Written($$$"""{"jsonrpc":"2.0","id":{{{parsed.RootElement.GetProperty("id").GetRawText()}}},"result":{"protocolVersion":"2025-06-18"}}"""));
                break;
            case "notifications/initialized":
                context.Response.StatusCode = StatusCodes.Status202Accepted;
                break;
            default:
                await message(context, body);
                break;
        }
    }
}

internal static class StreamableServerContext
{
    public static Task AnswerAsync(this HttpContext context, string json, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(json);
    }

    public static async Task SayAsync(this HttpContext context, string events)
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.WriteAsync(events);
        await context.Response.Body.FlushAsync();
    }
}
