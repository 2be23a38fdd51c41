using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
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
    private readonly Channel<Received> _received = Channel.CreateBounded<Received>(1);
    private readonly CancellationTokenSource _closed = new();
    private volatile string? _session;
    private volatile string? _revision;
    private int _listens;

    public async Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (McpMessage.Scan(message.Span, out var scanned) != McpScan.Message)
            throw new UpstreamException(Reason.MessageMalformed, reached: false, "it is no message");
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        // What is no request is answered at once, and nobody but its sender could be told what it came to.
        var body = new MessageContent(message, scanned.Kind == McpMessageKind.Request ? sent : null);
        _ = ExchangeAsync(body, scanned, sent);
        try
        {
            await sent.Task.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            if (body.GiveUp())
                throw;
            // From here on its client is told what goes wrong, like of any that was sent.
            if (!sent.TrySetResult())
                await sent.Task;
        }
    }

    public Reason? Fault { get; private set; }

    public async IAsyncEnumerable<byte[]> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var (message, fault) in _received.Reader.ReadAllAsync(cancellationToken))
        {
            Fault = fault;
            yield return message;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        if (_session is { } upstreamId)
            await upstream.EndSessionAsync(session, upstreamId, _revision);
    }

    /// <summary>One POST and all that it brings. What goes wrong before the message was sent, its sender is told; later its client is.</summary>
    private async Task ExchangeAsync(MessageContent body, McpMessage message, TaskCompletionSource sent)
    {
        try
        {
            using var request = NewRequest(HttpMethod.Post, body);
            request.Headers.Accept.ParseAdd("application/json, text/event-stream");
            using var response = await upstream.SendAsync(request, _closed.Token);
            if (!response.IsSuccessStatusCode && message.Method == "initialize")
                upstream.Doubt();
            if (!response.IsSuccessStatusCode)
            {
                if (await ErrorAsync(response, message) is not { } error)
                    throw new UpstreamException(Reason.UpstreamFailed, reached: true, $"a message was answered {(int)response.StatusCode}");
                sent.TrySetResult();
                await TakeAsync(error, message);
                return;
            }
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
            var fault = exception as UpstreamException ?? new UpstreamException(Reason.UpstreamEnded, body.IsBegun, "the session is over", exception);
            if (!sent.TrySetException(fault) && message.Kind == McpMessageKind.Request)
                await TellAsync(fault.Reason, message);
        }
    }

    /// <summary>The error that a request is refused with, in the protocol's words; null where there is none. Upon a 404 of any other meaning the session is over.</summary>
    private async Task<byte[]?> ErrorAsync(HttpResponseMessage response, McpMessage request)
    {
        byte[]? error = null;
        int? code = null;
        if (request.Kind == McpMessageKind.Request && await UpstreamAnswer.ReadFirstAsync(response, _closed.Token) is { } bytes
            && McpMessage.Scan(bytes, out var answer) == McpScan.Message && answer.Kind == McpMessageKind.Response)
        {
            code = answer.ErrorCode;
            if (answer.IdKey == request.IdKey)
                error = bytes;
            else if (answer.IdKey is null && !McpPlaces.IsEmpty(answer.Places.Id))
                error = answer.Places.Replace(bytes, Encoding.UTF8.GetBytes(request.IdJson!), progressToken: null);
        }
        if (response.StatusCode != HttpStatusCode.NotFound || _session is null || (error is not null && code == JsonRpcError.MethodNotFound))
            return error;
        _received.Writer.TryComplete();
        return null;
    }

    /// <summary>Takes the answer to a request, with what comes before it. Where its stream ends early, it is gone on with by its last event's id.</summary>
    private async Task<bool> ReceiveAsync(HttpResponseMessage response, McpMessage request)
    {
        if (response.Content.Headers.ContentType?.MediaType != "text/event-stream")
        {
            var answer = await UpstreamAnswer.ReadAsync(response, _closed.Token);
            return await TakeAsync(answer, request);
        }
        var heard = await PumpAsync(response, request);
        return heard.IsAnswered || (heard.Last is not null && await FollowAsync(request, heard.Last, heard.Retry));
    }

    /// <summary>
    /// Listens, again and again, behind the last event that came: for the answer to a request, or for what the server says of itself. As long as
    /// nothing comes it waits longer each time, up to a minute, at which an answer is given up. What the server asks for is waited in any case.
    /// </summary>
    /// <returns>Whether the answer came; false where the server offers no such stream.</returns>
    private async Task<bool> FollowAsync(McpMessage? request, string? last, TimeSpan? retry)
    {
        var wait = retry ?? s_firstDelay;
        for (var delay = s_firstDelay; request is null || delay < s_longestDelay;)
        {
            await Task.Delay(wait, upstream.Time, _closed.Token);
            Heard heard = default;
            try
            {
                using var stream = await ListenOnceAsync(last);
                if (stream is null)
                    return false;
                heard = await PumpAsync(stream, request);
                if (heard.IsAnswered)
                    return true;
            }
            catch (UpstreamException exception) when (request is null || exception.Reason != Reason.UpstreamMalformed)
            {
                // It may be back by the next time.
            }
            (last, retry) = (heard.Last ?? last, heard.Retry ?? retry);
            delay = heard.Anything ? s_firstDelay : delay * 2 < s_longestDelay ? delay * 2 : s_longestDelay;
            wait = retry > delay ? retry.Value : delay;
        }
        return false;
    }

    /// <summary>Passes on what a stream brings, until the answer has come, or it ends or breaks: it can be gone on with.</summary>
    private async Task<Heard> PumpAsync(HttpResponseMessage response, McpMessage? request)
    {
        Heard heard = default;
        try
        {
            await foreach (var each in EventReader.ReadAllAsync(await response.Content.ReadAsStreamAsync(_closed.Token), _closed.Token))
            {
                heard.Anything |= each.Data.Length > 0 || each.Id is not null;
                heard.Last = each.Id ?? heard.Last;
                heard.Retry = each.Retry is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : heard.Retry;
                if (each.Data.Length > 0 && await TakeAsync(each.Data, request) && request is not null)
                {
                    heard.IsAnswered = true;
                    break;
                }
            }
        }
        catch (UpstreamException exception) when (exception.Reason == Reason.UpstreamEnded)
        {
            // As if it had ended.
        }
        return heard;
    }

    /// <summary>What came over one stream.</summary>
    private record struct Heard(bool Anything, bool IsAnswered, string? Last, TimeSpan? Retry);

    /// <summary>Passes on what came; whether it was the answer to the request.</summary>
    private async Task<bool> TakeAsync(byte[] bytes, McpMessage? request)
    {
        if (McpMessage.Scan(bytes, out var message) != McpScan.Message)
            throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "it sent what is no message");
        if (request?.Method == "initialize" && message.Kind == McpMessageKind.Response)
            _revision = UpstreamAnswer.RevisionOf(bytes);
        // JSON may be indented: line ends in a message can only be white space between tokens.
        bytes.AsSpan().Replace((byte)'\n', (byte)' ');
        bytes.AsSpan().Replace((byte)'\r', (byte)' ');
        var answers = message.Kind == McpMessageKind.Response && message.IdKey == request?.IdKey;
        if (answers)
            upstream.Answered();
        await _received.Writer.WriteAsync(new(bytes), _closed.Token);
        return answers;
    }

    /// <summary>Listens for what the server says of itself, as long as it lets us and the session lives.</summary>
    private async Task ListenAsync()
    {
        try
        {
            await FollowAsync(request: null, last: null, TimeSpan.Zero);
        }
        catch (Exception exception) when (exception is OperationCanceledException or ChannelClosedException or AuditUnavailableException)
        {
            // The session is over, or the gate is closed.
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

    private async Task TellAsync(Reason fault, McpMessage request)
    {
        try
        {
            await _received.Writer.WriteAsync(new(JsonRpcError.Bytes(fault, request), fault), _closed.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or ChannelClosedException)
        {
            // Nobody waits for it any more.
        }
    }

    /// <param name="Fault">Why it is the gate's own error.</param>
    private readonly record struct Received(byte[] Message, Reason? Fault = null);
}
