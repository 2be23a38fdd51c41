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
            return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), RetentionJson.Default.ListSnapshot) ?? [] : [];
        }
        catch (JsonException)
        {
            return [];
        }
    }

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

    private void Keep(List<Snapshot> snapshots) =>
        Disk.Replace(files.PathOf(SnapshotsFile), JsonSerializer.SerializeToUtf8Bytes(snapshots, RetentionJson.Default.ListSnapshot));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(List<Snapshot>))]
internal sealed partial class RetentionJson : JsonSerializerContext;
