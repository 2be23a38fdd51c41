using System.Collections.Concurrent;
using Sallyport.Proof.Events;
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
internal sealed class Conversation : ChannelSession
{
    private readonly AccessRecord _accesses;
    private readonly ConcurrentDictionary<string, Post> _waiting = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Reason> _faults = new(StringComparer.Ordinal);
    private MessageQueue? _stream;
    private volatile Post? _newestPost;

    private Conversation(string id, string transport, Caller caller, Opened opened, IMessageChannel channel, AccessRecord accesses, TimeProvider time)
        : base(id, transport, caller, channel, time)
    {
        opened.Conversation = this;
        _accesses = accesses;
        Start();
    }

    /// <summary>Opens the channel, and the session over it.</summary>
    /// <exception cref="UpstreamException">There is no channel.</exception>
    public static async Task<Conversation> OpenAsync(
        string id, string transport, Caller caller, IUpstream upstream, AccessRecord accesses, TimeProvider time, CancellationToken cancellationToken)
    {
        var opened = new Opened();
        var channel = await upstream.OpenAsync(id, () => opened.Conversation?.Caller ?? caller, cancellationToken);
        return new(id, transport, caller, opened, channel, accesses, time);
    }

    /// <summary>The channel is there before the session is.</summary>
    private sealed class Opened
    {
        public volatile Conversation? Conversation;
    }

    /// <summary>Of HTTP+SSE: the requests whose answers come over the stream.</summary>
    public Unanswered Unanswered { get; } = new();

    /// <summary>Sends a message to the server. A request over Streamable HTTP has a reader first (<see cref="Await"/>).</summary>
    /// <exception cref="UpstreamException">The server is gone, or did not take it.</exception>
    /// <exception cref="OperationCanceledException">Nothing of it has left.</exception>
    public async Task SendAsync(McpMessage message, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await Channel.SendAsync(bytes, cancellationToken);
        // A request that was taken back is not answered (2025-11-25, cancellation): its post ends.
        if (message.CancelledIdKey is { } cancelled && _waiting.TryRemove(cancelled, out var post))
            post.Answered();
    }

    /// <summary>
    /// Registers a reader for the answers to requests that are about to be sent: what arrives on their behalf, until all are answered.
    /// Null while a request of the same id is waiting.
    /// </summary>
    public MessageQueue? Await(IReadOnlyList<McpMessage> requests)
    {
        var post = new Post(requests.Count);
        for (var i = 0; i < requests.Count; i++)
        {
            if (_waiting.TryAdd(requests[i].IdKey!, post))
                continue;
            Forget([.. requests.Take(i)]);
            return null;
        }
        _newestPost = post;
        // The server may have ended meanwhile, and then nobody else tells this reader.
        if (HasEnded)
            post.Queue.Complete();
        return post.Queue;
    }

    /// <summary>Nobody waits for the answers to requests any more: they came, or their caller left.</summary>
    /// <returns>Those that were not answered.</returns>
    public IReadOnlyList<McpMessage> Forget(IReadOnlyList<McpMessage> requests)
    {
        var unanswered = new List<McpMessage>();
        for (var i = 0; i < requests.Count; i++)
        {
            if (!_waiting.TryRemove(requests[i].IdKey!, out var post))
                continue;
            post.Queue.Abandon();
            unanswered.Add(requests[i]);
        }
        return unanswered;
    }

    /// <summary>Why the answer to a request was none that its client may get; null where it was one.</summary>
    public Reason? FaultOf(McpMessage request) => request.IdKey is { } id && _faults.TryRemove(id, out var fault) ? fault : null;

    /// <summary>A reader of answers, and how many are still to come.</summary>
    private sealed class Post(int unanswered)
    {
        private int _unanswered = unanswered;

        public MessageQueue Queue { get; } = new(Limits.WaitingMessages);

        public void Answered()
        {
            if (Interlocked.Decrement(ref _unanswered) == 0)
                Queue.Complete();
        }
    }

    /// <summary>Opens the one stream for what the server sends of itself. Null while there is one.</summary>
    public MessageQueue? OpenStream()
    {
        // Over HTTP+SSE what waits here counts as answered; so nearly nothing may wait here.
        var stream = new MessageQueue(Transport == AccessRecord.Sse ? 1 : Limits.WaitingMessages);
        if (Interlocked.CompareExchange(ref _stream, stream, null) is not null)
            return null;
        if (HasEnded)
            stream.Complete();
        return stream;
    }

    /// <summary>Of HTTP+SSE: the stream ends when what was asked is answered, and nothing more may be asked.</summary>
    public async Task DrainAsync()
    {
        await Unanswered.DrainAsync();
        Volatile.Read(ref _stream)?.Complete();
    }

    public void CloseStream() => Interlocked.Exchange(ref _stream, null)?.Abandon();

    protected override async Task TakeAsync(McpMessage message, byte[] line)
    {
        // The first answer is that to initialize.
        if (message.Kind == McpMessageKind.Response)
            Revision ??= UpstreamAnswer.RevisionOf(line);
        Reason? fault = null;
        if (ElicitationUrl.IsForbidden(message, line))
        {
            // A command was told by its channel; no other server hears of it.
            if (message is not { Kind: McpMessageKind.Response, IdKey: { } id })
                return;
            fault = Reason.UpstreamMalformed;
            line = JsonRpcError.Bytes(fault.Value, message with { Kind = McpMessageKind.Request });
            if (_waiting.ContainsKey(id))
                _faults[id] = fault.Value;
        }
        if (message.Kind == McpMessageKind.Response && Transport == AccessRecord.StreamableHttp)
        {
            if (message.IdKey is not null && _waiting.TryRemove(message.IdKey, out var post))
            {
                await post.Queue.WriteAsync(line, Closed);
                post.Answered();
            }
        }
        else if (ReaderForServersOwn() is { } reader)
        {
            await reader.WriteAsync(line, Closed);
            fault ??= Channel.Fault;
            if (message.Kind == McpMessageKind.Response && Unanswered.Remove(message.IdKey, fault) is { Access: { } access })
                _accesses.Forwarded(access, fault);
        }
    }

    protected override void CompleteAll()
    {
        foreach (var post in _waiting.Values)
            post.Queue.Complete();
        Volatile.Read(ref _stream)?.Complete();
    }

    private MessageQueue? ReaderForServersOwn()
    {
        if (Volatile.Read(ref _stream) is { } stream)
            return stream;
        var waiting = _waiting.Values;
        return (_newestPost is { } newest && waiting.Contains(newest) ? newest : waiting.FirstOrDefault())?.Queue;
    }
}
