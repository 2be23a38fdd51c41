using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// What a good token of the gate's own gets, in a request that the gate itself has sent: an answer of the gate's. There is no way from here to
/// an upstream, and with anybody else's request such a token lacks the scope that is needed, like any other.
/// </summary>
internal sealed class OwnAnswers(OwnRequests requests, TimeProvider time)
{
    /// <summary>By the audience: the session of whoever came first with such a token.</summary>
    private readonly ConcurrentDictionary<string, OwnSession> _sessions = new(StringComparer.Ordinal);

    /// <returns>False where the request is not the gate's own.</returns>
    public async Task<bool> TryAnswerAsync(HttpContext context, Caller caller)
    {
        if (requests.Take(context) is not { } own)
            return false;
        if (context.Request.Headers[McpHeader.Session].ToString() is { Length: > 0 } id)
        {
            var (_, fault) = Sessions.Judge<OwnSession>(_sessions.Values.FirstOrDefault(session => session.Id == id), caller);
            if (fault is { } reason)
            {
                own.Refused(reason);
                await JsonRpcError.WriteAsync(context, reason, message: null);
                return true;
            }
        }
        own.Pass();
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        context.Response.Headers[McpHeader.Session] = _sessions.GetOrAdd(caller.Token.Audience, static (_, its) => new(its.caller, its.time), (caller, time)).Id;
        return true;
    }

    /// <summary>Of the gate's own first user, so that the second can be refused it. Nothing is behind it.</summary>
    private sealed class OwnSession(Caller caller, TimeProvider time) : Session(RandomId.New(), AccessRecord.StreamableHttp, caller, time)
    {
        public override ValueTask DisposeAsync() => default;
    }
}
