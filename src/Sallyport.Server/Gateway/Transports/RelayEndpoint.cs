using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>
/// Streamable HTTP in front of an HTTP upstream: judged, recorded, and relayed as it is.
/// </summary>
/// <remarks>
///     [1 message] ▶ [2 session] ▶ [3 record] ▶ [4 forward those bytes] ▶ [5 outcome]
/// </remarks>
internal sealed class RelayEndpoint(Sessions sessions, AccessRecord accesses, HttpUpstreams upstreams, StreamLifetime lifetime, TimeProvider time)
{
    public static void Add(IServiceCollection services)
    {
        services.AddHttpForwarder();
        services.AddSingleton<HttpUpstreams>();
        services.AddSingleton<RelayEndpoint>();
    }

    public static void Map(IEndpointRouteBuilder routes, UpstreamSetting upstream) =>
        routes.MapGatePath(upstream.McpPath, PathPolicy.Guarded, upstream)
            .On<RelayEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.PostAsync(context))
            .On<RelayEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.RelayAsync(context, request: null))
            .On<RelayEndpoint>(HttpMethods.Delete, (endpoint, context) => endpoint.RelayAsync(context, request: null));

    public async Task PostAsync(HttpContext context)
    {
        // 1. The message.
        var (request, unreadable) = await McpRequest.ReadAsync(context);
        if (request is null)
            await AccessRecord.RefuseAsync(context, Caller.Of(context), unreadable!.Value);
        else
            await RelayAsync(context, request);
    }

    private async Task RelayAsync(HttpContext context, McpRequest? request)
    {
        var caller = Caller.Of(context);
        var message = request?.Message;

        // 2. The session: the caller's own, or none. The upstream says whether it needs one.
        RelayedSession? session = null;
        if (context.Request.Headers[StreamableHttpEndpoint.SessionHeader].ToString() is { Length: > 0 } id && message?.Method != "initialize")
        {
            (session, var fault) = sessions.Find<RelayedSession>(id, caller);
            if (fault is not null)
            {
                await AccessRecord.RefuseAsync(context, caller, fault.Value, message);
                return;
            }
        }
        else if (message?.Method == "initialize" && sessions.IsFull)
        {
            await AccessRecord.RefuseAsync(context, caller, Reason.SessionLimit, message);
            return;
        }

        // 3. Record it, and only then let the upstream see it.
        var sessionId = session?.Id ?? (message?.Method == "initialize" ? RandomId.New() : null);
        var access = await accesses.AllowAsync(context, caller, AccessRecord.StreamableHttp, message, sessionId);
        var forwarded = false;
        void Answered()
        {
            forwarded = true;
            accesses.Forwarded(access);
        }

        // 4. Forward.
        using var streaming = lifetime.Of(context, caller);
        using var held = session?.HoldStream();
        var result = await upstreams.Of(context).ForwardAsync(context, request?.Body ?? [], session?.UpstreamId, Answered, async upstreamId =>
        {
            if (session is not null)
                return session.Id;
            var opened = new RelayedSession(sessionId ?? RandomId.New(), upstreamId, caller, time);
            await sessions.AddAsync(opened, context);
            return opened.Id;
        }, streaming.Token);

        // 5. The outcome, unless it was known when the answer began.
        if (!forwarded && result.Reached)
            accesses.Forwarded(access, result.Fault);
        else if (!forwarded)
            accesses.NotForwarded(access, result.Fault!.Value);
        if (result.Fault is { } upstreamFault && !context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
            await JsonRpcError.WriteAsync(context, StreamLifetime.WhyEnded(caller) ?? upstreamFault, message);
        if (session is not null && result.Fault is null && EndsSession(context, result.Status))
            await sessions.CloseAsync(session, HttpMethods.IsDelete(context.Request.Method) ? Reason.ClosedByClient : Reason.ClosedByServer);
    }

    private static bool EndsSession(HttpContext context, int upstreamStatus) =>
        upstreamStatus == StatusCodes.Status404NotFound || (HttpMethods.IsDelete(context.Request.Method) && upstreamStatus is >= 200 and < 300);
}
