using System.Runtime.CompilerServices;
using System.Text;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>
/// A conversation with a server that speaks HTTP+SSE (revision 2024-11-05): the stream is the session, and its first event names the
/// address to post to, which has to be at the same origin.
/// </summary>
internal sealed class SseChannel : IMessageChannel
{
    private static readonly TimeSpan s_endpointLimit = TimeSpan.FromSeconds(10);

    private readonly HttpUpstream _upstream;
    private readonly Func<Caller>? _caller;
    private readonly HttpResponseMessage _stream;
    private readonly IAsyncEnumerator<ServerEvent> _events;
    private readonly Uri _endpoint;
    private readonly CancellationTokenSource _closed;

    private SseChannel(HttpUpstream upstream, Func<Caller>? caller, HttpResponseMessage stream, IAsyncEnumerator<ServerEvent> events, Uri endpoint, CancellationTokenSource closed) =>
        (_upstream, _caller, _stream, _events, _endpoint, _closed) = (upstream, caller, stream, events, endpoint, closed);

    /// <summary>Opens the stream and waits for the address.</summary>
    /// <param name="upstream">The server.</param>
    /// <param name="caller">For whom a message is; null where the gate asks for itself.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="UpstreamException">It is no such server, or names an address elsewhere.</exception>
    public static async Task<SseChannel> OpenAsync(HttpUpstream upstream, Func<Caller>? caller, CancellationToken cancellationToken)
    {
        using var request = upstream.Request(HttpMethod.Get, caller?.Invoke());
        request.Headers.Accept.ParseAdd("text/event-stream");
        var stream = await upstream.SendAsync(request, cancellationToken);
        var closed = new CancellationTokenSource();
        try
        {
            if (!stream.IsSuccessStatusCode || stream.Content.Headers.ContentType?.MediaType != "text/event-stream")
                throw new UpstreamException(Reason.UpstreamMalformed, reached: true, $"GET was answered {(int)stream.StatusCode} and not with a stream");
            var events = EventReader.ReadAllAsync(await stream.Content.ReadAsStreamAsync(cancellationToken), closed.Token).GetAsyncEnumerator(closed.Token);
            if (!await events.MoveNextAsync().AsTask().WaitAsync(s_endpointLimit, upstream.Time, cancellationToken) || events.Current.Name != "endpoint")
                throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "its stream does not begin with an endpoint event");
            if (!Uri.TryCreate(upstream.Setting.Url!, Encoding.UTF8.GetString(events.Current.Data), out var endpoint)
                || Uri.Compare(endpoint, upstream.Setting.Url, UriComponents.SchemeAndServer | UriComponents.UserInfo, UriFormat.UriEscaped, StringComparison.OrdinalIgnoreCase) != 0)
                throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "its endpoint event names an address elsewhere");
            return new(upstream, caller, stream, events, endpoint, closed);
        }
        catch (Exception exception)
        {
            await closed.CancelAsync();
            stream.Dispose();
            throw exception is TimeoutException ? new UpstreamException(Reason.UpstreamTimeout, reached: true, "its endpoint event did not come in time", exception) : exception;
        }
    }

    public async Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        var body = new MessageContent(message);
        try
        {
            await PostAsync(body).WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            if (body.GiveUp())
                throw;
        }
    }

    public async IAsyncEnumerable<byte[]> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.UnsafeRegister(static closed => ((CancellationTokenSource)closed!).Cancel(), _closed);
        while (await MoveNextAsync())
        {
            if (_events.Current is { Name: "message", Data: { Length: > 0 and <= Limits.MessageBytes } data })
                yield return data;
        }
        cancellationToken.ThrowIfCancellationRequested();
    }

    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        _stream.Dispose();
    }

    private async Task PostAsync(MessageContent body)
    {
        try
        {
            using var request = _upstream.Request(HttpMethod.Post, _caller?.Invoke(), url: _endpoint);
            request.Content = body;
            using var response = await _upstream.SendAsync(request, _closed.Token);
            if (!response.IsSuccessStatusCode)
                throw new UpstreamException(Reason.UpstreamFailed, reached: true, $"a message was answered {(int)response.StatusCode}");
        }
        catch (OperationCanceledException exception)
        {
            throw new UpstreamException(Reason.UpstreamEnded, body.IsBegun, "the session is over", exception);
        }
    }

    private async ValueTask<bool> MoveNextAsync()
    {
        try
        {
            return await _events.MoveNextAsync();
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // The stream is the session: it is over.
            return false;
        }
    }
}
