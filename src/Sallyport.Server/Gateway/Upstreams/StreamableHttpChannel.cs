using System.Net;
using System.Threading.Channels;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>
/// A conversation with a Streamable HTTP server for a client of HTTP+SSE: each message is a POST, and whatever comes back, in answers and
/// on the stream that is listened to, comes out in one order.
/// </summary>
internal sealed class StreamableHttpChannel(HttpUpstream upstream, string session, Func<Caller> caller) : IMessageChannel
{
    private static readonly TimeSpan s_firstDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longestDelay = TimeSpan.FromMinutes(1);

    /// <summary>Nearly nothing waits here: what the reader does not take, the server keeps.</summary>
    private readonly Channel<byte[]> _received = Channel.CreateBounded<byte[]>(1);
    private readonly CancellationTokenSource _closed = new();
    private volatile string? _session;
    private volatile string? _revision;
    private int _listens;

    public async Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (McpMessage.Scan(message.Span, out var scanned) != McpScan.Message)
            throw new UpstreamException(Reason.MessageMalformed, reached: false, "it is no message");
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = ExchangeAsync(message, scanned, sent);
        await sent.Task.WaitAsync(cancellationToken);
    }

    public IAsyncEnumerable<byte[]> ReadAllAsync(CancellationToken cancellationToken) => _received.Reader.ReadAllAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        if (_session is { } upstreamId)
            await upstream.EndSessionAsync(session, upstreamId, _revision);
    }

    /// <summary>One POST and all that it brings. What goes wrong before the message was sent, its sender is told; later its client is.</summary>
    private async Task ExchangeAsync(ReadOnlyMemory<byte> body, McpMessage message, TaskCompletionSource sent)
    {
        try
        {
            using var request = NewRequest(HttpMethod.Post, new SentContent(body, sent));
            request.Headers.Accept.ParseAdd("application/json, text/event-stream");
            using var response = await upstream.SendAsync(request, _closed.Token);
            if (response.StatusCode == HttpStatusCode.NotFound && _session is not null)
                _received.Writer.TryComplete();
            if (!response.IsSuccessStatusCode && message.Method == "initialize")
                upstream.Doubt();
            if (!response.IsSuccessStatusCode)
                throw new UpstreamException(Reason.UpstreamFailed, reached: true, $"a message was answered {(int)response.StatusCode}");
            if (message.Method == "initialize" && UpstreamAnswer.SessionOf(response) is { } opened)
                _session = opened;
            sent.TrySetResult();
            if (message.Kind == McpMessageKind.Request && !await ReceiveAsync(response, message))
                throw new UpstreamException(Reason.UpstreamEnded, reached: true, "its answer broke off");
            if (message.Method == "notifications/initialized" && Interlocked.Exchange(ref _listens, 1) == 0)
                _ = ListenAsync();
        }
        catch (Exception exception)
        {
            if (exception is UpstreamException { Reason: Reason.UpstreamMalformed or Reason.UpstreamEnded } unusable)
                upstream.Failed(unusable);
            var fault = exception is OperationCanceledException or ChannelClosedException ? new IOException("The session is over", exception) : exception;
            if (!sent.TrySetException(fault) && message.Kind == McpMessageKind.Request)
                await TellAsync(JsonRpcError.Bytes((exception as UpstreamException)?.Reason ?? Reason.UpstreamEnded, message));
        }
    }

    /// <summary>Takes the answer to a request, with what comes before it. Where its stream ends early, it is gone on with by its last event's id.</summary>
    private async Task<bool> ReceiveAsync(HttpResponseMessage response, McpMessage request)
    {
        if (response.Content.Headers.ContentType?.MediaType != "text/event-stream")
        {
            var answer = await UpstreamAnswer.ReadAsync(response, _closed.Token);
            return await TakeAsync(answer, request);
        }
        var (answered, last, retry) = await PumpAsync(response, request);
        for (var delay = retry ?? s_firstDelay; !answered && last is not null && delay < s_longestDelay; delay *= 2)
        {
            await Task.Delay(delay, upstream.Time, _closed.Token);
            using var again = await ListenOnceAsync(last);
            if (again is null)
                return false;
            (answered, var later, _) = await PumpAsync(again, request);
            last = later ?? last;
        }
        return answered;
    }

    private async Task<(bool Answered, string? Last, TimeSpan? Retry)> PumpAsync(HttpResponseMessage response, McpMessage? request)
    {
        string? last = null;
        TimeSpan? retry = null;
        try
        {
            await foreach (var each in EventReader.ReadAllAsync(await response.Content.ReadAsStreamAsync(_closed.Token), _closed.Token))
            {
                last = each.Id ?? last;
                retry = each.Retry is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : retry;
                if (each.Data.Length > 0 && await TakeAsync(each.Data, request) && request is not null)
                    return (true, last, retry);
            }
        }
        catch (UpstreamException exception) when (exception.Reason == Reason.UpstreamEnded && last is not null)
        {
            // It can be gone on with.
        }
        return (false, last, retry);
    }

    /// <summary>Passes on what came; whether it was the answer to the request.</summary>
    private async Task<bool> TakeAsync(byte[] bytes, McpMessage? request)
    {
        if (McpMessage.Scan(bytes, out var message) != McpScan.Message)
            throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "it sent what is no message");
        if (request?.Method == "initialize" && message.Kind == McpMessageKind.Response)
            _revision = UpstreamAnswer.RevisionOf(bytes);
        var answers = message.Kind == McpMessageKind.Response && message.IdKey == request?.IdKey;
        if (answers)
            upstream.Answered();
        await _received.Writer.WriteAsync(bytes, _closed.Token);
        return answers;
    }

    /// <summary>Listens for what the server says of itself, again and again, as long as it lets us.</summary>
    private async Task ListenAsync()
    {
        string? last = null;
        try
        {
            for (var delay = s_firstDelay; ; delay = delay * 2 < s_longestDelay ? delay * 2 : s_longestDelay)
            {
                using (var stream = await ListenOnceAsync(last))
                {
                    if (stream is null)
                        return;
                    (_, var later, var retry) = await PumpAsync(stream, request: null);
                    last = later ?? last;
                    delay = retry > delay ? retry.Value : delay;
                }
                await Task.Delay(delay, upstream.Time, _closed.Token);
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ChannelClosedException or AuditUnavailableException)
        {
            // Its answers come all the same; what it says of itself can be asked for.
        }
    }

    /// <summary>Null when the server offers no such stream.</summary>
    private async Task<HttpResponseMessage?> ListenOnceAsync(string? last)
    {
        await upstream.Acts.RecordAsync(GateAct.Listening, upstream.Setting.Audience, session);
        using var request = NewRequest(HttpMethod.Get);
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (last is not null)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", last);
        var response = await upstream.SendAsync(request, _closed.Token);
        if (response.IsSuccessStatusCode && response.Content.Headers.ContentType?.MediaType == "text/event-stream")
            return response;
        response.Dispose();
        return null;
    }

    private HttpRequestMessage NewRequest(HttpMethod method, HttpContent? content = null)
    {
        var request = upstream.Request(method, caller(), session: _session);
        request.Content = content;
        if (_revision is { } revision)
            request.Headers.TryAddWithoutValidation(McpHeader.Revision, revision);
        return request;
    }

    private async Task TellAsync(byte[] error)
    {
        try
        {
            await _received.Writer.WriteAsync(error, _closed.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or ChannelClosedException)
        {
            // Nobody waits for it any more.
        }
    }

    /// <summary>A body that tells when it was sent: an answer may take as long as a tool does.</summary>
    private sealed class SentContent : HttpContent
    {
        private readonly ReadOnlyMemory<byte> _bytes;
        private readonly TaskCompletionSource _sent;

        public SentContent(ReadOnlyMemory<byte> bytes, TaskCompletionSource sent)
        {
            (_bytes, _sent) = (bytes, sent);
            Headers.ContentType = new("application/json");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(_bytes);
            await stream.FlushAsync();
            _sent.TrySetResult();
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _bytes.Length;
            return true;
        }
    }
}
