using System.Net;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>A message on its way as a body: it is sent whole or not at all, whoever leaves meanwhile, and which of the two is known.</summary>
internal sealed class MessageContent : HttpContent
{
    private const int Waiting = 0, Begun = 1, GivenUp = 2;

    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly TaskCompletionSource? _written;
    private int _state;

    /// <param name="bytes">The message.</param>
    /// <param name="written">Is told when all of it was written: an answer may take as long as a tool does.</param>
    public MessageContent(ReadOnlyMemory<byte> bytes, TaskCompletionSource? written = null)
    {
        (_bytes, _written) = (bytes, written);
        Headers.ContentType = new("application/json");
    }

    /// <summary>The server may have seen some of it.</summary>
    public bool IsBegun => Volatile.Read(ref _state) == Begun;

    /// <summary>It is not to be sent any more. False when that has begun.</summary>
    public bool GiveUp() => Interlocked.CompareExchange(ref _state, GivenUp, Waiting) == Waiting;

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        if (Interlocked.CompareExchange(ref _state, Begun, Waiting) == GivenUp)
            throw new OperationCanceledException("Its sender has left");
        await stream.WriteAsync(_bytes);
        await stream.FlushAsync();
        _written?.TrySetResult();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _bytes.Length;
        return true;
    }
}
