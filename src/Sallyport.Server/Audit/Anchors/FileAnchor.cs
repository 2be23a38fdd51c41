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
    // As it was at the start: a directory that is gone meanwhile, because its disk is, must not become a file in its place.
    private readonly bool _isDirectory = Path.EndsInDirectorySeparator(path) || Directory.Exists(path);

    public string Name => path;

    public async Task<Anchored> GiveAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        try
        {
            if (_isDirectory)
                return new(null, await WriteNewAsync(checkpoint, cancellationToken));
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
        await using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        var line = CheckpointLine.Format(checkpoint.Note) + "\n";
        // What a full disk or a kill left of the last line does not take this one with it.
        if (!CheckpointHistory.EndsWithLine(file))
            line = "\n" + line;
        await file.WriteAsync(Encoding.UTF8.GetBytes(line), cancellationToken);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Never over one that is there: a directory that keeps what it has would refuse it, and a forger would want it.</summary>
    private async Task<Reason?> WriteNewAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{checkpoint.Head.Origin.Replace('/', '-')}-{checkpoint.Head.Size:D20}.checkpoint");
        var file = Path.Combine(path, name);
        if (File.Exists(file))
        {
            // A log that was set back comes by the same sizes again, with other roots.
            var there = await File.ReadAllBytesAsync(file, cancellationToken);
            return SignedNote.TryParse(there, out var note) && note.Text == checkpoint.Note.Text ? null : Reason.AnchorRefused;
        }
        await using var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        await stream.WriteAsync(checkpoint.Note.ToBytes(), cancellationToken);
        stream.Flush(flushToDisk: true);
        return null;
    }
}
