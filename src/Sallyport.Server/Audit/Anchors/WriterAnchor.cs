using Sallyport.Proof.Notes;

namespace Sallyport.Server.Audit.Anchors;

/// <summary>Prints each checkpoint on a line: on the gate's standard output it ends up in whatever keeps that.</summary>
internal sealed class WriterAnchor(string name, TextWriter writer) : IAnchor
{
    public string Name => name;

    public async Task<Anchored> GiveAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        await writer.WriteLineAsync(CheckpointLine.Format(checkpoint.Note).AsMemory(), cancellationToken);
        await writer.FlushAsync(cancellationToken);
        return new(null, null);
    }
}
