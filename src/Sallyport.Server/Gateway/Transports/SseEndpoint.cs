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
        using var streaming = lifetime.Of(context, caller, conversation.Closed);
        using var held = conversation.HoldStream();
        try
        {
            var messages = conversation.OpenStream()!;
            var stream = new EventStream(context, time);
            await stream.StartAsync(streaming.Token);
            await stream.WriteEventAsync("endpoint", Encoding.ASCII.GetBytes($"{upstream.Setting.MessagesPath}?{SessionParameter}={id}"), streaming.Token);
            await stream.RelayAsync(messages, streaming.Token);
            reason = await conversation.Ended;
            foreach (var request in GiveUp(conversation, reason))
                await stream.WriteEventAsync("message", JsonRpcError.Bytes(reason, request.Message), streaming.Token);
        }
        catch (OperationCanceledException)
        {
            reason = StreamLifetime.WhyEnded(caller) is { } ended ? ended
                : context.RequestAborted.IsCancellationRequested ? Reason.ClosedByClient
                : Reason.ClosedGateStopping;
        }
        finally
        {
            await sessions.CloseAsync(conversation, reason);
            GiveUp(conversation, reason);
        }
    }

    /// <summary>No answer will come any more.</summary>
    private IReadOnlyList<UnansweredRequest> GiveUp(Conversation conversation, Reason reason)
    {
        var requests = conversation.Unanswered.RemoveAll();
        foreach (var request in requests)
        {
            if (request.Access is { } access)
                accesses.Forwarded(access, reason);
        }
        return requests;
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
        if (conversation.Unanswered.WhyNot(request.Message, request.Body.Length, () => open.Take(caller)) is { } refused)
        {
            await AccessRecord.RefuseAsync(context, caller, refused, request.Message, conversation.Id);
            return;
        }

        // 3. Record it, and only then let the server see it.
        var access = await accesses.AllowAsync(context, caller, AccessRecord.Sse, request.Message, conversation.Id);
        try
        {
            await conversation.SendAsync(request.Message, request.Body, context.RequestAborted);
            if (request.Message.CancelledIdKey is { } cancelled && conversation.Unanswered.Remove(cancelled) is { Access: { } takenBack })
                accesses.Forwarded(takenBack);
            if (!conversation.Unanswered.IsAwaited(request.Message, access))
                accesses.Forwarded(access, conversation.HasEnded ? await conversation.Ended : null);
        }
        catch (IOException exception)
        {
            var failure = (exception as UpstreamException)?.Reason ?? Reason.UpstreamEnded;
            if (exception is UpstreamException { Reached: true })
                accesses.Forwarded(access, failure);
            else
                accesses.NotForwarded(access, failure);
            conversation.Unanswered.GiveUp(request.Message);
            await JsonRpcError.WriteAsync(context, failure, request.Message);
            return;
        }
        catch (OperationCanceledException)
        {
            accesses.NotForwarded(access, Reason.CallerLeft);
            conversation.Unanswered.GiveUp(request.Message);
            return;
        }
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        await context.Response.WriteAsync("Accepted");
    }
}
