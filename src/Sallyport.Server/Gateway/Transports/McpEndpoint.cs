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
/// An upstream's MCP endpoint (Streamable HTTP, every revision since 2025-03-26). What the message is and of which revision is judged
/// here; a Streamable HTTP server is then relayed to, and with any other a conversation is held, for each session or, without sessions, for
/// each user and client.
/// </summary>
/// <remarks>
///     POST: [1 place] ▶ [2 message] ▶ [3 revision] ▶ [4 relay, or converse]
/// </remarks>
internal sealed class McpEndpoint(UpstreamList upstreams, OpenRequests open, RelayEndpoint relay, StreamableHttpEndpoint conversations, StatelessEndpoint stateless)
{
    public static void Add(IServiceCollection services)
    {
        services.AddSingleton<EventIds>();
        services.AddSingleton<OpenRequests>();
        services.AddSingleton<RelayEndpoint>();
        services.AddSingleton<StreamableHttpEndpoint>();
        services.AddSingleton<SharedConversations>();
        services.AddSingleton<StatelessEndpoint>();
        services.AddSingleton<McpEndpoint>();
    }

    public static void Map(IEndpointRouteBuilder routes, UpstreamSetting upstream) =>
        routes.MapGatePath(upstream.McpPath, PathPolicy.Guarded, upstream)
            .On<McpEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.PostAsync(context))
            .On<McpEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.StreamAsync(context))
            .On<McpEndpoint>(HttpMethods.Delete, (endpoint, context) => endpoint.CloseAsync(context));

    public async Task PostAsync(HttpContext context)
    {
        var caller = Caller.Of(context);
        var upstream = upstreams.Of(context);

        // 1. A place, before its body takes memory.
        using var place = open.Take(caller);
        if (place is null)
        {
            await AccessRecord.RefuseAsync(context, caller, Reason.SessionLimit);
            return;
        }

        // 2. The message.
        var (request, unreadable) = await McpRequest.ReadAsync(context);
        if (request is null)
        {
            await AccessRecord.RefuseAsync(context, caller, unreadable!.Value);
            return;
        }

        request.Measure(context);

        // 3. A revision that the server speaks; a client of a newer one falls back on this answer.
        if (NeedsNature(upstream, request))
        {
            var (fault, supported) = await JudgeRevisionAsync(context, upstream, request);
            if (fault is not null)
            {
                await AccessRecord.RefuseAsync(context, caller, fault.Value, request.Message, supported: supported);
                return;
            }
        }

        // 4. On to the server.
        if (!Relays(upstream, out var http))
            await (request.IsStateless ? stateless.PostAsync(context, upstream, request) : conversations.PostAsync(context, upstream, request));
        else if (!await relay.PostAsync(context, http, request))
            await FallBackAsync(context, http, request);
    }

    private Task StreamAsync(HttpContext context) => WithoutMessageAsync(context, conversations.StreamAsync);

    private Task CloseAsync(HttpContext context) => WithoutMessageAsync(context, conversations.CloseAsync);

    private async Task WithoutMessageAsync(HttpContext context, Func<HttpContext, Task> converse)
    {
        var (caller, upstream) = (Caller.Of(context), upstreams.Of(context));
        using var place = open.Take(caller);
        if (place is null)
            await AccessRecord.RefuseAsync(context, caller, Reason.SessionLimit);
        else if (context.Request.Headers[McpHeader.Revision].ToString() is { Length: > 0 } revision && !Revision.HasSessions(revision))
            await RefuseAsync(context, upstream, revision);
        else if (Relays(upstream, out var http))
            await relay.RelayAsync(context, http);
        else
            await converse(context);
    }

    /// <summary>A stream or a session's end of a revision that has neither by themselves, as from 2026-07-28 on, or that there is not.</summary>
    private static async Task RefuseAsync(HttpContext context, IUpstream upstream, string revision)
    {
        Reason fault;
        IReadOnlyList<string>? supported = null;
        try
        {
            if (revision != Revision.Stateless)
                supported = (await upstream.LearnAsync(context.RequestAborted)).Revisions;
            fault = supported?.Contains(revision) == false ? Reason.RevisionUnsupported : Reason.MethodNotAllowed;
        }
        catch (UpstreamException exception)
        {
            fault = exception.Reason;
        }
        if (fault == Reason.MethodNotAllowed)
            context.Response.Headers.Allow = HttpMethods.Post;
        await AccessRecord.RefuseAsync(context, Caller.Of(context), fault, supported: supported);
    }

    /// <summary>As long as nothing else is known of an HTTP upstream, it is taken for a Streamable HTTP server.</summary>
    private static bool Relays(IUpstream upstream, out HttpUpstream http)
    {
        http = (upstream as HttpUpstream)!;
        return http is not null && http.Known is not { Transport: UpstreamTransport.Sse };
    }

    /// <summary>An HTTP server says itself that it has no sessions; a command would be started for that. One that may have become another is asked first.</summary>
    private static bool NeedsNature(IUpstream upstream, McpRequest request) =>
        request.IsStateless || request.Message.Method == "server/discover" || (request.Opens && upstream is not HttpUpstream { IsDoubted: false });

    private static async Task<(Reason? Fault, IReadOnlyList<string>? Supported)> JudgeRevisionAsync(HttpContext context, IUpstream upstream, McpRequest request)
    {
        try
        {
            var nature = await upstream.LearnAsync(context.RequestAborted);
            if (request.Opens ? nature.Revisions.All(Revision.IsStateless) : !nature.Revisions.Contains(request.Revision ?? Revision.Stateless))
                return (Reason.RevisionUnsupported, nature.Revisions);
            return (request.IsStateless && (request.IsBatch || McpHeaders.AreMissing(context.Request.Headers, request.Message)) ? Reason.MessageHeaderMismatch : null, null);
        }
        catch (UpstreamException exception)
        {
            return (exception.Reason, null);
        }
    }

    /// <summary>What answers <c>initialize</c> so may be a server of HTTP+SSE.</summary>
    private async Task FallBackAsync(HttpContext context, HttpUpstream upstream, McpRequest request)
    {
        var fault = Reason.UpstreamFailed;
        try
        {
            if ((await upstream.LearnAsync(context.RequestAborted)).Transport == UpstreamTransport.Sse)
            {
                await conversations.PostAsync(context, upstream, request);
                return;
            }
        }
        catch (UpstreamException exception)
        {
            fault = exception.Reason;
        }
        await JsonRpcError.WriteAsync(context, fault, request.Message);
    }
}
