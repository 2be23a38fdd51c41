using System.Threading.Channels;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>
/// A text/event-stream response: a comment at once and one every 15 seconds, so that no proxy holds the headers back or takes the
/// stream for dead.
/// </summary>
internal sealed class EventStream(HttpContext context, TimeProvider time)
{
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var response = context.Response;
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "text/event-stream";
        response.Headers["X-Accel-Buffering"] = "no";
        response.Headers.CacheControl = "no-store";
        await WriteAsync(": sallyport\n\n"u8.ToArray(), cancellationToken);
    }

    /// <summary>One event. <paramref name="data"/> has no line end in it.</summary>
    public Task WriteEventAsync(string name, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        var prefix = System.Text.Encoding.ASCII.GetBytes($"event: {name}\ndata: ");
        var frame = new byte[prefix.Length + data.Length + 2];
        prefix.CopyTo(frame, 0);
        data.CopyTo(frame.AsMemory(prefix.Length));
        frame[^2] = frame[^1] = (byte)'\n';
        return WriteAsync(frame, cancellationToken);
    }

    /// <summary>Relays what comes until it ends, or the token, the session, the caller or the gate does.</summary>
    public async Task RelayAsync(ChannelReader<byte[]> messages, CancellationToken cancellationToken)
    {
        while (true)
        {
            // One wait however many keep-alives it takes: an idle stream may stand for days.
            var more = messages.WaitToReadAsync(cancellationToken).AsTask();
            while (!await ComesInTimeAsync(more, cancellationToken))
                await WriteAsync(": \n\n"u8.ToArray(), cancellationToken);
            if (!await more)
                return;
            while (messages.TryRead(out var message))
                await WriteEventAsync("message", message, cancellationToken);
        }
    }

    /// <summary>False when the keep-alive is due first.</summary>
    public async Task<bool> ComesInTimeAsync(Task<bool> more, CancellationToken cancellationToken)
    {
        try
        {
            await more.WaitAsync(KeepAlive, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await context.Response.BodyWriter.WriteAsync(bytes, cancellationToken);
    }
}
