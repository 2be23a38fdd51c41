using System.Buffers;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Audit;

/// <summary>
/// The tree over the journal, as C2SP tlog-tiles keeps it in files: tiles of hashes and bundles of entries, which anybody's tools can
/// read. It follows the journal; nothing waits for it.
/// </summary>
internal sealed class LogTree
{
    private readonly LogFiles _files;
    private readonly ArrayBufferWriter<byte> _bundle = new(64 * 1024);
    private readonly TileBuilder _tree;
    private readonly HashSet<string> _unsynced = [];
    private readonly List<TilePath> _grown = [];

    private LogTree(LogFiles files, TileTree? signed)
    {
        _files = files;
        _tree = signed is null ? new(WriteFull) : TileBuilder.After(signed, WriteFull);
    }

    /// <summary>Leaves so far.</summary>
    public long Size => _tree.Size;

    public TreeHash Root() => _tree.Root();

    /// <summary>Goes on behind the newest checkpoint. The tree's files before it are as they were signed, or the log is refused.</summary>
    /// <param name="checkpoint">The newest one; null for a log that was never signed.</param>
    /// <exception cref="DamagedLogException">Journal, tiles and checkpoint do not belong together.</exception>
    public static LogTree Open(LogFiles files, Checkpoint? checkpoint)
    {
        try
        {
            if (checkpoint is null)
                return new(files, null);
            var tree = new LogTree(files, new(checkpoint.Size, path => files.ReadOrGrown(path)?.Bytes));
            tree.RestoreBundle();
            if (tree.Root() == checkpoint.Root)
                return tree;
        }
        catch (MissingTileException)
        {
            // They are made anew from the journal, where it has all leaves, and judged by the root that was signed.
        }
        var anew = new LogTree(files, null);
        using var reader = new JournalReader(files);
        if (reader.NextIndex > 0)
            throw new DamagedLogException($"the tiles of the first {checkpoint!.Size} leaves are not those that were signed, and the journal no longer has them all");
        while (anew.Size < checkpoint!.Size && reader.Read() == JournalItem.Leaf)
            anew.Append(reader.Leaf);
        if (anew.Size < checkpoint.Size)
            throw new DamagedLogException($"the journal has {anew.Size} leaves, fewer than the {checkpoint.Size} that its checkpoint signed");
        if (anew.Root() != checkpoint.Root)
            throw new DamagedLogException($"the first {checkpoint.Size} leaves of the journal are not those that its checkpoint signed");
        return anew;
    }

    public void Append(ReadOnlySpan<byte> leaf)
    {
        var size = EntryBundle.HeaderBytes + leaf.Length;
        EntryBundle.Write(leaf, _bundle.GetSpan(size));
        _bundle.Advance(size);
        // Completes the hashes' tile, and with it the bundle.
        _tree.Append(leaf);
    }

    /// <summary>Writes the partial tiles at the right edge. Done when everything that a checkpoint of this size needs is on the disk.</summary>
    public void Sync()
    {
        foreach (var (path, bytes) in _tree.Partial())
            Write(path, bytes.Span);
        if (_bundle.WrittenCount > 0)
            Write(new(TilePath.Entries, Size / TilePath.Full, (int)(Size % TilePath.Full)), _bundle.WrittenSpan);
        var folders = _unsynced.Select(path => Path.GetDirectoryName(path)!).ToHashSet();
        foreach (var path in _unsynced)
            Disk.SyncFile(path);
        foreach (var folder in folders)
            Disk.SyncDirectory(folder);
        _unsynced.Clear();
        DropGrown();
    }

    /// <summary>
    /// Removes the partial tiles that full ones stand for, which are on the disk: also under the checkpoint so far, which needs no others.
    /// Not after the next one: whoever dies behind that does not come by these again, and they would stay.
    /// </summary>
    private void DropGrown()
    {
        var folders = new HashSet<string>();
        foreach (var path in _grown)
        {
            var partial = _files.PathOf(path + ".p");
            if (!Directory.Exists(partial))
                continue;
            Directory.Delete(partial, recursive: true);
            folders.Add(Path.GetDirectoryName(partial)!);
        }
        foreach (var folder in folders)
            Disk.SyncDirectory(folder);
        _grown.Clear();
    }

    /// <summary>The entries of the bundle at the right edge, out of the journal; each is the one whose hash was signed.</summary>
    private void RestoreBundle()
    {
        var first = Size / TilePath.Full * TilePath.Full;
        var leaves = TileBuilder.After(new TileTree(first, path => _files.ReadOrGrown(path)?.Bytes), static (_, _) => { });
        using var reader = new JournalReader(_files, first);
        var item = reader.Read();
        while (item == JournalItem.Leaf && reader.Index < first)
            item = reader.Read();
        for (; leaves.Size < Size && item == JournalItem.Leaf; item = reader.Read())
        {
            leaves.Append(reader.Leaf);
            var size = EntryBundle.HeaderBytes + reader.Leaf.Length;
            EntryBundle.Write(reader.Leaf, _bundle.GetSpan(size));
            _bundle.Advance(size);
        }
        if (leaves.Size < Size)
            throw new DamagedLogException($"the journal has {leaves.Size} leaves, fewer than the {Size} that its checkpoint signed");
        if (leaves.Root() != Root())
            throw new DamagedLogException($"leaves {first} to {Size - 1} of the journal are not those that its checkpoint signed");
    }

    private void WriteFull(TilePath path, ReadOnlyMemory<byte> hashes)
    {
        Write(path, hashes.Span);
        _grown.Add(path);
        if (path.Level > 0)
            return;
        var bundle = path with { Level = TilePath.Entries };
        Write(bundle, _bundle.WrittenSpan);
        _grown.Add(bundle);
        _bundle.ResetWrittenCount();
    }

    private void Write(TilePath path, ReadOnlySpan<byte> bytes)
    {
        var file = _files.PathOf(path.ToString());
        // After a kill the same bytes come again: what readers may be reading stays as it is.
        if (!File.Exists(file) || !bytes.SequenceEqual(File.ReadAllBytes(file)))
            WriteNew(file, bytes);
        _unsynced.Add(file);
    }

    private static void WriteNew(string file, ReadOnlySpan<byte> bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        using var stream = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.Read | FileShare.Delete, bufferSize: 0);
        stream.Write(bytes);
    }
}
