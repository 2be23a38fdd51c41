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

    /// <summary>Takes on a message, unless too many requests wait, for instance because nobody reads the stream: null then.</summary>
    public UnansweredRequest? TakeOn(McpMessage message, int bytes)
    {
        var taken = new UnansweredRequest(message, bytes);
        if (message.Kind != McpMessageKind.Request)
            return taken;
        lock (_lock)
        {
            if (_isOver || _requests.Count >= Limits.UnansweredRequests || _bytes > Limits.MessageBytes || !_requests.TryAdd(message.IdKey!, taken))
                return null;
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
                request.Fault = reason;
            _requests.Clear();
            _bytes = 0;
            _isOver = true;
            TellDrained();
            return all;
        }
    }
}

internal sealed class UnansweredRequest(McpMessage message, int bytes)
{
    public McpMessage Message { get; } = message;
    public int Bytes { get; } = bytes;
    /// <summary>Null until it was sent.</summary>
    public string? Access { get; set; }
    /// <summary>Why it has got no answer of the server's; null while it waits, or where it has got one.</summary>
    public Reason? Fault { get; set; }
}
