using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Telemetry;

/// <summary>One request that somebody looks at: a feature of its context.</summary>
internal sealed class MeasuredRequest(Measurements measurements, Activity? span)
{
    private const int FirstServerError = 500;
    private readonly long _began = measurements.Now();
    private readonly List<MeasuredMessage> _messages = new(1);
    private Reason? _refused;
    private bool _isJudged;

    public static MeasuredRequest? Of(HttpContext context) => context.Features.Get<MeasuredRequest>();

    /// <summary>An access of it is on record, or its refusal.</summary>
    public void Judged(Reason? refused = null)
    {
        _refused ??= refused;
        if (_isJudged)
            return;
        _isJudged = true;
        measurements.Judged(measurements.Since(_began), refused is null);
    }

    /// <summary>A message of it is dealt with from here on.</summary>
    /// <param name="name">What it asks for, as the log has it.</param>
    public void Begin(UpstreamSetting upstream, string? method, string? name, string? revision, ReadOnlySpan<byte> message)
    {
        var label = McpMethods.Label(method);
        Activity? activity = null;
        if (span is not null)
        {
            // Messages of a batch stand side by side; what the gate then does belongs to the request.
            Activity.Current = span;
            activity = measurements.Start(label, ActivityKind.Server, MessageTrace.Of(message));
        }
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag("mcp.method.name", label);
            if (label == "tools/call")
                activity.SetTag("gen_ai.operation.name", "execute_tool").SetTag("gen_ai.tool.name", name);
            else if (label == "prompts/get")
                activity.SetTag("gen_ai.prompt.name", name);
            if (revision is not null && Protocol.Revision.IsKnown(revision))
                activity.SetTag("mcp.protocol.version", revision);
            activity.SetTag("network.transport", "tcp").SetTag("network.protocol.name", "http").SetTag("upstream", upstream.Label);
        }
        _messages.Add(new(upstream.Label, label, activity, measurements.Now()));
        if (_messages.Count > 1)
            Activity.Current = span;
    }

    /// <summary>The gate answers an error in the upstream's stead.</summary>
    public void Failed(Reason reason) => _messages.ForEach(message => message.Error ??= reason.Word());

    /// <summary>The upstream answered.</summary>
    /// <param name="code">That of an error; null where it is none.</param>
    public void Answered(int? code)
    {
        if (code is { } error)
            _messages.ForEach(message => message.Error ??= RpcErrors.Label(error));
    }

    /// <summary>It was answered, as far as it will be.</summary>
    public void End(HttpContext context)
    {
        foreach (var message in _messages)
        {
            measurements.Operated(measurements.Since(message.Began), message.Upstream, message.Method, message.Error);
            if (message.Span is { } activity)
                Close(activity, message.Error);
        }
        if (span is not { } request)
            return;
        if (request.IsAllDataRequested)
        {
            var method = Methods.Label(context.Request.Method);
            var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText;
            request.DisplayName = $"{(method == Methods.Other ? "HTTP" : method)}{(route is null ? "" : " " + route)}";
            request.SetTag("http.request.method", method).SetTag("http.route", route).SetTag("http.response.status_code", context.Response.StatusCode);
            if (_refused is { } reason)
                request.SetTag("sallyport.reason", reason.Word());
            if (context.Response.Headers["Sallyport-Event"] is [{ } id, ..])
                request.SetTag("sallyport.event", id);
        }
        Close(request, context.Response.StatusCode >= FirstServerError ? context.Response.StatusCode.ToString(CultureInfo.InvariantCulture) : null);
    }

    private static void Close(Activity activity, string? error)
    {
        if (error is not null)
            activity.SetTag("error.type", error).SetStatus(ActivityStatusCode.Error);
        activity.Dispose();
    }

    private sealed class MeasuredMessage(string upstream, string method, Activity? span, long began)
    {
        public string Upstream => upstream;
        public string Method => method;
        public Activity? Span => span;
        public long Began => began;
        public string? Error { get; set; }
    }
}

/// <summary>The methods of HTTP that conventions know.</summary>
internal static class Methods
{
    public const string Other = "_OTHER";

    public static string Label(string method) => method switch
    {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "CONNECT" => "CONNECT",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "PATCH" => "PATCH",
        _ => Other,
    };
}

/// <summary>The error codes that JSON-RPC and MCP have given a meaning. A server may answer any other.</summary>
internal static class RpcErrors
{
    private static readonly Dictionary<int, string> s_known =
        ((int[])[-32700, -32600, -32601, -32602, -32603, -32000, -32001, -32002, -32020, -32021, -32022, -32042])
        .ToDictionary(code => code, code => code.ToString(CultureInfo.InvariantCulture));

    public static string Label(int code) => s_known.GetValueOrDefault(code, McpMethods.Other);
}
