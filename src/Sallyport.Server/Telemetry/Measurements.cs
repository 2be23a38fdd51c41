using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Server.Telemetry;

/// <summary>
/// What is measured and traced of requests, where anybody looks at it. Spans have what the log has of a request, and its event's id:
/// no address, query, header or body (docs/decisions/0059).
/// </summary>
internal sealed class Measurements(GateMeter meter, TimeProvider time) : IDisposable
{
    private readonly ActivitySource _source = new(GateMeter.Name);
    private readonly Histogram<double> _judgement = meter.ShortTime("sallyport.judgement.duration", "From a request's headers until its access is on record and goes upstream, or its refusal is.");
    private readonly Histogram<double> _operation = meter.Operation("mcp.server.operation.duration", "From a message's arrival until its answer, or what is left of it, is sent.");

    /// <summary>Whether anybody looks.</summary>
    public bool IsOn => _judgement.Enabled || _source.HasListeners();

    /// <summary>What a request is measured by from here on.</summary>
    /// <param name="context">The request.</param>
    /// <param name="caller">The trace that the caller says it is in.</param>
    public MeasuredRequest Begin(HttpContext context, ActivityContext? caller)
    {
        var request = new MeasuredRequest(this, Start("HTTP", ActivityKind.Server, caller));
        context.Features.Set(request);
        return request;
    }

    public long Now() => time.GetTimestamp();

    public double Since(long began) => time.GetElapsedTime(began).TotalSeconds;

    /// <summary>A caller's trace is linked and never the parent: which trace a span is in, and whether it is sampled, is the gate's to say.</summary>
    public Activity? Start(string name, ActivityKind kind, ActivityContext? caller) =>
        _source.HasListeners() ? _source.StartActivity(kind, links: caller is { } link ? [new(link)] : null, name: name) : null;

    public void Judged(double seconds, bool isAllowed) =>
        _judgement.Record(seconds, GateMeter.Label("outcome", isAllowed ? "allowed" : "refused"));

    public void Operated(double seconds, string upstream, string method, string? error)
    {
        var tags = new TagList { { "mcp.method.name", method }, { "network.transport", "tcp" }, { "upstream", upstream } };
        if (error is not null)
            tags.Add("error.type", error);
        _operation.Record(seconds, tags);
    }

    public void Dispose() => _source.Dispose();
}
