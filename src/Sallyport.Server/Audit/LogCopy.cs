using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;

namespace Sallyport.Server.Audit;

/// <summary>
/// Copies a log that may be growing. The checkpoint is read first, as it was written last: all that it speaks of is there, and the
/// journal goes at least as far.
/// </summary>
internal static class LogCopy
{
    /// <summary>Copies into a directory that is not there yet. What is pruned meanwhile leaves a copy that does not verify.</summary>
    public static void Take(LogFiles from, string to)
    {
        Directory.CreateDirectory(to);

        // 1. The head, and the key that signed it.
        var checkpoint = from.Read(ILogStore.Checkpoint, SignedNote.MaxBytes);
        if (checkpoint is not null)
            File.WriteAllBytes(Path.Combine(to, ILogStore.Checkpoint), checkpoint);
        CopyWhole(from, ILogStore.VerifierKey, to);
        CopyWhole(from, ILogStore.VerifierKeys, to);
        CopyHistory(from, to);

        // 2. Its tiles and bundles.
        if (checkpoint is not null && SignedNote.TryParse(checkpoint, out var note) && Checkpoint.TryParse(note.Text, out var head))
            CopyTiles(from, head.Size, to);
        CopyWhole(from, Retention.SnapshotsFile, to);

        // 3. The journal, up to its last whole record.
        var signed = new LogFiles(to).SignedSize();
        var segments = from.Segments();
        for (var i = 0; i < segments.Count; i++)
            CopySegment(from, segments[i], isLast: i + 1 == segments.Count, signed, to);
    }

    /// <summary>The head of a log that is as it should be, with the leaves that nobody has signed yet. Its origin is empty where it has no key.</summary>
    public static Checkpoint HeadOf(LogFiles files)
    {
        var signed = files.Read(ILogStore.Checkpoint, SignedNote.MaxBytes) is { } bytes && SignedNote.TryParse(bytes, out var note) && Checkpoint.TryParse(note.Text, out var checkpoint)
            ? new TileTree(checkpoint.Size, path => files.ReadOrGrown(path)?.Bytes)
            : null;
        var tree = signed is null ? new TileBuilder(static (_, _) => { }) : TileBuilder.After(signed, static (_, _) => { });
        using var reader = new JournalReader(files, tree.Size);
        while (reader.Read() == JournalItem.Leaf)
        {
            if (reader.Index == tree.Size)
                tree.Append(reader.Leaf);
        }
        return new(files.ReadKey()?.Name ?? "", tree.Size, tree.Root());
    }

    private static void CopyTiles(LogFiles from, long size, string to)
    {
        var first = from.FirstBundle() ?? 0;
        for (var level = TilePath.Entries; level <= TilePath.MaxLevel; level++)
        {
            var (full, partial) = TilePath.Widths(level, size);
            for (var index = level <= 0 ? first : first * TilePath.Full >> (8 * (level + 1)); index < full; index++)
                Copy(new(level, index));
            if (partial > 0)
                Copy(new(level, full, partial));
        }

        // What is missing is for the verification to find.
        void Copy(TilePath path)
        {
            if (from.ReadOrGrown(path) is not { } found)
                return;
            var file = Path.Combine(to, found.Path.ToString());
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllBytes(file, found.Bytes);
        }
    }

    private static void CopySegment(LogFiles from, (long FirstIndex, string Name) segment, bool isLast, long signed, string to)
    {
        if (from.Read(segment.Name, JournalReader.MaxSegmentBytes) is not { } bytes)
            return;
        var (whole, index) = (0, segment.FirstIndex);
        for (; JournalRecord.TryRead(bytes.AsSpan(whole), out var leaf) == JournalReadResult.Record; index++)
            whole += JournalRecord.SizeOf(leaf.Length);
        // Damage is copied as it is, so that it is found.
        var kept = isLast && (index >= signed || JournalRecord.FindBehind(bytes.AsSpan(whole)) < 0) ? bytes.AsSpan(0, whole) : bytes;
        File.WriteAllBytes(Path.Combine(to, segment.Name), kept);
    }

    private static void CopyWhole(LogFiles from, string name, string to)
    {
        using var source = from.Open(name);
        if (source is null)
            return;
        using var copy = new FileStream(Path.Combine(to, name), FileMode.CreateNew, FileAccess.ReadWrite);
        source.CopyTo(copy);
    }

    /// <summary>Without a line that is being written.</summary>
    private static void CopyHistory(LogFiles from, string to)
    {
        CopyWhole(from, ILogStore.Checkpoints, to);
        var path = Path.Combine(to, ILogStore.Checkpoints);
        if (!File.Exists(path))
            return;
        using var copy = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        CheckpointHistory.CutUnfinished(copy);
    }
}
