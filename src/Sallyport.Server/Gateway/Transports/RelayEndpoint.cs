using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>
/// Streamable HTTP in front of a Streamable HTTP server: judged, recorded, and relayed as it is.
/// </summary>
/// <remarks>
///     [1 session] ▶ [2 stream to go on with] ▶ [3 record] ▶ [4 forward those bytes] ▶ [5 answer and outcome]
///
/// Requests carry only headers from a list: neither the caller's token nor any header that could claim an identity gets to the server,
/// in whatever spelling. So do answers.
/// </remarks>
internal sealed class RelayEndpoint(Sessions sessions, AccessRecord accesses, StreamLifetime lifetime, EventIds eventIds, TimeProvider time)
{
    private const string LastEventId = "Last-Event-ID";

    private static readonly string[] s_requestHeaders = ["Accept", "Accept-Language", "User-Agent", McpHeader.Revision, McpHeaders.Method, McpHeaders.Name];

    /// <returns>False when nothing was answered yet, because what answered <c>initialize</c> may not be a Streamable HTTP server.</returns>
    public Task<bool> PostAsync(HttpContext context, HttpUpstream upstream, McpRequest request) => RelayAsync(context, upstream, request);

    /// <summary>A stream, or the end of a session.</summary>
    public Task RelayAsync(HttpContext context, HttpUpstream upstream) => RelayAsync(context, upstream, request: null);

    private async Task<bool> RelayAsync(HttpContext context, HttpUpstream upstream, McpRequest? request)
    {
        var caller = Caller.Of(context);
        var message = request?.Message;
        var opens = request?.Opens == true;

        // 1. The session: the caller's own, or none. The upstream says whether it needs one.
        var (session, fault) = FindSession(context, caller, request);
        // What a session settled on holds, whatever a header says.
        if (fault is null && request is { IsBatch: true } && (session?.Revision ?? request.Revision ?? Revision.Batches) != Revision.Batches)
            fault = Reason.MessageBatch;

        // 2. A stream to go on with has to be the caller's own too.
        string? lastEvent = null;
        if (fault is null && HttpMethods.IsGet(context.Request.Method) && context.Request.Headers[LastEventId].ToString() is { Length: > 0 } asked
            && (lastEvent = eventIds.Open(OwnerOf(caller, session), asked)) is null)
            fault = Reason.StreamUnknown;
        if (fault is not null)
        {
            await AccessRecord.RefuseAsync(context, caller, fault.Value, message, session?.Id);
            return true;
        }

        // 3. Record it, and only then let the upstream see it.
        var sessionId = session?.Id ?? (opens ? RandomId.New() : null);
        var allowed = new Allowed(accesses, request is { IsBatch: true }
            ? await accesses.AllowAllAsync(context, caller, AccessRecord.StreamableHttp, request, sessionId)
            : [await accesses.AllowAsync(context, caller, AccessRecord.StreamableHttp, message, sessionId)]);

        // 4. Forward.
        var stands = HttpMethods.IsGet(context.Request.Method) || message?.Method == McpMessage.Listen;
        using var streaming = lifetime.Of(context, caller, drains: request is not null && !stands);
        using var held = session?.HoldStream();
        try
        {
            using var forwarded = upstream.Request(new(context.Request.Method), caller, request?.Body, session?.UpstreamId);
            CopyHeaders(context.Request.Headers, forwarded, lastEvent);
            using var response = await upstream.SendAsync(forwarded, streaming.Token);

            // 5. Answer. Whoever opens a session, or needs none, is refused so by a server of another revision or transport.
            if (request is { Opens: true } or { IsStateless: true } && (int)response.StatusCode is StatusCodes.Status400BadRequest or StatusCodes.Status404NotFound or StatusCodes.Status405MethodNotAllowed)
                upstream.Doubt();
            var answer = new RelayedAnswer(context, response, request, allowed);
            if (opens && upstream.Known is null && await answer.IsOfAnotherTransportAsync(streaming.Token))
                return false;
            answer.Opened = await NameSessionAsync(context, caller, upstream, request, session, sessionId, response);
            if (answer.IsStream)
                await StreamAsync(answer, OwnerOf(caller, session), streaming.Token);
            else
                await answer.WriteAsync(streaming.Token);
            JudgeUpstream(upstream, request, answer.Fault);
            if (session is not null && EndsSession(context, (int)response.StatusCode))
            {
                session.IsOverUpstream = true;
                await sessions.CloseAsync(session, HttpMethods.IsDelete(context.Request.Method) ? Reason.ClosedByClient : Reason.ClosedByServer);
            }
        }
        catch (UpstreamException exception)
        {
            allowed.Failed(exception.Reason, exception.Reached);
            JudgeUpstream(upstream, request, exception);
            if (!context.Response.HasStarted)
                await JsonRpcError.WriteAsync(context, StreamLifetime.WhyEnded(caller) ?? exception.Reason, message);
        }
        catch (OperationCanceledException)
        {
            // So does the answer.
            allowed.Failed(StreamLifetime.WhyCut(context, caller), reached: true);
            if (!context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
                await JsonRpcError.WriteAsync(context, StreamLifetime.WhyEnded(caller) ?? Reason.UpstreamEnded, message);
        }
        finally
        {
            if (stands)
                allowed.StreamEnded();
        }
        return true;
    }

    /// <summary>How it is, by its answer to a request; a stream that waits for whatever comes may break off.</summary>
    private static void JudgeUpstream(HttpUpstream upstream, McpRequest? request, UpstreamException? fault)
    {
        if (request is not { Requests.Count: > 0 })
            return;
        if (fault is not null)
            upstream.Failed(fault);
        else
            upstream.Answered();
    }

    private Task StreamAsync(RelayedAnswer answer, string owner, CancellationToken cancellationToken) =>
        answer.StreamAsync(id => eventIds.Seal(owner, id), time, cancellationToken);

    /// <summary>Whose the ids of a stream's events are.</summary>
    private static string OwnerOf(Caller caller, RelayedSession? session) => session?.Id ?? $"{caller.Subject} {caller.ClientId} {caller.Token.Audience}";

    private (RelayedSession? Session, Reason? Fault) FindSession(HttpContext context, Caller caller, McpRequest? request)
    {
        if (request is { Opens: true })
            return (null, sessions.HasRoomFor(caller) ? null : Reason.SessionLimit);
        // There are none in 2026-07-28: what is sent is ignored.
        return request is not { IsStateless: true } && context.Request.Headers[McpHeader.Session].ToString() is { Length: > 0 } id
            ? sessions.Find<RelayedSession>(id, caller)
            : (null, null);
    }

    /// <summary>The client gets the gate's id for a session, and never the upstream's.</summary>
    /// <returns>The session, where this opened it.</returns>
    private async Task<RelayedSession?> NameSessionAsync(
        HttpContext context, Caller caller, HttpUpstream upstream, McpRequest? request, RelayedSession? session, string? sessionId, HttpResponseMessage response)
    {
        if (request is { IsStateless: true } || UpstreamAnswer.SessionOf(response) is not { } upstreamId)
            return null;
        var opened = session is null ? new RelayedSession(sessionId ?? RandomId.New(), upstream, upstreamId, caller, time) : null;
        if (opened is not null)
            await sessions.AddAsync(opened, context);
        context.Response.Headers[McpHeader.Session] = (session ?? opened!).Id;
        return opened;
    }

    private static void CopyHeaders(IHeaderDictionary headers, HttpRequestMessage forwarded, string? lastEvent)
    {
        foreach (var name in s_requestHeaders)
        {
            if (headers.TryGetValue(name, out var values) && !forwarded.Headers.Contains(name))
                forwarded.Headers.TryAddWithoutValidation(name, values.AsEnumerable());
        }
        foreach (var (name, values) in headers)
        {
            if (name.StartsWith(McpHeaders.ParameterPrefix, StringComparison.OrdinalIgnoreCase))
                forwarded.Headers.TryAddWithoutValidation(name, values.AsEnumerable());
        }
        if (lastEvent is not null)
            forwarded.Headers.TryAddWithoutValidation(LastEventId, lastEvent);
    }

    private static bool EndsSession(HttpContext context, int upstreamStatus) =>
        upstreamStatus == StatusCodes.Status404NotFound || (HttpMethods.IsDelete(context.Request.Method) && upstreamStatus is >= 200 and < 300);
}
