using System.Buffers;
using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Bridge;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>
/// A text/event-stream response: a comment at once and one every 15 seconds, so that no proxy holds the headers back or takes the
/// stream for dead.
/// </summary>
internal sealed class EventStream(HttpContext context, TimeProvider time)
{
    public const string ContentType = "text/event-stream";

    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var response = context.Response;
        context.RequestServices.GetRequiredService<OpenStreams>().Count(response);
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = ContentType;
        response.Headers["X-Accel-Buffering"] = "no";
        await WriteAsync(": sallyport\n\n"u8.ToArray(), cancellationToken);
    }

    /// <summary>One event. <paramref name="data"/> has no line end in it.</summary>
    public Task WriteEventAsync(string name, ReadOnlyMemory<byte> data, CancellationToken cancellationToken, string? id = null, int? retry = null) =>
        WriteAsync(Frame(name, data.Span, id, retry), cancellationToken);

    /// <summary>Answers requests that get no other answer any more. This leaves with the response's end: who does not read holds nobody back.</summary>
    public void GiveUp(IEnumerable<McpMessage> unanswered, Reason reason)
    {
        foreach (var message in unanswered)
            context.Response.BodyWriter.Write(Frame("message", JsonRpcError.Bytes(reason, message)));
    }

    private static byte[] Frame(string name, ReadOnlySpan<byte> data, string? id = null, int? retry = null)
    {
        var fields = new StringBuilder();
        if (id is not null)
            fields.Append("id: ").Append(id).Append('\n');
        if (retry is not null)
            fields.Append(CultureInfo.InvariantCulture, $"retry: {retry}\n");
        fields.Append("event: ").Append(name).Append("\ndata: ");
        var prefix = Encoding.ASCII.GetBytes(fields.ToString());
        var frame = new byte[prefix.Length + data.Length + 2];
        prefix.CopyTo(frame, 0);
        data.CopyTo(frame.AsSpan(prefix.Length));
        frame[^2] = frame[^1] = (byte)'\n';
        return frame;
    }

    /// <summary>Relays messages until they end, or the token, the session, the caller or the gate does.</summary>
    public Task RelayAsync(ChannelReader<byte[]> messages, CancellationToken cancellationToken) =>
        RelayAsync(messages.ReadAllAsync(cancellationToken), message => WriteEventAsync("message", message, cancellationToken), cancellationToken);

    /// <summary>Writes each of what comes. What is not written yet is not asked for: a reader that does not read holds its source back.</summary>
    public async Task RelayAsync<T>(IAsyncEnumerable<T> source, Func<T, Task> write, CancellationToken cancellationToken)
    {
        await using var each = source.GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            // One wait however many keep-alives it takes: an idle stream may stand for days.
            var more = each.MoveNextAsync().AsTask();
            try
            {
                while (!await ComesInTimeAsync(more, cancellationToken))
                    await WriteAsync(": \n\n"u8.ToArray(), cancellationToken);
            }
            finally
            {
                // It ends with the same token; until it has, its source cannot be disposed.
                await more.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
            if (!await more)
                return;
            await write(each.Current);
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

    private Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => context.WriteAsync(bytes, cancellationToken);
}
