using System.Threading.Channels;
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
/// Streamable HTTP (revisions 2025-03-26 to 2025-11-25) in front of the built-in server.
/// </summary>
/// <remarks>
///     POST: [1 message] ▶ [2 revision] ▶ [3 session] ▶ [4 record] ▶ [5 send] ▶ [6 answer: JSON, or a stream where more comes first]
/// </remarks>
internal sealed class StreamableHttpEndpoint(
    Sessions sessions, AccessRecord accesses, BuiltInServer builtIn, StreamLifetime lifetime, TimeProvider time)
{
    public const string SessionHeader = "Mcp-Session-Id";
    public const string RevisionHeader = "MCP-Protocol-Version";

    public static void Add(IServiceCollection services) => services.AddSingleton<StreamableHttpEndpoint>();

    public static void Map(IEndpointRouteBuilder routes, UpstreamSetting upstream)
    {
        routes.MapGatePath(upstream.McpPath, PathPolicy.Guarded, upstream)
            .On<StreamableHttpEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.PostAsync(context))
            .On<StreamableHttpEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.StreamAsync(context))
            .On<StreamableHttpEndpoint>(HttpMethods.Delete, (endpoint, context) => endpoint.CloseAsync(context));
    }

    public async Task PostAsync(HttpContext context)
    {
        var caller = Caller.Of(context);

        // 1. The message.
        var (request, unreadable) = await McpRequest.ReadAsync(context);
        if (request is null)
        {
            await AccessRecord.RefuseAsync(context, caller, unreadable!.Value);
            return;
        }
        var message = request.Message;

        // 2. A revision that the server speaks; a client of a newer one falls back on this answer.
        if (!SpeaksRevision(context, message))
        {
            await AccessRecord.RefuseAsync(context, caller, Reason.RevisionUnsupported, message);
            return;
        }

        // 3. The session: the caller's own, or a new one.
        var opens = message is { Kind: McpMessageKind.Request, Method: "initialize" };
        var (conversation, fault) = opens ? (null, sessions.IsFull ? Reason.SessionLimit : null) : await FindAsync(context, caller);
        if (fault is not null)
        {
            await AccessRecord.RefuseAsync(context, caller, fault.Value, message);
            return;
        }
        var sessionId = conversation?.Id ?? RandomId.New();

        // 4. Record it, and only then let the server see it.
        var access = await accesses.AllowAsync(context, caller, AccessRecord.StreamableHttp, message, sessionId);
        if (conversation is null)
        {
            conversation = new(sessionId, AccessRecord.StreamableHttp, caller, builtIn.Open, time);
            await sessions.AddAsync(conversation, context);
            context.Response.Headers[SessionHeader] = sessionId;
        }

        // 5. Send.
        var answers = message.Kind == McpMessageKind.Request ? conversation.Await(message) : null;
        if (message.Kind == McpMessageKind.Request && answers is null)
        {
            accesses.NotForwarded(access, Reason.MessageIdInUse);
            await JsonRpcError.WriteAsync(context, Reason.MessageIdInUse, message);
            return;
        }
        using var streaming = lifetime.Of(context, caller, conversation.Closed);
        using var held = conversation.HoldStream();
        try
        {
            await conversation.SendAsync(request.Body, streaming.Token);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            var reason = exception is IOException ? Reason.UpstreamEnded : Reason.CallerLeft;
            accesses.NotForwarded(access, reason);
            if (answers is not null)
                conversation.Forget(message);
            await JsonRpcError.WriteAsync(context, reason, message);
            return;
        }
        accesses.Forwarded(access);

        // 6. Answer.
        if (answers is null)
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }
        try
        {
            await AnswerAsync(context, message, answers, streaming.Token);
        }
        catch (OperationCanceledException)
        {
            // The caller left, or its token or session ended: so does the answer.
            if (!context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
                await JsonRpcError.WriteAsync(context, StreamLifetime.WhyEnded(caller) ?? Reason.UpstreamEnded, message);
        }
        finally
        {
            conversation.Forget(message);
        }
    }

    private async Task StreamAsync(HttpContext context)
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
        try
        {
            var access = await accesses.AllowAsync(context, caller, AccessRecord.StreamableHttp, message: null, conversation.Id);
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
        }
    }

    private async Task CloseAsync(HttpContext context)
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

    /// <summary>JSON where the answer comes first and soon, else a stream that ends with it.</summary>
    private async Task AnswerAsync(HttpContext context, McpMessage request, ChannelReader<byte[]> answers, CancellationToken cancellationToken)
    {
        var stream = new EventStream(context, time);
        var first = answers.WaitToReadAsync(cancellationToken).AsTask();
        var soon = await stream.ComesInTimeAsync(first, cancellationToken);
        if (soon && await first && answers.TryPeek(out var message) && IsAnswer(message, request))
        {
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = message.Length;
            await context.Response.BodyWriter.WriteAsync(message, cancellationToken);
            return;
        }
        if (soon && !await first)
        {
            await JsonRpcError.WriteAsync(context, Reason.UpstreamEnded, request);
            return;
        }
        await stream.StartAsync(cancellationToken);
        await stream.RelayAsync(answers, cancellationToken);
    }

    private static bool IsAnswer(byte[] line, McpMessage request) =>
        McpMessage.Scan(line, out var message) == McpScan.Message && message.Kind == McpMessageKind.Response && message.IdKey == request.IdKey;

    private static bool SpeaksRevision(HttpContext context, McpMessage message) =>
        message.Method != "server/discover"
        && (context.Request.Headers[RevisionHeader].ToString() is not { Length: > 0 } revision || BuiltInServer.Revisions.Contains(revision));

    private async Task<(Conversation? Conversation, Reason? Fault)> FindAsync(HttpContext context, Caller caller)
    {
        var header = context.Request.Headers[SessionHeader];
        if (header.Count != 1 || header[0] is not { Length: > 0 } id)
            return (null, Reason.SessionMissing);
        var (conversation, fault) = sessions.Find<Conversation>(id, caller);
        if (conversation is { HasEnded: true })
        {
            // The server ended by itself: the client starts anew.
            await sessions.CloseAsync(conversation, Reason.ClosedByServer);
            return (null, Reason.SessionUnknown);
        }
        return conversation?.Transport == AccessRecord.StreamableHttp ? (conversation, null) : (null, fault ?? Reason.SessionUnknown);
    }
}
