using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Protocol;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>
/// Streamable HTTP (revisions 2025-03-26 to 2025-11-25) in front of a server that speaks something else: one conversation a session.
/// </summary>
/// <remarks>
///     POST: [1 session] ▶ [2 record] ▶ [3 open] ▶ [4 send] ▶ [5 answer: JSON, or a stream where more comes first]
/// </remarks>
internal sealed class StreamableHttpEndpoint(Sessions sessions, AccessRecord accesses, StreamLifetime lifetime, TimeProvider time)
{
    public async Task PostAsync(HttpContext context, IUpstream upstream, McpRequest request)
    {
        var caller = Caller.Of(context);

        // 1. The session: the caller's own, or a new one.
        var (conversation, fault) = request.Opens ? (null, sessions.HasRoomFor(caller) ? null : Reason.SessionLimit) : await FindAsync(context, caller);
        if (fault is null && request.IsBatch && conversation?.Revision != Revision.Batches)
            fault = Reason.MessageBatch;
        if (fault is not null)
        {
            await AccessRecord.RefuseAsync(context, caller, fault.Value, request.Message);
            return;
        }
        var sessionId = conversation?.Id ?? RandomId.New();

        // 2. Record it, and only then let the server see it.
        Allowed[] allowed = [.. (await accesses.AllowAllAsync(context, caller, AccessRecord.StreamableHttp, request, sessionId)).Select(access => new Allowed(accesses, [access]))];

        // 3. Open the session.
        if (conversation is null)
        {
            conversation = await OpenAsync(context, caller, upstream, request, sessionId, allowed);
            if (conversation is null)
                return;
            context.Response.Headers[McpHeader.Session] = sessionId;
        }

        // 4. Send.
        var answers = request.Requests.Count > 0 ? conversation.Await(request.Requests) : null;
        if (request.Requests.Count > 0 && answers is null)
        {
            foreach (var each in allowed)
                each.Failed(Reason.MessageIdInUse, reached: false);
            await JsonRpcError.WriteAsync(context, Reason.MessageIdInUse, request.Message);
            return;
        }
        using var span = UpstreamSpan.Begin(request.Message.Method, upstream.Setting);
        using var streaming = lifetime.Of(context, caller, conversation.Closed, drains: true);
        using var held = conversation.HoldStream();
        var answer = new PostedAnswer(context, request, time);
        Reason? unsent = null;
        try
        {
            unsent = await SendAsync(context, caller, conversation, request, allowed, streaming.Token);
            if (unsent is { } reason)
            {
                await JsonRpcError.WriteAsync(context, reason, request.Message);
                return;
            }

            // 5. Answer.
            if (answers is null)
                context.Response.StatusCode = StatusCodes.Status202Accepted;
            else
                await answer.WriteAsync(answers, conversation, streaming.Token);
        }
        catch (OperationCanceledException)
        {
            // The caller left, or its token or session ended: so does the answer.
        }
        finally
        {
            await EndAsync(caller, conversation, request, answer, allowed, unsent);
        }
    }

    /// <summary>Tells the outcome of each request that was sent, and the caller of those that get no answer any more.</summary>
    /// <param name="unsent">Why the server did not get all of them.</param>
    private static async Task EndAsync(Caller caller, Conversation conversation, McpRequest request, PostedAnswer answer, Allowed[] allowed, Reason? unsent)
    {
        var unanswered = conversation.Forget(request.Requests);
        var reason = unsent ?? await answer.WhyUnansweredAsync(caller, conversation, Reason.ClosedByClient);
        for (var i = 0; i < allowed.Length; i++)
            allowed[i].Forwarded(unanswered.Contains(request.Parts[i].Message) ? reason : conversation.FaultOf(request.Parts[i].Message));
        await answer.GiveUpAsync(unanswered, reason);
    }

    private async Task<Conversation?> OpenAsync(
        HttpContext context, Caller caller, IUpstream upstream, McpRequest request, string sessionId, Allowed[] allowed)
    {
        try
        {
            var opened = await Conversation.OpenAsync(
                sessionId, AccessRecord.StreamableHttp, caller, upstream, accesses, time, context.RequestAborted);
            await sessions.AddAsync(opened, context);
            return opened;
        }
        catch (Exception exception) when (exception is UpstreamException or OperationCanceledException)
        {
            var reason = (exception as UpstreamException)?.Reason ?? Reason.CallerLeft;
            foreach (var each in allowed)
                each.Failed(reason, reached: false);
            await JsonRpcError.WriteAsync(context, reason, request.Message);
            return null;
        }
    }

    /// <summary>Sends message after message, and tells the outcome of each that gets no answer; why the server did not get them all, if it did not.</summary>
    private static async Task<Reason?> SendAsync(
        HttpContext context, Caller caller, Conversation conversation, McpRequest request, Allowed[] allowed, CancellationToken cancellationToken)
    {
        Reason? fault = null;
        for (var i = 0; i < allowed.Length; i++)
        {
            var (message, bytes) = request.Parts[i];
            var reached = false;
            try
            {
                if (fault is null)
                {
                    await conversation.SendAsync(message, bytes, cancellationToken);
                    if (message.Kind != McpMessageKind.Request)
                        allowed[i].Forwarded();
                    continue;
                }
            }
            catch (UpstreamException exception)
            {
                (fault, reached) = (exception.Reason, exception.Reached);
            }
            catch (OperationCanceledException)
            {
                fault = conversation.Closed.IsCancellationRequested ? Reason.ClosedByClient : StreamLifetime.WhyCut(context, caller);
            }
            allowed[i].Failed(fault!.Value, reached);
        }
        return fault;
    }

    public async Task StreamAsync(HttpContext context)
    {
        var caller = Caller.Of(context);
        var (conversation, fault) = await FindAsync(context, caller);
        if (conversation is null)
        {
            await AccessRecord.RefuseAsync(context, caller, fault!.Value);
            return;
        }
        if (conversation.OpenStream() is not { } messages)
        {
            await AccessRecord.RefuseAsync(context, caller, Reason.SessionStreamTaken, session: conversation.Id);
            return;
        }
        string? access = null;
        try
        {
            access = await accesses.AllowAsync(context, caller, AccessRecord.StreamableHttp, message: null, conversation.Id);
            accesses.Forwarded(access);
            using var streaming = lifetime.Of(context, caller, conversation.Closed);
            using var held = conversation.HoldStream();
            var stream = new EventStream(context, time);
            await stream.StartAsync(streaming.Token);
            await stream.RelayAsync(messages, streaming.Token);
        }
        catch (OperationCanceledException)
        {
            // The caller left, or its token or session ended: so does the stream.
        }
        finally
        {
            conversation.CloseStream();
            if (access is not null)
                accesses.StreamEnded(access);
        }
    }

    public async Task CloseAsync(HttpContext context)
    {
        var caller = Caller.Of(context);
        var (conversation, fault) = await FindAsync(context, caller);
        if (conversation is null)
        {
            await AccessRecord.RefuseAsync(context, caller, fault!.Value);
            return;
        }
        var access = await accesses.AllowAsync(context, caller, AccessRecord.StreamableHttp, message: null, conversation.Id);
        accesses.Forwarded(access);
        await sessions.CloseAsync(conversation, Reason.ClosedByClient);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task<(Conversation? Conversation, Reason? Fault)> FindAsync(HttpContext context, Caller caller)
    {
        var header = context.Request.Headers[McpHeader.Session];
        if (header.Count != 1 || header[0] is not { Length: > 0 } id)
            return (null, Reason.SessionMissing);
        var (conversation, fault) = sessions.Find<Conversation>(id, caller);
        if (conversation is { HasEnded: true })
        {
            // The server ended by itself: the client starts anew.
            await sessions.CloseAsync(conversation, await conversation.Ended);
            return (null, Reason.SessionUnknown);
        }
        return conversation?.Transport == AccessRecord.StreamableHttp ? (conversation, null) : (null, fault ?? Reason.SessionUnknown);
    }
}
