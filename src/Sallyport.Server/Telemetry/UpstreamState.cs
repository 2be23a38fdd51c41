using Sallyport.Proof.Events;

namespace Sallyport.Server.Telemetry;

/// <summary>What an upstream's newest answer was.</summary>
/// <param name="Upstream">Its label.</param>
/// <param name="Fault">Null where it answers, or has not been asked.</param>
internal sealed record UpstreamState(string Upstream, Reason? Fault);
