using System.Text.Json;
using System.Text.Json.Serialization;
using Sallyport.Proof.Events;
using Sallyport.Proof.Tree;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Audit;

/// <summary>A snapshot that the log has, whole.</summary>
/// <param name="BegunAt">The index of its first event.</param>
internal sealed record Snapshot(string Id, long BegunAt, DateTimeOffset Time);

/// <summary>
/// Which snapshots there are, and the removal of what stands before one. Leaves go by whole bundles and whole segments, as C2SP
/// tlog-tiles has it ("Pruning"); the tree stays the same, and what is left can be proved as before.
/// </summary>
/// <param name="delete">How a file is removed; tests have a process here that dies.</param>
internal sealed class Retention(LogFiles files, Action<string>? delete = null)
{
    public const string SnapshotsFile = "snapshots";

    private readonly Action<string> _delete = delete ?? File.Delete;

    /// <summary>Oldest first. The file can be lost: the next snapshot begins it anew.</summary>
    public IReadOnlyList<Snapshot> Snapshots()
    {
        try
        {
            var path = files.PathOf(SnapshotsFile);
            return File.Exists(path) ? Read(File.ReadAllBytes(path)) : [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>What can be read of such a file.</summary>
    public static IReadOnlyList<Snapshot> Read(ReadOnlySpan<byte> file)
    {
        try
        {
            return [.. (JsonSerializer.Deserialize(file, RetentionJson.Default.IReadOnlyListSnapshot) ?? []).Where(snapshot => snapshot is { Id: not null })];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    public static byte[] Write(IReadOnlyList<Snapshot> snapshots) => JsonSerializer.SerializeToUtf8Bytes(snapshots, RetentionJson.Default.IReadOnlyListSnapshot);

    /// <summary>The newest that was taken by then. The list says where to look for it, and is not believed: what is pruned is gone.</summary>
    public Snapshot? NewestAt(DateTimeOffset time) =>
        Snapshots().LastOrDefault(snapshot => snapshot.Time <= time && EventAt(snapshot.BegunAt) is SnapshotBegun begun && begun.Snapshot == snapshot.Id && begun.Time <= time);

    public void Add(Snapshot snapshot) => Keep([.. Snapshots(), snapshot]);

    /// <summary>The event of removing what stands before a snapshot; null when nothing would be removed.</summary>
    public LogPruned? Before(Snapshot snapshot)
    {
        var journal = files.Segments().LastOrDefault(segment => segment.FirstIndex <= snapshot.BegunAt).FirstIndex;
        var minimum = journal / TilePath.Full * TilePath.Full;
        return minimum > (files.First(TilePath.Entries) ?? 0) * TilePath.Full
            ? new() { Id = AuditLog.NewId(), MinimumIndex = minimum, JournalIndex = journal, Snapshot = snapshot.Id }
            : null;
    }

    /// <summary>Removes what an event says, which is in the log and signed already.</summary>
    public void Prune(LogPruned pruned)
    {
        // Bundles first, and all before the journal: a reader that finds only some of it gone begins at the first bundle. Upward, so that
        // what a process that died has left of it is where the next one begins.
        for (var level = TilePath.Entries; level <= TilePath.MaxLevel; level++)
        {
            var kept = TilePath.Widths(level, pruned.MinimumIndex).Full;
            for (var index = files.First(level) ?? kept; index < kept; index++)
                Delete(new(level, index));
        }
        foreach (var (firstIndex, name) in files.Segments())
        {
            if (firstIndex < pruned.JournalIndex)
                _delete(files.PathOf(name));
        }
        Keep([.. Snapshots().Where(snapshot => snapshot.BegunAt >= pruned.MinimumIndex)]);
        new CheckpointHistory(files).Prune(pruned.MinimumIndex);
    }

    /// <summary>Partial ones that were left beside a full one go before it: without it, they would be taken for what the log begins with.</summary>
    private void Delete(TilePath path)
    {
        var file = files.PathOf(path.ToString());
        var partial = file + ".p";
        if (Directory.Exists(partial))
        {
            foreach (var left in Directory.GetFiles(partial))
                _delete(left);
            Directory.Delete(partial);
        }
        if (File.Exists(file))
            _delete(file);
        for (var folder = Path.GetDirectoryName(file)!; Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any(); folder = Path.GetDirectoryName(folder)!)
            Directory.Delete(folder);
    }

    private AuditEvent? EventAt(long index)
    {
        try
        {
            return JournalFiles.ReadFrom(files.Directory, index, index + 1).Select(leaf => AuditEventJson.Read(leaf.Bytes)).FirstOrDefault();
        }
        catch (JsonException)
        {
            // A leaf that nobody can read is no snapshot.
            return null;
        }
    }

    private void Keep(IReadOnlyList<Snapshot> snapshots) => Disk.Replace(files.PathOf(SnapshotsFile), Write(snapshots));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(IReadOnlyList<Snapshot>))]
internal sealed partial class RetentionJson : JsonSerializerContext;
