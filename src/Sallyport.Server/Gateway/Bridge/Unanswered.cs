using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// The requests of an HTTP+SSE session that wait for their answers. Nobody waits for those but the stream, so there may not be too
/// many; and the outcome of each is known only when its answer has come.
/// </summary>
internal sealed class Unanswered
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, UnansweredRequest> _requests = new(StringComparer.Ordinal);
    private int _bytes;
    private bool _isOver;

    /// <summary>
    /// Why the session may not take on this message; null when it has. It does not while too many requests wait, for instance because
    /// nobody reads the stream.
    /// </summary>
    /// <param name="message">A request waits from here on.</param>
    /// <param name="bytes">Its length.</param>
    /// <param name="take">Takes its caller's place until it is answered; null where there is none.</param>
    public Reason? WhyNot(McpMessage message, int bytes, Func<IDisposable?> take)
    {
        if (message.Kind != McpMessageKind.Request)
            return null;
        lock (_lock)
        {
            if (_isOver || _requests.Count >= Limits.UnansweredRequests || _bytes > Limits.MessageBytes || _requests.ContainsKey(message.IdKey!))
                return Reason.SessionBusy;
            if (take() is not { } place)
                return Reason.SessionLimit;
            _requests.Add(message.IdKey!, new(message, bytes, place));
            _bytes += bytes;
            return null;
        }
    }

    /// <summary>The message was sent on behalf of an access.</summary>
    /// <returns>False when no answer will come any more: the outcome is known.</returns>
    public bool IsAwaited(McpMessage message, string access)
    {
        lock (_lock)
        {
            if (message.Kind != McpMessageKind.Request || !_requests.TryGetValue(message.IdKey!, out var request))
                return false;
            request.Access = access;
            return true;
        }
    }

    /// <summary>The request is answered, or was taken back.</summary>
    public UnansweredRequest? Remove(string? idKey)
    {
        lock (_lock)
        {
            if (idKey is null || !_requests.Remove(idKey, out var request))
                return null;
            _bytes -= request.Bytes;
            request.Place.Dispose();
            return request;
        }
    }

    /// <summary>A message that was taken on did not reach the server.</summary>
    public void GiveUp(McpMessage message)
    {
        if (message.Kind == McpMessageKind.Request)
            Remove(message.IdKey);
    }

    /// <summary>All that still wait, and will for ever: the session is over.</summary>
    public IReadOnlyList<UnansweredRequest> RemoveAll()
    {
        lock (_lock)
        {
            UnansweredRequest[] all = [.. _requests.Values];
            foreach (var request in all)
                request.Place.Dispose();
            _requests.Clear();
            _bytes = 0;
            _isOver = true;
            return all;
        }
    }
}

internal sealed class UnansweredRequest(McpMessage message, int bytes, IDisposable place)
{
    public McpMessage Message { get; } = message;
    public int Bytes { get; } = bytes;
    public IDisposable Place { get; } = place;
    /// <summary>Null until it was sent.</summary>
    public string? Access { get; set; }
}
