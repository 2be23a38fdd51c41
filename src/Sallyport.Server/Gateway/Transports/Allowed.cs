using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Bridge;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>The accesses of one request, which have one outcome, once.</summary>
internal sealed class Allowed(AccessRecord accesses, string[] events)
{
    private bool _isKnown;

    public void Forwarded(Reason? unanswered = null)
    {
        if (_isKnown)
            return;
        _isKnown = true;
        foreach (var access in events)
            accesses.Forwarded(access, unanswered);
    }

    /// <summary>The standing stream that this opened is over.</summary>
    public void StreamEnded()
    {
        foreach (var access in events)
            accesses.StreamEnded(access);
    }

    /// <param name="reached">Whether the upstream may have seen any of it.</param>
    public void Failed(Reason reason, bool reached)
    {
        if (reached)
        {
            Forwarded(reason);
        }
        else if (!_isKnown)
        {
            _isKnown = true;
            foreach (var access in events)
                accesses.NotForwarded(access, reason);
        }
    }
}
