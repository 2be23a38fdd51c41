using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Verification;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Audit;

/// <summary>
/// The file of all heads that were signed, a line for each, oldest first. A line that a kill or a full disk left unfinished is cut off
/// before anything is written behind it: with another one behind, it would be a fault. That checkpoint was not anchored, or its anchor
/// has it.
/// </summary>
internal sealed class CheckpointHistory(LogFiles files)
{
    private readonly string _path = files.PathOf(ILogStore.Checkpoints);

    /// <summary>The first that is kept; null where there is none.</summary>
    public SignedNote? Oldest() =>
        File.Exists(_path) && File.ReadLines(_path).FirstOrDefault() is { } line && CheckpointLine.TryParse(line, out var note) ? note : null;

    /// <summary>The last; null where there is none.</summary>
    public SignedNote? Newest()
    {
        if (!File.Exists(_path))
            return null;
        using var file = new FileStream(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        CutUnfinished(file);
        var line = Encoding.UTF8.GetString(Tail(file)).TrimEnd('\n').Split('\n')[^1];
        return CheckpointLine.TryParse(line, out var note) ? note : null;
    }

    public async Task AddAsync(SignedNote note)
    {
        await using var file = new FileStream(_path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        CutUnfinished(file);
        await file.WriteAsync(Encoding.UTF8.GetBytes(CheckpointLine.Format(note) + "\n"), CancellationToken.None);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Checkpoints of sizes whose leaves are gone can't be recomputed from what is left.</summary>
    public void Prune(long minimum)
    {
        if (!File.Exists(_path))
            return;
        using (var file = new FileStream(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read))
            CutUnfinished(file);
        var kept = File.ReadLines(_path).Where(line => !CheckpointLine.TryParse(line, out var note) || !Checkpoint.TryParse(note.Text, out var checkpoint) || checkpoint.Size >= minimum);
        Disk.Replace(_path, Encoding.UTF8.GetBytes(string.Concat(kept.Select(line => line + "\n"))));
    }

    /// <summary>Whether the last line has its end.</summary>
    public static bool EndsWithLine(FileStream file)
    {
        if (file.Length == 0)
            return true;
        file.Seek(-1, SeekOrigin.End);
        return file.ReadByte() == '\n';
    }

    /// <summary>Cuts off what stands behind the last newline, and goes to the end.</summary>
    public static void CutUnfinished(FileStream file)
    {
        if (EndsWithLine(file))
            return;
        var tail = Tail(file);
        file.SetLength(file.Length - (tail.Length - 1 - Array.LastIndexOf(tail, (byte)'\n')));
        file.Seek(0, SeekOrigin.End);
    }

    /// <summary>As much of the end as a line may have.</summary>
    private static byte[] Tail(FileStream file)
    {
        var tail = new byte[Math.Min(file.Length, CheckpointLine.MaxLength)];
        file.Seek(-tail.Length, SeekOrigin.End);
        file.ReadExactly(tail);
        return tail;
    }
}
