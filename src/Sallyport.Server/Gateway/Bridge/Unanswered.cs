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
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _bytes;
    private bool _isOver;

    /// <summary>Takes on a message; null where the session may not, for instance while too many requests wait because nobody reads the stream.</summary>
    /// <param name="message">A request waits from here on.</param>
    /// <param name="bytes">Its length.</param>
    /// <param name="take">Takes its caller's place until it is answered; null where there is none.</param>
    /// <param name="refused">Why not.</param>
    public UnansweredRequest? TakeOn(McpMessage message, int bytes, Func<IDisposable?> take, out Reason refused)
    {
        refused = Reason.SessionBusy;
        if (message.Kind != McpMessageKind.Request)
            return new(message, bytes, place: null);
        lock (_lock)
        {
            if (_isOver || _requests.Count >= Limits.UnansweredRequests || _bytes > Limits.MessageBytes || _requests.ContainsKey(message.IdKey!))
                return null;
            refused = Reason.SessionLimit;
            if (take() is not { } place)
                return null;
            var taken = new UnansweredRequest(message, bytes, place);
            _requests.Add(message.IdKey!, taken);
            _bytes += bytes;
            return taken;
        }
    }

    /// <summary>The message was sent on behalf of an access.</summary>
    /// <returns>False when no answer will come any more: the outcome is known.</returns>
    public bool IsAwaited(UnansweredRequest request, string access)
    {
        lock (_lock)
        {
            if (request.Message.IdKey is not { } idKey || _requests.GetValueOrDefault(idKey) != request)
                return false;
            request.Access = access;
            return true;
        }
    }

    /// <summary>The request is answered, or was taken back.</summary>
    /// <param name="fault">Why the answer is the gate's.</param>
    public UnansweredRequest? Remove(string? idKey, Reason? fault = null)
    {
        lock (_lock)
        {
            if (idKey is null || !_requests.Remove(idKey, out var request))
                return null;
            _bytes -= request.Bytes;
            request.Fault = fault;
            request.Place?.Dispose();
            TellDrained();
            return request;
        }
    }

    /// <summary>A message that was taken on did not reach the server.</summary>
    public void GiveUp(McpMessage message)
    {
        if (message.Kind == McpMessageKind.Request)
            Remove(message.IdKey);
    }

    /// <summary>Takes on no more requests; done when none waits.</summary>
    public Task DrainAsync()
    {
        lock (_lock)
        {
            _isOver = true;
            TellDrained();
        }
        return _drained.Task;
    }

    private void TellDrained()
    {
        if (_isOver && _requests.Count == 0)
            _drained.TrySetResult();
    }

    /// <summary>All that still wait, and will for ever: the session is over.</summary>
    public IReadOnlyList<UnansweredRequest> RemoveAll(Reason reason)
    {
        lock (_lock)
        {
            UnansweredRequest[] all = [.. _requests.Values];
            foreach (var request in all)
            {
                request.Fault = reason;
                request.Place?.Dispose();
            }
            _requests.Clear();
            _bytes = 0;
            _isOver = true;
            TellDrained();
            return all;
        }
    }
}

internal sealed class UnansweredRequest(McpMessage message, int bytes, IDisposable? place)
{
    public McpMessage Message { get; } = message;
    public int Bytes { get; } = bytes;
    /// <summary>Its caller's, until it is answered; null of what is no request.</summary>
    public IDisposable? Place { get; } = place;
    /// <summary>Null until it was sent.</summary>
    public string? Access { get; set; }
    /// <summary>Why it has got no answer of the server's; null while it waits, or where it has got one.</summary>
    public Reason? Fault { get; set; }
}
