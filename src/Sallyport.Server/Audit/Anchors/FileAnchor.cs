using System.Globalization;
using System.Text;
using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;

namespace Sallyport.Server.Audit.Anchors;

/// <summary>
/// A file that a line is added to for each checkpoint, or a directory that gets a file for each: on another disk, a share that only
/// takes new files, or a mounted bucket with retention.
/// </summary>
internal sealed class FileAnchor(string path) : IAnchor
{
    public string Name => path;

    public async Task<Anchored> GiveAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        try
        {
            if (Directory.Exists(path))
                await WriteNewAsync(checkpoint, cancellationToken);
            else
                await AppendAsync(checkpoint, cancellationToken);
            return new(null, null);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return new(null, Reason.AnchorUnreachable);
        }
    }

    private async Task AppendAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        await file.WriteAsync(Encoding.UTF8.GetBytes(CheckpointLine.Format(checkpoint.Note) + "\n"), cancellationToken);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Never over one that is there: a directory that keeps what it has would refuse it, and a forger would want it.</summary>
    private async Task WriteNewAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{checkpoint.Head.Origin.Replace('/', '-')}-{checkpoint.Head.Size:D20}.checkpoint");
        var file = Path.Combine(path, name);
        if (File.Exists(file))
            return;
        await using var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        await stream.WriteAsync(checkpoint.Note.ToBytes(), cancellationToken);
        stream.Flush(flushToDisk: true);
    }
}
