using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Protocol;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>
/// Streamable HTTP of 2026-07-28, where each request stands for itself, in front of a server that speaks it over one channel (a command):
/// the requests of one user and client share a conversation.
/// </summary>
/// <remarks>
///     POST: [1 message] ▶ [2 conversation: opened, if it is the first] ▶ [3 record] ▶ [4 send] ▶ [5 answer: JSON, or a stream where more comes first]
/// </remarks>
internal sealed class StatelessEndpoint(SharedConversations conversations, AccessRecord accesses, StreamLifetime lifetime, TimeProvider time)
{
    public async Task PostAsync(HttpContext context, IUpstream upstream, McpRequest request)
    {
        var caller = Caller.Of(context);
        var message = request.Message;

        // 1. The server hears the body alone, and has asked nothing that a client could answer.
        Reason? fault = message.Kind == McpMessageKind.Response ? Reason.MessageMalformed
            : message.Revision is null ? Reason.MessageHeaderMismatch
            : null;
        if (fault is not null)
        {
            await AccessRecord.RefuseAsync(context, caller, fault.Value, message);
            return;
        }

        // 2. The conversation.
        SharedConversation conversation;
        try
        {
            conversation = await conversations.OfAsync(context, caller, upstream);
        }
        catch (UpstreamException exception)
        {
            await AccessRecord.RefuseAsync(context, caller, exception.Reason, message);
            return;
        }
        catch (OperationCanceledException)
        {
            // The caller left, and what it asked for opens for the next one.
            return;
        }
        using var held = conversation.HoldStream();

        // 3. Record it, and only then let the server see it.
        var allowed = new Allowed(accesses, [await accesses.AllowAsync(context, caller, AccessRecord.StreamableHttp, message, conversation.Id)]);
        using var span = UpstreamSpan.Begin(message.Method, upstream.Setting);
        try
        {
            if (message.Kind == McpMessageKind.Request)
                await ExchangeAsync(context, caller, conversation, request, allowed);
            else
                await NotifyAsync(context, conversation, request, allowed);
        }
        catch (UpstreamException exception)
        {
            allowed.Failed(exception.Reason, exception.Reached);
            await JsonRpcError.WriteAsync(context, exception.Reason, message);
        }
        catch (OperationCanceledException)
        {
            allowed.Failed(Reason.CallerLeft, reached: false);
        }
    }

    private async Task ExchangeAsync(HttpContext context, Caller caller, SharedConversation conversation, McpRequest request, Allowed allowed)
    {
        using var streaming = lifetime.Of(context, caller, conversation.Closed, drains: request.Message.Method != McpMessage.Listen);
        var answer = new PostedAnswer(context, request, time);
        var exchange = conversation.Begin(request.Message, request.Body);
        var isSent = false;
        try
        {
            // 4. Send.
            await conversation.SendAsync(exchange, streaming.Token);
            isSent = true;

            // 5. Answer.
            await answer.WriteAsync(exchange.Queue, conversation, streaming.Token);
        }
        catch (UpstreamException exception)
        {
            allowed.Failed(exception.Reason, exception.Reached);
            throw;
        }
        catch (OperationCanceledException)
        {
            // The caller left, or its token ended, or the gate stops: so does the answer.
        }
        finally
        {
            // Before anything is written to a caller who may be leaving: that it ended has to be in the log.
            if (exchange.IsSubscription)
                allowed.StreamEnded();
            await EndAsync(caller, conversation, exchange, answer, allowed, isSent);
        }
    }

    /// <summary>Tells the outcome, and where there is no answer, the server that none is waited for, and a caller who is there that none comes.</summary>
    private static async Task EndAsync(Caller caller, SharedConversation conversation, Exchange exchange, PostedAnswer answer, Allowed allowed, bool isSent)
    {
        if (!conversation.Forget(exchange))
        {
            allowed.Forwarded(exchange.Fault);
            return;
        }
        var reason = await answer.WhyUnansweredAsync(caller, conversation, Reason.ClosedGateStopping);
        allowed.Failed(reason, isSent);
        if (!isSent)
            return;
        conversation.Cancel(exchange);
        await answer.GiveUpAsync([exchange.Request], reason);
    }

    private static async Task NotifyAsync(HttpContext context, SharedConversation conversation, McpRequest request, Allowed allowed)
    {
        if (await conversation.NotifyAsync(request.Message, request.Body, context.RequestAborted))
            allowed.Forwarded();
        else
            allowed.Failed(Reason.StreamUnknown, reached: false);
        context.Response.StatusCode = StatusCodes.Status202Accepted;
    }
}
