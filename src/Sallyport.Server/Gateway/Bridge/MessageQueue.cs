using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// Messages of a server on their way to one reader. Bounded in number and in bytes: a slow reader holds the server back. One message
/// always fits.
/// </summary>
internal sealed class MessageQueue : ChannelReader<byte[]>
{
    private readonly Channel<byte[]> _messages;
    private readonly SemaphoreSlim _room = new(0);
    private long _bytes;

    public MessageQueue(int capacity) =>
        _messages = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(capacity) { SingleReader = true, SingleWriter = true });

    /// <summary>Waits for room; does nothing once the reader has left.</summary>
    public async Task WriteAsync(byte[] message, CancellationToken cancellationToken)
    {
        while (Volatile.Read(ref _bytes) is > 0 and var waiting && waiting + message.Length > Limits.MessageBytes && !Completion.IsCompleted)
            await _room.WaitAsync(cancellationToken);
        Interlocked.Add(ref _bytes, message.Length);
        try
        {
            await _messages.Writer.WriteAsync(message, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            // Its reader has just left.
        }
    }

    /// <summary>Nothing more comes; what waits can still be read.</summary>
    public void Complete()
    {
        _messages.Writer.TryComplete();
        _room.Release();
    }

    /// <summary>The reader has left: what waits is dropped, and nobody waits for it.</summary>
    public void Abandon()
    {
        Complete();
        while (TryRead(out _))
        {
        }
    }

    public override Task Completion => _messages.Reader.Completion;

    public override bool TryRead([MaybeNullWhen(false)] out byte[] item)
    {
        if (!_messages.Reader.TryRead(out item))
            return false;
        Interlocked.Add(ref _bytes, -item.Length);
        _room.Release();
        return true;
    }

    public override bool TryPeek([MaybeNullWhen(false)] out byte[] item) => _messages.Reader.TryPeek(out item);

    public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) => _messages.Reader.WaitToReadAsync(cancellationToken);
}
