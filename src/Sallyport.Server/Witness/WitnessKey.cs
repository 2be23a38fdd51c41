using Microsoft.Extensions.Hosting;
using Sallyport.Proof.Notes;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Witness;

/// <summary>The key that this gate cosigns with, opened when it starts: one that cannot be read is a fault of the start, not of a request.</summary>
internal sealed class WitnessKey(DataDirectory directory, GateConfiguration configuration) : IHostedService, IDisposable
{
    private NoteKey? _key;

    /// <summary>What the operators of the logs are given.</summary>
    public VerifierKey Verifier => Opened.Verifier;

    /// <summary>Says that this was the largest consistent checkpoint of its log at that time.</summary>
    public NoteSignature Cosign(string checkpoint, DateTimeOffset now) => Opened.Cosign(checkpoint, now);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // The name stays when the public URL changes: others know the key by it.
        _key = NoteKey.OpenOrCreate(directory.WitnessKey, () => new Uri(configuration.PublicUrl).Authority + WitnessEndpoint.Prefix, SignatureType.Cosignature);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _key?.Dispose();

    private NoteKey Opened => _key ?? throw new InvalidOperationException("The gate has not started");
}
