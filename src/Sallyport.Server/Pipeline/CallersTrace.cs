using System.Diagnostics;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Server.Pipeline;

/// <summary>
/// What a caller says of the trace that it is in is only noted, as a link: a parent would let it write into anybody's trace, and
/// baggage and tracestate would carry its text into every sink. Nothing of it goes further.
/// </summary>
internal sealed class CallersTrace : DistributedContextPropagator
{
    private const string TraceParent = "traceparent";

    public override IReadOnlyCollection<string> Fields => [];

    /// <summary>Links the request's activity, where somebody records it, to the one that the caller names.</summary>
    public static void Link(HttpContext context)
    {
        if (Activity.Current is { IsAllDataRequested: true } activity && Of(context) is { } caller)
            activity.AddLink(new(caller));
    }

    /// <summary>The span that the caller names, if it does.</summary>
    public static ActivityContext? Of(HttpContext context) =>
        context.Request.Headers[TraceParent] is [{ } parent] && ActivityContext.TryParse(parent, traceState: null, isRemote: true, out var caller) ? caller : null;

    public override void Inject(Activity? activity, object? carrier, PropagatorSetterCallback? setter)
    {
    }

    public override void ExtractTraceIdAndState(object? carrier, PropagatorGetterCallback? getter, out string? traceId, out string? traceState) =>
        traceId = traceState = null;

    public override IEnumerable<KeyValuePair<string, string?>>? ExtractBaggage(object? carrier, PropagatorGetterCallback? getter) => null;
}
