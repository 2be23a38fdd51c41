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
        Sending[] allowed = [.. (await accesses.AllowAllAsync(context, caller, AccessRecord.StreamableHttp, request, sessionId)).Select(access => new Sending(access))];

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
            foreach (var access in allowed)
                accesses.NotForwarded(access.Access, Reason.MessageIdInUse);
            await JsonRpcError.WriteAsync(context, Reason.MessageIdInUse, request.Message);
            return;
        }
        using var span = UpstreamSpan.Begin(request.Message.Method, upstream.Setting);
        using var streaming = lifetime.Of(context, caller, conversation.Closed, drains: true);
        using var held = conversation.HoldStream();
        var answer = new PostedAnswer(context, request, time);
        try
        {
            if (await SendAsync(conversation, request, allowed, streaming.Token) is { } reason)
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
            await EndAsync(caller, conversation, request, answer, allowed);
        }
    }

    /// <summary>Tells the outcome of each request that was sent, and the caller of those that get no answer any more.</summary>
    private async Task EndAsync(Caller caller, Conversation conversation, McpRequest request, PostedAnswer answer, Sending[] allowed)
    {
        var unanswered = conversation.Forget(request.Requests);
        var reason = await answer.WhyUnansweredAsync(caller, conversation, Reason.ClosedByClient);
        for (var i = 0; i < allowed.Length; i++)
        {
            if (allowed[i].IsSent)
                accesses.Forwarded(allowed[i].Access, unanswered.Contains(request.Parts[i].Message) ? reason : conversation.FaultOf(request.Parts[i].Message));
        }
        await answer.GiveUpAsync(unanswered, reason);
    }

    /// <summary>A message on its way, and the access that it is.</summary>
    private sealed class Sending(string access)
    {
        public string Access => access;
        /// <summary>It is a request that reached the server: its outcome is known when its answer has come.</summary>
        public bool IsSent { get; set; }
    }

    private async Task<Conversation?> OpenAsync(
        HttpContext context, Caller caller, IUpstream upstream, McpRequest request, string sessionId, Sending[] allowed)
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
            foreach (var access in allowed)
                accesses.NotForwarded(access.Access, reason);
            await JsonRpcError.WriteAsync(context, reason, request.Message);
            return null;
        }
    }

    /// <summary>Sends message after message, and tells the outcome of each; why the server did not get them all, if it did not.</summary>
    private async Task<Reason?> SendAsync(Conversation conversation, McpRequest request, Sending[] allowed, CancellationToken cancellationToken)
    {
        Reason? fault = null;
        for (var i = 0; i < allowed.Length; i++)
        {
            try
            {
                if (fault is null)
                {
                    await conversation.SendAsync(request.Parts[i].Message, request.Parts[i].Bytes, cancellationToken);
                    if (request.Parts[i].Message.Kind == McpMessageKind.Request)
                        allowed[i].IsSent = true;
                    else
                        accesses.Forwarded(allowed[i].Access);
                    continue;
                }
            }
            catch (Exception exception) when (exception is IOException or OperationCanceledException)
            {
                fault = exception is OperationCanceledException ? Reason.CallerLeft : (exception as UpstreamException)?.Reason ?? Reason.UpstreamEnded;
            }
            accesses.NotForwarded(allowed[i].Access, fault!.Value);
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
