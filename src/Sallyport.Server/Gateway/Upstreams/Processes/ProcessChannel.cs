using System.Runtime.CompilerServices;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Bridge;

namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>A session's conversation with its process: what is no message goes no further, and no request that a client should not get.</summary>
/// <param name="ended">Told when the process ended its output by itself.</param>
/// <param name="acts">Records an answer of the gate's own before it leaves.</param>
internal sealed class ProcessChannel(LineChannel lines, ProcessTalk talk, Action ended, Func<ValueTask> acts) : IMessageChannel
{
    public Reason EndReason => lines.EndReason;

    public Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken) => lines.SendAsync(message, cancellationToken);

    public async IAsyncEnumerable<byte[]> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var line in lines.ReadAllAsync(cancellationToken))
        {
            var scan = McpMessage.Scan(line, out var message);
            if (scan == McpScan.Malformed)
                talk.NoMessage(line);
            else if (scan == McpScan.Message && message.Kind != McpMessageKind.Response && ElicitationUrl.IsForbidden(message, line))
                await RefuseAsync(message, cancellationToken);
            else
                yield return line;
        }
        ended();
    }

    public ValueTask DisposeAsync() => lines.DisposeAsync();

    /// <summary>The client does not get the request, and the server an error.</summary>
    private async Task RefuseAsync(McpMessage request, CancellationToken cancellationToken)
    {
        if (request.Kind != McpMessageKind.Request)
            return;
        await acts();
        try
        {
            await lines.SendAsync(JsonRpcError.Bytes(Reason.MessageMalformed, request), cancellationToken);
        }
        catch (UpstreamException)
        {
            // It does not read, or has ended: then it does not wait for the answer either.
        }
    }
}
