using System.Collections.Concurrent;
using System.Threading.Channels;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// A session over a <see cref="IMessageChannel"/>: what the client posts goes in, and each message that comes out finds its reader.
/// </summary>
/// <remarks>
///     answer to request N ───────────────▶ whoever posted N
///     request or notification of the server ▶ the standalone stream if there is one, else the newest post that still waits
///
/// Every reader's queue is bounded: a slow one holds the server back. Over HTTP+SSE there is one reader, the stream itself.
/// </remarks>
internal sealed class Conversation : Session
{
    private readonly IMessageChannel _channel;
    private readonly CancellationTokenSource _closed = new();
    private readonly ConcurrentDictionary<string, Post> _waiting = new(StringComparer.Ordinal);
    private readonly Task _pump;
    private Channel<byte[]>? _stream;
    private readonly ConcurrentDictionary<string, int> _unanswered = new(StringComparer.Ordinal);
    private volatile Post? _newestPost;
    private volatile bool _hasEnded;

    private Conversation(string id, string transport, string? revision, Caller caller, Opened opened, IMessageChannel channel, TimeProvider time)
        : base(id, transport, revision, caller, time)
    {
        opened.Conversation = this;
        _channel = channel;
        _pump = Task.Run(PumpAsync);
    }

    /// <summary>Opens the channel, and the session over it.</summary>
    /// <exception cref="UpstreamException">There is no channel.</exception>
    public static async Task<Conversation> OpenAsync(
        string id, string transport, string? revision, Caller caller, IUpstream upstream, TimeProvider time, CancellationToken cancellationToken)
    {
        var opened = new Opened();
        var channel = await upstream.OpenAsync(id, () => opened.Conversation?.Caller ?? caller, cancellationToken);
        return new(id, transport, revision, caller, opened, channel, time);
    }

    /// <summary>The channel is there before the session is.</summary>
    private sealed class Opened
    {
        public volatile Conversation? Conversation;
    }

    /// <summary>Cancelled when the session is over.</summary>
    public CancellationToken Closed => _closed.Token;

    /// <summary>The server ended by itself: nothing that is sent is answered any more.</summary>
    public bool HasEnded => _hasEnded;

    /// <summary>
    /// Over HTTP+SSE nobody waits for an answer but the stream: whether the session may take on this message. Not while too many
    /// requests wait for one, for instance because nobody reads the stream.
    /// </summary>
    public bool TakesOn(McpMessage message, int bytes)
    {
        if (message.CancelledIdKey is { } cancelled)
            _unanswered.TryRemove(cancelled, out _);
        if (message.Kind != McpMessageKind.Request)
            return true;
        return _unanswered.Count < Limits.UnansweredRequests
            && _unanswered.Values.Sum() <= Limits.MessageBytes
            && _unanswered.TryAdd(message.IdKey!, bytes);
    }

    /// <summary>A message that was taken on did not reach the server: no answer will come.</summary>
    public void GiveUp(McpMessage message)
    {
        if (message.IdKey is { } id)
            _unanswered.TryRemove(id, out _);
    }

    /// <summary>Sends a message to the server. A request over Streamable HTTP has a reader first (<see cref="Await"/>).</summary>
    /// <exception cref="IOException">The server is gone.</exception>
    public Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken) => _channel.SendAsync(message, cancellationToken);

    /// <summary>
    /// Registers a reader for the answers to requests that are about to be sent: what arrives on their behalf, until all are answered.
    /// Null while a request of the same id is waiting.
    /// </summary>
    public ChannelReader<byte[]>? Await(IReadOnlyList<McpMessage> requests)
    {
        var post = new Post(NewQueue(Limits.WaitingMessages), requests.Count);
        for (var i = 0; i < requests.Count; i++)
        {
            if (_waiting.TryAdd(requests[i].IdKey!, post))
                continue;
            Forget([.. requests.Take(i)]);
            return null;
        }
        _newestPost = post;
        // The server may have ended meanwhile, and then nobody else tells this reader.
        if (_hasEnded)
            Forget(requests);
        return post.Queue.Reader;
    }

    /// <summary>Nobody waits for the answers to requests any more: they came, or their caller left.</summary>
    public void Forget(IReadOnlyList<McpMessage> requests)
    {
        for (var i = 0; i < requests.Count; i++)
        {
            if (_waiting.TryRemove(requests[i].IdKey!, out var post))
                post.Queue.Writer.TryComplete();
        }
    }

    /// <summary>A reader of answers, and how many are still to come.</summary>
    private sealed class Post(Channel<byte[]> queue, int unanswered)
    {
        private int _unanswered = unanswered;

        public Channel<byte[]> Queue => queue;

        public void Answered()
        {
            if (Interlocked.Decrement(ref _unanswered) == 0)
                queue.Writer.TryComplete();
        }
    }

    /// <summary>Opens the one stream for what the server sends of itself. Null while there is one.</summary>
    public ChannelReader<byte[]>? OpenStream()
    {
        // Over HTTP+SSE what waits here counts as answered; so nearly nothing may wait here.
        var stream = NewQueue(Transport == AccessRecord.Sse ? 1 : Limits.WaitingMessages);
        return Interlocked.CompareExchange(ref _stream, stream, null) is null ? stream.Reader : null;
    }

    public void CloseStream() => Interlocked.Exchange(ref _stream, null)?.Writer.TryComplete();

    public override async ValueTask DisposeAsync()
    {
        // The pump first: it may be just about to read, which it may no more once the channel is gone.
        await _closed.CancelAsync();
        await _pump;
        await _channel.DisposeAsync();
    }

    private async Task PumpAsync()
    {
        try
        {
            await foreach (var line in _channel.ReadAllAsync(_closed.Token))
            {
                if (McpMessage.Scan(line, out var message) != McpScan.Message)
                    continue;
                if (message.Kind == McpMessageKind.Response && Transport == AccessRecord.StreamableHttp)
                {
                    if (message.IdKey is not null && _waiting.TryRemove(message.IdKey, out var post))
                    {
                        await WriteAsync(post.Queue, line);
                        post.Answered();
                    }
                }
                else if (ReaderForServersOwn() is { } reader)
                {
                    await WriteAsync(reader, line);
                    if (message is { Kind: McpMessageKind.Response, IdKey: { } answered })
                        _unanswered.TryRemove(answered, out _);
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
        finally
        {
            _hasEnded = true;
            foreach (var post in _waiting.Values)
                post.Queue.Writer.TryComplete();
            CloseStream();
        }
    }

    private Channel<byte[]>? ReaderForServersOwn()
    {
        if (Volatile.Read(ref _stream) is { } stream)
            return stream;
        var waiting = _waiting.Values;
        return (_newestPost is { } newest && waiting.Contains(newest) ? newest : waiting.FirstOrDefault())?.Queue;
    }

    private async Task WriteAsync(Channel<byte[]> queue, byte[] line)
    {
        try
        {
            await queue.Writer.WriteAsync(line, _closed.Token);
        }
        catch (ChannelClosedException)
        {
            // Its reader has just left.
        }
    }

    private static Channel<byte[]> NewQueue(int capacity) =>
        Channel.CreateBounded<byte[]>(new BoundedChannelOptions(capacity) { SingleReader = true });
}
