using System.Collections.Frozen;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>What became of a request that was to be forwarded.</summary>
/// <param name="Reached">Whether the upstream may have seen any of it.</param>
/// <param name="Fault">Why its answer could not be relayed.</param>
/// <param name="Status">The upstream's own HTTP status; 0 where there was none.</param>
internal sealed record ForwardResult(bool Reached, Reason? Fault, int Status);

/// <summary>
/// A Streamable HTTP server behind the gate, by YARP's forwarder. Requests carry only headers from a list: neither the caller's token
/// nor any header that could claim an identity gets there, in whatever spelling. So do answers.
/// </summary>
internal sealed partial class HttpUpstream : IDisposable
{
    /// <summary>A stream without a byte for this long is given up.</summary>
    private static readonly ForwarderRequestConfig s_request = new()
    {
        ActivityTimeout = TimeSpan.FromHours(24),
        Version = HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private static readonly FrozenSet<string> s_requestHeaders =
        FrozenSet.Create(StringComparer.OrdinalIgnoreCase, "Accept", "Accept-Language", "User-Agent", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Last-Event-ID");

    private static readonly string[] s_responseHeaders = ["Allow", "Retry-After", "MCP-Protocol-Version"];

    private const string ParameterHeaderPrefix = "Mcp-Param-";
    private const string SessionHeader = "Mcp-Session-Id";

    private readonly UpstreamSetting _setting;
    private readonly Uri _url;
    private readonly string _prefix;
    private readonly IHttpForwarder _forwarder;
    private readonly HttpMessageInvoker _client;
    private readonly ILogger<HttpUpstream> _logger;

    public HttpUpstream(UpstreamSetting setting, IHttpForwarder forwarder, ILogger<HttpUpstream> logger)
    {
        _logger = logger;
        _setting = setting;
        _url = setting.Url!;
        _prefix = _url.GetLeftPart(UriPartial.Authority);
        _forwarder = forwarder;
        _client = new(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            UseProxy = false,
            ActivityHeadersPropagator = null,
            ConnectTimeout = TimeSpan.FromSeconds(10),
        });
    }

    /// <summary>Forwards the request with that body, and relays the answer unless it is none to be relayed.</summary>
    /// <param name="answered">Called when the upstream's answer begins and can be relayed.</param>
    /// <param name="onSession">Called with the upstream's session id before the answer's headers leave; gives the one for the client.</param>
    public async Task<ForwardResult> ForwardAsync(
        HttpContext context, byte[] body, string? sessionId, Action answered, Func<string, Task<string>> onSession, CancellationToken cancellationToken)
    {
        // Nothing but HTTP: through an upgraded connection the forwarder would carry messages that nobody judged or recorded.
        context.Features.Set<IHttpUpgradeFeature>(null);
        context.Request.Body = new MemoryStream(body);
        context.Request.ContentLength = body.Length == 0 ? null : body.Length;
        var relay = new Relay(_setting, sessionId, answered, onSession);
        var headers = context.Response.Headers.ToList();
        var error = await _forwarder.SendAsync(context, _prefix, _client, s_request, relay, cancellationToken);
        if (relay.Fault is not null)
            return new(Reached: true, relay.Fault, relay.Status);
        if (error == ForwarderError.None)
            return new(Reached: true, null, relay.Status);
        // The forwarder clears the answer when it fails; what every answer carries has to be there all the same.
        if (!context.Response.HasStarted)
        {
            foreach (var (name, values) in headers)
                context.Response.Headers[name] = values;
        }
        var exception = context.Features.Get<IForwarderErrorFeature>()?.Exception;
        var unreached = exception
            is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError }
            or OperationCanceledException { InnerException: TimeoutException };
        if (unreached)
            LogUnreachable(_logger, _url, exception!.Message);
        return new(Reached: !unreached, cancellationToken.IsCancellationRequested ? Reason.CallerLeft : Reason.UpstreamUnreachable, relay.Status);
    }

    public void Dispose() => _client.Dispose();

    [LoggerMessage(LogLevel.Warning, "The upstream {Url} cannot be reached: {Problem}. Start it, or mend --upstream.")]
    private static partial void LogUnreachable(ILogger logger, Uri url, string problem);

    private sealed class Relay(UpstreamSetting setting, string? sessionId, Action answered, Func<string, Task<string>> onSession) : HttpTransformer
    {
        public Reason? Fault { get; private set; }
        public int Status { get; private set; }

        public override ValueTask TransformRequestAsync(HttpContext context, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            proxyRequest.RequestUri = setting.Url;
            foreach (var (name, values) in context.Request.Headers)
            {
                if (s_requestHeaders.Contains(name) || name.StartsWith(ParameterHeaderPrefix, StringComparison.OrdinalIgnoreCase))
                    _ = values.Count == 1 ? proxyRequest.Headers.TryAddWithoutValidation(name, values[0]) : proxyRequest.Headers.TryAddWithoutValidation(name, values.AsEnumerable());
            }
            foreach (var header in setting.Headers)
            {
                // Whatever a client calls by that name is not its own to say.
                proxyRequest.Headers.Remove(header.Name);
                proxyRequest.Headers.TryAddWithoutValidation(header.Name, header.Value);
            }
            if (sessionId is not null)
                proxyRequest.Headers.TryAddWithoutValidation(SessionHeader, sessionId);
            if (proxyRequest.Content is { } content)
            {
                content.Headers.ContentLength = context.Request.ContentLength;
                content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
            }
            return ValueTask.CompletedTask;
        }

        public override async ValueTask<bool> TransformResponseAsync(HttpContext context, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
        {
            if (proxyResponse is null)
                return false;
            Status = (int)proxyResponse.StatusCode;
            // Its own refusals and redirects are about the gate, not about the caller: never relayed, never followed.
            Fault = proxyResponse.StatusCode switch
            {
                // An upgrade that nobody asked for.
                < HttpStatusCode.OK => Reason.UpstreamRefused,
                >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest => Reason.UpstreamRedirected,
                HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.ProxyAuthenticationRequired => Reason.UpstreamRefused,
                _ => null,
            };
            if (Fault is not null)
                return false;
            var response = context.Response;
            foreach (var name in s_responseHeaders)
            {
                if (proxyResponse.Headers.TryGetValues(name, out var values) || proxyResponse.Content.Headers.TryGetValues(name, out values))
                    response.Headers[name] = values.ToArray();
            }
            if (proxyResponse.Content.Headers.ContentType is { } contentType)
                response.ContentType = contentType.ToString();
            response.ContentLength = proxyResponse.StatusCode == HttpStatusCode.NoContent ? null : proxyResponse.Content.Headers.ContentLength;
            if (proxyResponse.Content.Headers.ContentType?.MediaType == "text/event-stream")
                response.Headers["X-Accel-Buffering"] = "no";
            if (proxyResponse.Headers.TryGetValues(SessionHeader, out var ids) && ids.First() is { Length: > 0 } upstreamId)
            {
                response.Headers[SessionHeader] = await onSession(upstreamId);
            }
            answered();
            // The forwarder would keep the headers back until the first event, which may be hours away.
            if (proxyResponse.Content.Headers.ContentType?.MediaType == "text/event-stream")
                await response.BodyWriter.FlushAsync(cancellationToken);
            return true;
        }
    }
}
