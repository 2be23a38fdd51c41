using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// The shared conversations, one for each user, client and upstream. Each is a session of the gate's, with its limits and its events, but
/// none of the client's, who does not hear of it: it is opened by a request, and anew when it is over.
/// </summary>
internal sealed class SharedConversations(Sessions sessions, GateActs acts, TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Subject, string Client, string Audience), Lazy<Task<SharedConversation>>> _opened = new();

    /// <summary>The caller's. Who asks first opens it, and others wait for that.</summary>
    /// <exception cref="UpstreamException">It could not be opened.</exception>
    public async Task<SharedConversation> OfAsync(HttpContext context, Caller caller, IUpstream upstream)
    {
        var key = (caller.Subject, caller.ClientId, upstream.Setting.Audience);
        if (!_opened.TryGetValue(key, out var opened) || IsOver(opened))
        {
            if (!sessions.HasRoomFor(caller))
                throw new UpstreamException(Reason.SessionLimit, reached: false, "there are as many sessions as may be");
            foreach (var each in _opened)
            {
                if (IsOver(each.Value))
                    _opened.TryRemove(each);
            }
            opened = _opened.GetOrAdd(key, _ => new(() => OpenAsync(context, caller, upstream)));
        }
        var conversation = await opened.Value.WaitAsync(context.RequestAborted);
        conversation.Use(caller);
        return conversation;
    }

    private static bool IsOver(Lazy<Task<SharedConversation>> opened) =>
        opened is { IsValueCreated: true, Value: { IsCompleted: true } opening } && (!opening.IsCompletedSuccessfully || opening.Result.IsOver);

    /// <summary>Nobody's leaving ends what others wait for too.</summary>
    private async Task<SharedConversation> OpenAsync(HttpContext context, Caller caller, IUpstream upstream)
    {
        var id = RandomId.New();
        var channel = await upstream.OpenAsync(id, () => caller, CancellationToken.None);
        var conversation = new SharedConversation(id, caller, channel, () => acts.RecordAsync(GateAct.RequestCancelled, upstream.Setting.Audience, id), time);
        await sessions.AddAsync(conversation, context);
        return conversation;
    }
}
