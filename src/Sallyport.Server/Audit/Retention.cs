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
internal sealed class Retention(LogFiles files)
{
    public const string SnapshotsFile = "snapshots";

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
        return minimum > (files.FirstBundle() ?? 0) * TilePath.Full
            ? new() { Id = AuditLog.NewId(), MinimumIndex = minimum, JournalIndex = journal, Snapshot = snapshot.Id }
            : null;
    }

    /// <summary>Removes what an event says, which is in the log and signed already.</summary>
    public void Prune(LogPruned pruned)
    {
        // Bundles and tiles before the journal: a reader that finds only some of it gone begins at the first bundle.
        for (var bundle = files.FirstBundle() ?? 0; bundle < pruned.MinimumIndex / TilePath.Full; bundle++)
            Delete(new(TilePath.Entries, bundle));
        for (var level = 0; level <= TilePath.MaxLevel; level++)
        {
            // Those that were pruned before are gone up to some index; beyond it there is no gap.
            for (var tile = (pruned.MinimumIndex >> (8 * (level + 1))) - 1; tile >= 0 && Delete(new(level, tile)); tile--)
            {
            }
        }
        foreach (var (firstIndex, name) in files.Segments())
        {
            if (firstIndex < pruned.JournalIndex)
                File.Delete(files.PathOf(name));
        }
        Keep([.. Snapshots().Where(snapshot => snapshot.BegunAt >= pruned.MinimumIndex)]);
        new CheckpointHistory(files).Prune(pruned.MinimumIndex);
    }

    private bool Delete(TilePath path)
    {
        var file = files.PathOf(path.ToString());
        if (!File.Exists(file))
            return false;
        File.Delete(file);
        for (var folder = Path.GetDirectoryName(file)!; !Directory.EnumerateFileSystemEntries(folder).Any(); folder = Path.GetDirectoryName(folder)!)
            Directory.Delete(folder);
        return true;
    }

    private void Keep(List<Snapshot> snapshots) =>
        Disk.Replace(files.PathOf(SnapshotsFile), JsonSerializer.SerializeToUtf8Bytes(snapshots, RetentionJson.Default.ListSnapshot));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(List<Snapshot>))]
internal sealed partial class RetentionJson : JsonSerializerContext;
