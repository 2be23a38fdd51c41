using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Bench.Servers;

/// <summary>The server behind every proxy: it reads the message, tells which one it is, and gives a fixed answer.</summary>
internal static class UpstreamServer
{
    private static readonly byte[] s_initialized = """
        {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}}
        """u8.ToArray();

    private static readonly byte[] s_tools = """
        {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo","description":"Says it again","inputSchema":{"type":"object"}}]}}
        """u8.ToArray();

    private static readonly byte[] s_called = """
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}],"isError":false}}
        """u8.ToArray();

    public static Task RunAsync(int port, CancellationToken cancellationToken) =>
        LoopbackServer.RunAsync(port, static _ => { }, static _ => AnswerAsync, cancellationToken);

    private static async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Path != "/mcp" || !HttpMethods.IsPost(context.Request.Method))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        var reader = context.Request.BodyReader;
        var result = await reader.ReadAsync(context.RequestAborted);
        while (!result.IsCompleted)
        {
            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            result = await reader.ReadAsync(context.RequestAborted);
        }
        var answer = AnswerTo(result.Buffer.IsSingleSegment ? result.Buffer.FirstSpan : result.Buffer.ToArray());
        reader.AdvanceTo(result.Buffer.End);
        if (answer is null)
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = answer.Length;
        await context.Response.BodyWriter.WriteAsync(answer, context.RequestAborted);
    }

    private static byte[]? AnswerTo(ReadOnlySpan<byte> message) =>
        message.IndexOf("\"tools/call\""u8) >= 0 ? s_called
        : message.IndexOf("\"tools/list\""u8) >= 0 ? s_tools
        : message.IndexOf("\"initialize\""u8) >= 0 ? s_initialized
        : null;
}
