using System.Text;
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
/// HTTP+SSE, the transport of revision 2024-11-05: <c>GET /sse</c> is the session, and names the address to which its messages are
/// posted; every answer comes over the stream.
/// </summary>
internal sealed class SseEndpoint(Sessions sessions, OpenRequests open, AccessRecord accesses, UpstreamList upstreams, StreamLifetime lifetime, TimeProvider time)
{
    private const string SessionParameter = "session_id";

    public static void Add(IServiceCollection services) => services.AddSingleton<SseEndpoint>();

    public static void Map(IEndpointRouteBuilder routes, UpstreamSetting upstream)
    {
        routes.MapGatePath(upstream.SsePath, PathPolicy.Guarded, upstream)
            .On<SseEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.OpenAsync(context));
        routes.MapGatePath(upstream.MessagesPath, PathPolicy.Guarded, upstream)
            .On<SseEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.PostAsync(context));
    }

    private async Task OpenAsync(HttpContext context)
    {
        var caller = Caller.Of(context);
        if (!sessions.HasRoomFor(caller))
        {
            await AccessRecord.RefuseAsync(context, caller, Reason.SessionLimit);
            return;
        }

        // 1. Record the access, then the session.
        var upstream = upstreams.Of(context);
        var id = RandomId.NewHex();
        var access = await accesses.AllowAsync(context, caller, AccessRecord.Sse, message: null, id);
        Conversation conversation;
        try
        {
            conversation = await Conversation.OpenAsync(id, AccessRecord.Sse, caller, upstream, accesses, time, context.RequestAborted);
        }
        catch (Exception exception) when (exception is UpstreamException or OperationCanceledException)
        {
            var fault = (exception as UpstreamException)?.Reason ?? Reason.CallerLeft;
            accesses.NotForwarded(access, fault);
            await JsonRpcError.WriteAsync(context, fault, message: null);
            return;
        }
        await sessions.AddAsync(conversation, context);
        accesses.Forwarded(access);

        // 2. Stream until somebody ends it.
        var reason = Reason.ClosedByClient;
        using var streaming = lifetime.Of(context, caller, conversation.Closed, drains: true);
        using var held = conversation.HoldStream();
        var stream = new EventStream(context, time);
        try
        {
            var messages = conversation.OpenStream()!;
            await using var stopping = lifetime.Stopping.UnsafeRegister(static draining => _ = ((Conversation)draining!).DrainAsync(), conversation);
            await stream.StartAsync(streaming.Token);
            await stream.WriteEventAsync("endpoint", Encoding.ASCII.GetBytes($"{upstream.Setting.MessagesPath}?{SessionParameter}={id}"), streaming.Token);
            await stream.RelayAsync(messages, streaming.Token);
            reason = conversation.HasEnded ? await conversation.Ended : Reason.ClosedGateStopping;
        }
        catch (OperationCanceledException)
        {
            reason = StreamLifetime.WhyCut(context, caller) is var cut and not Reason.CallerLeft ? cut : Reason.ClosedByClient;
        }
        finally
        {
            await sessions.CloseAsync(conversation, reason);

            // 3. No answer will come any more.
            var unanswered = conversation.Unanswered.RemoveAll(reason);
            foreach (var request in unanswered)
            {
                if (request.Access is { } sent)
                    accesses.Forwarded(sent, reason);
            }
            stream.GiveUp(unanswered.Select(request => request.Message), reason);
        }
    }

    private async Task PostAsync(HttpContext context)
    {
        var caller = Caller.Of(context);

        // 1. The session, which has to be the caller's own.
        string? id = context.Request.Query[SessionParameter];
        if (string.IsNullOrEmpty(id))
        {
            await AccessRecord.RefuseAsync(context, caller, Reason.SessionMissing);
            return;
        }
        var (conversation, fault) = sessions.Find<Conversation>(id, caller);
        if (conversation is null || conversation.Transport != AccessRecord.Sse)
        {
            await AccessRecord.RefuseAsync(context, caller, fault ?? Reason.SessionUnknown);
            return;
        }

        // 2. The message. It takes a place while it is read and sent, and a request another one until it is answered.
        using var place = open.Take(caller);
        if (place is null)
        {
            await AccessRecord.RefuseAsync(context, caller, Reason.SessionLimit, session: conversation.Id);
            return;
        }
        var (request, unreadable) = await McpRequest.ReadAsync(context);
        if (request is null or { IsBatch: true })
        {
            await AccessRecord.RefuseAsync(context, caller, unreadable ?? Reason.MessageBatch, session: conversation.Id);
            return;
        }
        request.Measure(context);

        // It may have taken its time, and the session have ended meanwhile.
        if (sessions.Find<Conversation>(id, caller).Session is null)
        {
            await AccessRecord.RefuseAsync(context, caller, Reason.SessionUnknown, request.Message, conversation.Id);
            return;
        }
        if (conversation.Unanswered.TakeOn(request.Message, request.Body.Length, () => open.Take(caller), out var refused) is not { } taken)
        {
            await AccessRecord.RefuseAsync(context, caller, refused, request.Message, conversation.Id);
            return;
        }

        // 3. Record it, and only then let the server see it.
        var access = await accesses.AllowAsync(context, caller, AccessRecord.Sse, request.Message, conversation.Id);
        var allowed = new Allowed(accesses, [access]);
        try
        {
            await conversation.SendAsync(request.Message, request.Body, context.RequestAborted);
            if (request.Message.CancelledIdKey is { } cancelled && conversation.Unanswered.Remove(cancelled) is { Access: { } takenBack })
                accesses.Forwarded(takenBack);
            if (!conversation.Unanswered.IsAwaited(taken, access))
                allowed.Forwarded(taken.Fault);
        }
        catch (UpstreamException exception)
        {
            allowed.Failed(exception.Reason, exception.Reached);
            conversation.Unanswered.GiveUp(request.Message);
            await JsonRpcError.WriteAsync(context, exception.Reason, request.Message);
            return;
        }
        catch (OperationCanceledException)
        {
            allowed.Failed(Reason.CallerLeft, reached: false);
            conversation.Unanswered.GiveUp(request.Message);
            return;
        }
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        await context.Response.WriteAsync("Accepted");
    }
}
