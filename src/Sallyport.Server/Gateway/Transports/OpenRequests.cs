using System.Collections.Concurrent;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>
/// Requests and streams that are open at this moment, by user and client: each holds its body and a connection or a process's attention, and
/// a stream does so for as long as its caller likes.
/// </summary>
internal sealed class OpenRequests
{
    private readonly ConcurrentDictionary<(string Subject, string Client), int> _open = new();

    /// <summary>A place until it is given back; null when the caller has as many as it may.</summary>
    public IDisposable? Take(Caller caller)
    {
        var principal = (caller.Subject, caller.ClientId);
        if (_open.AddOrUpdate(principal, 1, static (_, open) => open + 1) <= Limits.OpenRequestsPerPrincipal)
            return new Place(this, principal);
        GiveBack(principal);
        return null;
    }

    private void GiveBack((string Subject, string Client) principal)
    {
        if (_open.AddOrUpdate(principal, 0, static (_, open) => open - 1) == 0)
            _open.TryRemove(KeyValuePair.Create(principal, 0));
    }

    private sealed class Place(OpenRequests open, (string Subject, string Client) principal) : IDisposable
    {
        public void Dispose() => open.GiveBack(principal);
    }
}
