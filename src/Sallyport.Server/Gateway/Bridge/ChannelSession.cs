using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>A session over an <see cref="IMessageChannel"/>: whatever comes out is read until the server ends it, or the gate does.</summary>
internal abstract class ChannelSession(string id, string transport, Caller caller, IMessageChannel channel, TimeProvider time)
    : Session(id, transport, caller, time)
{
    private readonly CancellationTokenSource _closed = new();
    private readonly TaskCompletionSource<Reason> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _pump = Task.CompletedTask;

    protected IMessageChannel Channel => channel;

    /// <summary>Cancelled when the session is over.</summary>
    public CancellationToken Closed => _closed.Token;

    /// <summary>The server ended by itself: nothing that is sent is answered any more.</summary>
    public bool HasEnded => _ended.Task.IsCompleted;

    public override Task<Reason> Ended => _ended.Task;

    public override async ValueTask DisposeAsync()
    {
        // The pump first: it may be just about to read, which it may no more once the channel is gone.
        // A server that ended by itself has told its readers; they read what there is.
        if (!HasEnded)
            await _closed.CancelAsync();
        await _pump;
        await channel.DisposeAsync();
    }

    /// <summary>Begins to read. Whoever takes what comes is ready for it now.</summary>
    protected void Start() => _pump = Task.Run(PumpAsync);

    /// <summary>Gives a message of the server's to its reader. Waits while the reader has too much already.</summary>
    protected abstract Task TakeAsync(McpMessage message, byte[] line);

    /// <summary>Nothing more comes: all readers are told.</summary>
    protected abstract void CompleteAll();

    private async Task PumpAsync()
    {
        try
        {
            await foreach (var line in channel.ReadAllAsync(_closed.Token))
            {
                if (McpMessage.Scan(line, out var message) == McpScan.Message)
                    await TakeAsync(message, line);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or AuditUnavailableException)
        {
            // The session is over, or the gate is closed.
        }
        finally
        {
            _ended.TrySetResult(channel.EndReason);
            CompleteAll();
        }
    }
}
