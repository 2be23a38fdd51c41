using System.Diagnostics;
using System.Globalization;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Telemetry;

/// <summary>
/// What a request costs at an upstream as a span within that of the caller's message: of HTTP until the answer begins. An HTTP upstream is
/// told which by <c>traceparent</c>. Of its address, which may have a secret in its query, the span has host and port.
/// </summary>
internal static class UpstreamSpan
{
    private const int FirstError = 400;

    /// <summary>Null where nobody looks, and for what the gate does by itself.</summary>
    public static Activity? Begin(HttpRequestMessage request, UpstreamSetting upstream)
    {
        if (Activity.Current is not { Source.Name: GateMeter.Name, IsStopped: false } caller || caller.Source.StartActivity(request.Method.Method, ActivityKind.Client) is not { } span)
            return null;
        request.Headers.TryAddWithoutValidation("traceparent", span.Id);
        if (span.IsAllDataRequested && request.RequestUri is { } url)
            span.SetTag("http.request.method", request.Method.Method).SetTag("server.address", url.Host).SetTag("server.port", url.Port).SetTag("upstream", upstream.Label);
        return span;
    }

    /// <summary>What a message costs at a server that is spoken to by lines: a command, or the built-in one. It is told of no trace.</summary>
    public static Activity? Begin(string? method, UpstreamSetting upstream)
    {
        if (upstream.Url is not null || Activity.Current is not { Source.Name: GateMeter.Name, IsStopped: false } caller || caller.Source.StartActivity(McpMethods.Label(method), ActivityKind.Client) is not { } span)
            return null;
        return span.SetTag("mcp.method.name", McpMethods.Label(method)).SetTag("network.transport", "pipe").SetTag("upstream", upstream.Label);
    }

    public static void Answered(Activity? span, int status)
    {
        span?.SetTag("http.response.status_code", status);
        if (status >= FirstError)
            Failed(span, status.ToString(CultureInfo.InvariantCulture));
    }

    public static void Failed(Activity? span, string error) => span?.SetTag("error.type", error).SetStatus(ActivityStatusCode.Error);
}
