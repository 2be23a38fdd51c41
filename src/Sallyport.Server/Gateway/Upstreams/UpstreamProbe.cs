using System.Net;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>
/// Finds out what a server speaks, as the specification says that clients should (2026-07-28, Streamable HTTP, "Backward Compatibility").
/// </summary>
/// <remarks>
///     [server/discover] ▶ it has no sessions, and says which revisions it speaks
///     [initialize] ▶ Streamable HTTP with sessions, at the revision that it settles on
///     400, 404 or 405: [GET, initialize] ▶ HTTP+SSE
/// </remarks>
internal sealed class UpstreamProbe(HttpUpstream upstream)
{
    /// <summary>Whoever does not answer <c>server/discover</c> for so long may not know it.</summary>
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <exception cref="UpstreamException">It gave no usable answer, or none in time.</exception>
    public async Task<UpstreamNature> AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (await WithinAsync(s_silence, DiscoverAsync, cancellationToken) is { } stateless)
                return stateless;
        }
        catch (UpstreamException exception) when (exception.Reason is not Reason.UpstreamUnreachable)
        {
            // An older server that stumbles over what it does not know, refuses it, or says nothing.
        }
        return (await WithinAsync(s_limit, async limited => await InitializeAsync(limited) ?? await OpenStreamAsync(limited), cancellationToken))!;
    }

    private async Task<UpstreamNature?> WithinAsync(TimeSpan time, Func<CancellationToken, Task<UpstreamNature?>> ask, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(time, upstream.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await ask(either.Token);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new UpstreamException(Reason.UpstreamTimeout, reached: true, "it did not answer in time", exception);
        }
    }

    private async Task<UpstreamNature?> DiscoverAsync(CancellationToken cancellationToken)
    {
        using var request = upstream.Request(HttpMethod.Post, body: GateMessages.Discover);
        request.Headers.TryAddWithoutValidation(McpHeader.Revision, Revision.Stateless);
        request.Headers.TryAddWithoutValidation("Mcp-Method", "server/discover");
        var (_, answer, _) = await AnswerAsync(request, cancellationToken);
        return answer is not null && UpstreamAnswer.RevisionsOf(answer) is { Length: > 0 } revisions && revisions.Any(revision => !Revision.HasSessions(revision))
            ? new(UpstreamTransport.StreamableHttp, revisions, UpstreamAnswer.ServerOf(answer))
            : null;
    }

    private async Task<UpstreamNature?> InitializeAsync(CancellationToken cancellationToken)
    {
        using var request = upstream.Request(HttpMethod.Post, body: GateMessages.Initialize);
        var (status, answer, session) = await AnswerAsync(request, cancellationToken);
        if (status is HttpStatusCode.BadRequest or HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed)
            return null;
        if (answer is null || UpstreamAnswer.RevisionOf(answer) is not { } revision)
            throw new UpstreamException(Reason.UpstreamMalformed, reached: true, $"initialize was answered {(int)status}, and not with a revision");
        if (session is not null)
            await EndAsync(session, revision, cancellationToken);
        return new(UpstreamTransport.StreamableHttp, [revision], UpstreamAnswer.ServerOf(answer));
    }

    private async Task<UpstreamNature> OpenStreamAsync(CancellationToken cancellationToken)
    {
        await using var channel = await SseChannel.OpenAsync(upstream, caller: null, cancellationToken);
        await channel.SendAsync(GateMessages.Initialize, cancellationToken);
        await foreach (var answer in channel.ReadAllAsync(cancellationToken))
        {
            if (UpstreamAnswer.RevisionOf(answer) is { } revision)
                return new(UpstreamTransport.Sse, [revision], UpstreamAnswer.ServerOf(answer));
        }
        throw new UpstreamException(Reason.UpstreamEnded, reached: true, "its stream ended before it answered initialize");
    }

    private async Task<(HttpStatusCode Status, byte[]? Answer, string? Session)> AnswerAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.Accept.ParseAdd("application/json, text/event-stream");
        using var response = await upstream.SendAsync(request, cancellationToken);
        var session = UpstreamAnswer.SessionOf(response);
        return (response.StatusCode, await UpstreamAnswer.ReadFirstAsync(response, cancellationToken), session);
    }

    private async Task EndAsync(string session, string revision, CancellationToken cancellationToken)
    {
        using var request = upstream.Request(HttpMethod.Delete, session: session);
        request.Headers.TryAddWithoutValidation(McpHeader.Revision, revision);
        try
        {
            using var response = await upstream.SendAsync(request, cancellationToken);
        }
        catch (UpstreamException)
        {
            // It need not let itself be told.
        }
    }
}
