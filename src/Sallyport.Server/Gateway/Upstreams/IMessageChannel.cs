using Sallyport.Proof.Events;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>One conversation with a server, whatever it speaks: whole messages as bytes, both ways, each on one line.</summary>
internal interface IMessageChannel : IAsyncDisposable
{
    /// <summary>Done when the server has the message, not when it has answered. What was begun is sent whole, whoever leaves, and counts as sent.</summary>
    /// <exception cref="UpstreamException">The server is gone, or did not take it.</exception>
    /// <exception cref="OperationCanceledException">Nothing of it has left, and nothing will.</exception>
    Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken);

    /// <summary>How the server ended, if it did so by itself.</summary>
    Reason EndReason => Reason.UpstreamEnded;

    /// <summary>Why the message that was read last is an error of the gate's, in place of the answer to a request.</summary>
    Reason? Fault => null;

    /// <summary>What the server says, until it ends.</summary>
    IAsyncEnumerable<byte[]> ReadAllAsync(CancellationToken cancellationToken);
}

/// <summary>An upstream did not do what it is there for.</summary>
/// <param name="reached">Whether it may have seen any of what was sent.</param>
internal sealed class UpstreamException(Reason reason, bool reached, string detail, Exception? inner = null) : IOException(detail, inner)
{
    public Reason Reason => reason;
    public bool Reached => reached;
}
