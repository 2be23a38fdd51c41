using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Protocol;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>
/// An MCP server behind the gate that speaks HTTP. What it says about the gate (redirects, refusals, faults) is a fault here and goes to
/// nobody; what it is not well of is told in the log once, and once a minute where it comes and goes.
/// </summary>
internal sealed partial class HttpUpstream : IUpstream, IDisposable
{
    /// <summary>Says that there is none (RFC 9110, section 8.4.1); the C# SDK's servers say so of their streams.</summary>
    private const string NoEncoding = "identity";

    private static readonly TimeSpan s_closingLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_connectLimit = TimeSpan.FromSeconds(10);

    /// <summary>It is not asked what it is more often than that because its answers look like another one's.</summary>
    private static readonly TimeSpan s_certain = TimeSpan.FromMinutes(1);

    /// <summary>Of faults that come and go no more is told.</summary>
    private static readonly TimeSpan s_quiet = TimeSpan.FromMinutes(1);

    private readonly HttpMessageInvoker _client;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;
    private readonly ILogger<HttpUpstream> _logger;
    private readonly CallerAssertions? _assertions;
    private readonly Lock _gate = new();
    private volatile UpstreamNature? _known;
    private Task<UpstreamNature>? _learning;
    private long _askedAt;
    private volatile bool _isDoubted;
    private Reason? _fault;
    private Reason? _told;
    private long? _toldAt;

    /// <param name="setting">Where it is.</param>
    /// <param name="patience">How long it may take until its answer begins.</param>
    /// <param name="acts">The record of what the gate says to it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where changes of its health are told.</param>
    /// <param name="assertions">Tell it who calls, where its setting says so. Null where the gate has no keys yet.</param>
    public HttpUpstream(
        UpstreamSetting setting, TimeSpan patience, GateActs acts, TimeProvider time, ILogger<HttpUpstream> logger, CallerAssertions? assertions)
    {
        (Setting, _patience, Acts, _time, _logger, _assertions) = (setting, patience, acts, time, logger, setting.Identity == UpstreamIdentity.Jwt ? assertions : null);
        _client = new(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            UseProxy = false,
            ActivityHeadersPropagator = null,
            ConnectTimeout = s_connectLimit,
            // A stream that is let go of ends at once, and is not read on in the hope that it ends soon.
            ResponseDrainTimeout = TimeSpan.Zero,
            MaxResponseHeadersLength = Limits.RequestHeadersBytes / 1024,
        });
    }

    public UpstreamSetting Setting { get; }

    public GateActs Acts { get; }

    public TimeProvider Time => _time;

    public UpstreamNature? Known => _known;

    /// <summary>It may have become another one: it is asked again when that matters.</summary>
    public bool IsDoubted => _isDoubted;

    /// <summary>What was wrong with its newest answer; null where nothing was, or it has not been asked.</summary>
    public Reason? Fault => _fault;

    /// <summary>A request to it, with the gate's own headers for it. A session of its own is named by <paramref name="session"/>.</summary>
    /// <param name="caller">For whom it is; null for the gate itself.</param>
    public HttpRequestMessage Request(HttpMethod method, Caller? caller = null, ReadOnlyMemory<byte>? body = null, string? session = null, Uri? url = null)
    {
        var request = new HttpRequestMessage(method, url ?? Setting.Url) { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        foreach (var header in Setting.Headers)
            request.Headers.TryAddWithoutValidation(header.Name, header.Value);
        if (_assertions is not null)
            request.Headers.TryAddWithoutValidation(CallerAssertions.Header, _assertions.For(Setting.Audience, caller));
        if (session is not null)
            request.Headers.TryAddWithoutValidation(McpHeader.Session, session);
        if (body is not null)
            request.Content = new ReadOnlyMemoryContent(body.Value) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        return request;
    }

    /// <summary>Sends it and waits until the answer begins; the body is read from the answer. Streams have no limit of time.</summary>
    /// <exception cref="UpstreamException">There is no answer that could be used.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(_patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        using var span = UpstreamSpan.Begin(request, Setting);
        try
        {
            var response = await _client.SendAsync(request, either.Token);
            UpstreamSpan.Answered(span, (int)response.StatusCode);
            if (FaultOf(response) is { } fault)
            {
                response.Dispose();
                throw new UpstreamException(fault, reached: true, $"it answered {(int)response.StatusCode}");
            }
            // It answers. Whether that can be used, only what it says will show.
            if (_fault is not (Reason.UpstreamMalformed or Reason.UpstreamEnded))
                Tell(null, "");
            return response;
        }
        catch (UpstreamException exception)
        {
            Tell(exception.Reason, exception.Message);
            UpstreamSpan.Failed(span, exception.Reason.Word());
            throw;
        }
        catch (HttpRequestException exception)
        {
            var reason = exception.HttpRequestError switch
            {
                HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded => Reason.UpstreamMalformed,
                HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError => Reason.UpstreamUnreachable,
                // A connection that was there and broke, whatever that is called.
                _ => Reason.UpstreamEnded,
            };
            var fault = new UpstreamException(reason, reached: reason != Reason.UpstreamUnreachable, exception.GetBaseException().Message.TrimEnd('.'), exception);
            Tell(fault.Reason, fault.Message);
            UpstreamSpan.Failed(span, fault.Reason.Word());
            throw fault;
        }
        // The limit of a connection is a TimeoutException within.
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested && (patience.IsCancellationRequested || exception.InnerException is TimeoutException))
        {
            var connecting = exception.InnerException is TimeoutException;
            var fault = new UpstreamException(connecting ? Reason.UpstreamUnreachable : Reason.UpstreamTimeout, !connecting, "it did not answer in time", exception);
            Tell(fault.Reason, fault.Message);
            UpstreamSpan.Failed(span, fault.Reason.Word());
            throw fault;
        }
    }

    /// <summary>What it answered could be used.</summary>
    public void Answered() => Tell(null, "");

    /// <summary>What came, or did not, after its answer had begun.</summary>
    public void Failed(UpstreamException fault)
    {
        Tell(fault.Reason, fault.Message);
        if (fault.Reason is Reason.UpstreamMalformed or Reason.UpstreamFailed)
            Doubt();
    }

    /// <summary>It answers as a server of its kind does not. What was known of it holds until it has been asked again.</summary>
    public void Doubt()
    {
        lock (_gate)
            _isDoubted |= _known is not null && _time.GetElapsedTime(_askedAt) >= s_certain;
    }

    public ValueTask<UpstreamNature> LearnAsync(CancellationToken cancellationToken)
    {
        if (_known is { } known && !_isDoubted)
            return new(known);
        Task<UpstreamNature> learning;
        // Whoever asks meanwhile waits for the same answer; it is nobody's alone, and nobody's leaving ends it.
        lock (_gate)
            learning = _learning is { IsCompleted: false } running ? running : _learning = LearnAsync();
        return new(learning.WaitAsync(cancellationToken));
    }

    public async ValueTask<IMessageChannel> OpenAsync(string session, Func<Caller> caller, CancellationToken cancellationToken)
    {
        if ((await LearnAsync(cancellationToken)).Transport == UpstreamTransport.StreamableHttp)
            return new StreamableHttpChannel(this, session, caller);
        await Acts.RecordAsync(GateAct.SessionSetUp, Setting.Audience, session);
        return await JudgeAsync(SseChannel.OpenAsync(this, caller, cancellationToken));
    }

    /// <summary>Tells it that a session is over, of which it would not hear otherwise. It need not let itself be told.</summary>
    /// <param name="session">The gate's id for it.</param>
    /// <param name="upstreamId">Its own.</param>
    /// <param name="revision">The revision that was settled on, where it is known.</param>
    public async Task EndSessionAsync(string session, string upstreamId, string? revision)
    {
        try
        {
            await Acts.RecordAsync(GateAct.Closing, Setting.Audience, session);
            using var limit = new CancellationTokenSource(s_closingLimit, _time);
            using var request = Request(HttpMethod.Delete, session: upstreamId);
            if (revision is not null)
                request.Headers.TryAddWithoutValidation(McpHeader.Revision, revision);
            using var response = await SendAsync(request, limit.Token);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or AuditUnavailableException)
        {
            // It will find out by itself.
        }
    }

    public void Dispose() => _client.Dispose();

    private async Task<UpstreamNature> LearnAsync()
    {
        // Whatever comes of it, it was asked.
        (_askedAt, _isDoubted) = (_time.GetTimestamp(), false);
        await Acts.RecordAsync(GateAct.Discovery, Setting.Audience);
        return _known = await JudgeAsync(new UpstreamProbe(this).AskAsync(CancellationToken.None));
    }

    private async Task<T> JudgeAsync<T>(Task<T> asking)
    {
        try
        {
            var answer = await asking;
            Answered();
            return answer;
        }
        catch (UpstreamException fault)
        {
            Failed(fault);
            throw;
        }
    }

    /// <summary>Its own refusals and redirects are about the gate, not about the caller: never relayed, never followed.</summary>
    private static Reason? FaultOf(HttpResponseMessage response) => response.StatusCode switch
    {
        // An upgrade that nobody asked for.
        < HttpStatusCode.OK => Reason.UpstreamRefused,
        >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest => Reason.UpstreamRedirected,
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.ProxyAuthenticationRequired => Reason.UpstreamRefused,
        >= HttpStatusCode.InternalServerError => Reason.UpstreamFailed,
        _ => response.Content.Headers.ContentEncoding.All(encoding => encoding == NoEncoding) ? null : Reason.UpstreamMalformed,
    };

    private void Tell(Reason? fault, string detail)
    {
        if (_fault == fault && _told == fault)
            return;
        lock (_gate)
        {
            // It may come back as another one.
            if (fault == Reason.UpstreamUnreachable && _fault != fault)
                _known = null;
            _fault = fault;
            if (_told == fault || (fault is not null && _toldAt is { } at && _time.GetElapsedTime(at) < s_quiet))
                return;
            _told = fault;
            if (fault is not null)
                _toldAt = _time.GetTimestamp();
        }
        if (fault is null)
            LogBack(_logger, Setting.Url!);
        else
            LogFault(_logger, Setting.Url!, fault.Value.Word(), detail);
    }

    [LoggerMessage(LogLevel.Warning, "The upstream {Url} gives no usable answer ({Reason}): {Detail}. Run 'doctor' for what to change.")]
    private static partial void LogFault(ILogger logger, Uri url, string reason, string detail);

    [LoggerMessage(LogLevel.Warning, "The upstream {Url} answers again.")]
    private static partial void LogBack(ILogger logger, Uri url);
}
