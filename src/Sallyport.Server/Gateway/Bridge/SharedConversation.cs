using System.Buffers.Text;
using System.Collections.Concurrent;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// What the requests of one user and client share that stand for themselves (2026-07-28), with a server that has one channel for all. Each
/// gets a number, by which what the server says finds back to it.
/// </summary>
/// <remarks>
///     request with id 1, progress token "a" ▶ as 7 and 7 ▶ the server
///     answer to 7, progress of 7, what 7 subscribed to ▶ as 1 and "a" ▶ whoever posted that request
///     a notification that names no request ▶ whoever posted the newest that waits for its answer
///
/// Every reader's queue is bounded: a slow one holds the server back, for this user and client.
/// </remarks>
internal sealed class SharedConversation : ChannelSession
{
    private readonly ConcurrentDictionary<long, Exchange> _exchanges = new();
    private readonly Func<ValueTask> _cancels;
    private long _numbers;

    /// <param name="id">The gate's own name for it, which no client hears.</param>
    /// <param name="caller">Whose it is.</param>
    /// <param name="channel">The way to the server.</param>
    /// <param name="cancels">Records that a request is taken back, before the server hears it.</param>
    /// <param name="time">The clock.</param>
    public SharedConversation(string id, Caller caller, IMessageChannel channel, Func<ValueTask> cancels, TimeProvider time)
        : base(id, AccessRecord.StreamableHttp, caller, channel, time)
    {
        _cancels = cancels;
        Start();
    }

    public bool IsOver => HasEnded || Closed.IsCancellationRequested;

    /// <summary>Takes on a request that is about to be sent.</summary>
    public Exchange Begin(McpMessage request, ReadOnlyMemory<byte> bytes)
    {
        var exchange = new Exchange(Interlocked.Increment(ref _numbers), request, bytes);
        _exchanges[exchange.Number] = exchange;
        // The server may have ended meanwhile, and then nobody else tells this reader.
        if (HasEnded)
            exchange.Queue.Complete();
        return exchange;
    }

    /// <exception cref="UpstreamException">The server is gone, or does not read.</exception>
    public Task SendAsync(Exchange exchange, CancellationToken cancellationToken) => Channel.SendAsync(exchange.ToServer(), cancellationToken);

    /// <summary>Sends a notification. One that takes a request back ends that request's post.</summary>
    /// <returns>False when no such request waits for its answer.</returns>
    /// <exception cref="UpstreamException">The server is gone, or does not read.</exception>
    public async Task<bool> NotifyAsync(McpMessage notification, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (notification.CancelledIdKey is not { } cancelled)
        {
            await Channel.SendAsync(bytes, cancellationToken);
            return true;
        }
        if (Newest(exchange => exchange.Request.IdKey == cancelled) is not { } exchange || !_exchanges.TryRemove(exchange.Number, out _))
            return false;
        exchange.Queue.Complete();
        await Channel.SendAsync(notification.Places.Replace(bytes.Span, exchange.NumberJson, progressToken: null), cancellationToken);
        return true;
    }

    /// <summary>Nobody waits for the answer any more.</summary>
    /// <returns>False when it has come, or the request was taken back.</returns>
    public bool Forget(Exchange exchange)
    {
        var isUnanswered = _exchanges.TryRemove(exchange.Number, out _);
        exchange.Queue.Abandon();
        return isUnanswered;
    }

    /// <summary>
    /// Tells the server that it need not answer: over HTTP its caller just left (2026-07-28, "Cancellation"). Nobody waits for that.
    /// </summary>
    public void Cancel(Exchange exchange)
    {
        if (!IsOver)
            _ = CancelAsync(exchange);
    }

    private async Task CancelAsync(Exchange exchange)
    {
        try
        {
            await _cancels();
            await Channel.SendAsync(GateMessages.Cancelled(exchange.Number), Closed);
        }
        catch (Exception fault) when (fault is AuditUnavailableException or UpstreamException or OperationCanceledException)
        {
            // There is no record, so it is not told; or it is gone, or does not read. Its answer finds nobody.
        }
    }

    protected override async Task TakeAsync(McpMessage message, byte[] line)
    {
        // It may not ask of itself (2026-07-28, stdio); an answer to what nobody waits for any more is late.
        if (message.Kind == McpMessageKind.Request || ExchangeOf(message, line) is not { } exchange)
            return;
        exchange.Fault = ElicitationUrl.IsForbidden(message, line) ? Reason.UpstreamMalformed : null;
        await exchange.Queue.WriteAsync(exchange.Fault is { } fault ? JsonRpcError.Bytes(fault, exchange.Request) : exchange.ToClient(message, line), Closed);
        // The server takes back what was subscribed to when it ends that.
        if ((message.Kind == McpMessageKind.Response || message.CancelledIdKey is not null) && _exchanges.TryRemove(exchange.Number, out _))
            exchange.Queue.Complete();
    }

    protected override void CompleteAll()
    {
        foreach (var exchange in _exchanges.Values)
            exchange.Queue.Complete();
    }

    private Exchange? ExchangeOf(McpMessage message, ReadOnlySpan<byte> line)
    {
        var place = message.Kind == McpMessageKind.Response ? message.Places.Id : message.Places.OfRequest;
        if (message.Kind == McpMessageKind.Notification && McpPlaces.IsEmpty(place))
            return Newest(exchange => !exchange.IsSubscription);
        return Utf8Parser.TryParse(line[place], out long number, out var length) && length == line[place].Length
            && _exchanges.TryGetValue(number, out var found) && (message.Method != "notifications/progress" || found.WantsProgress)
            ? found : null;
    }

    private Exchange? Newest(Func<Exchange, bool> condition) => _exchanges.Values.Where(condition).MaxBy(exchange => exchange.Number);
}
