using Sallyport.Proof.Events;

namespace Sallyport.Server.Pipeline.Providers;

/// <summary>A sign-in at an identity provider came to nothing.</summary>
/// <param name="reason">For the log and the page.</param>
/// <param name="detail">For the operator; nothing that the provider wrote.</param>
/// <param name="inner">What caused it.</param>
internal sealed class ProviderException(Reason reason, string detail, Exception? inner = null) : Exception(detail, inner)
{
    public Reason Reason { get; } = reason;
}
