using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;

namespace Sallyport.Proof.Verification;

/// <summary>The files of a log, wherever they are. Names are relative to the log's directory, with <c>/</c> between their parts.</summary>
public interface ILogStore
{
    /// <summary>The newest signed note: a C2SP checkpoint.</summary>
    const string Checkpoint = "checkpoint";

    /// <summary>Every checkpoint so far, oldest first, a <see cref="CheckpointLine"/> each.</summary>
    const string Checkpoints = "checkpoints";

    /// <summary>The key that signs them, as a C2SP verifier key.</summary>
    const string VerifierKey = "verifier-key";

    /// <summary>How each later key was introduced by the one before, oldest first; not there while there is one key.</summary>
    const string VerifierKeys = "verifier-keys";

    /// <summary>The segments of the journal in order, each with the index of its first leaf; of one whose number is larger than any index, the largest of all.</summary>
    IReadOnlyList<(long FirstIndex, string Name)> Segments();

    /// <summary>The index of the first entry bundle that there is, or null where there is none.</summary>
    long? FirstBundle();

    /// <summary>Opens a file from its start; null where there is none.</summary>
    Stream? Open(string name);
}

/// <summary>Whole files of a log.</summary>
public static class LogStores
{
    /// <summary>A file's bytes; null where there is none.</summary>
    /// <exception cref="InvalidDataException">It has more than <paramref name="limit"/> bytes.</exception>
    public static byte[]? Read(this ILogStore store, string name, int limit)
    {
        var bytes = Array.Empty<byte>();
        return store.ReadInto(ref bytes, name, limit) is { } length ? Exactly(bytes, length) : null;
    }

    /// <summary>Reads a file into a buffer, which is replaced where it is too small. How many bytes it has; null where there is none.</summary>
    /// <exception cref="InvalidDataException">It has more than <paramref name="limit"/> bytes.</exception>
    public static int? ReadInto(this ILogStore store, ref byte[] buffer, string name, int limit)
    {
        using var stream = store.Open(name);
        if (stream is null)
            return null;
        if (stream.Length > limit)
            throw new InvalidDataException($"{name} has {stream.Length} bytes; {limit} at most were expected");
        var length = (int)stream.Length;
        if (buffer.Length < length)
            buffer = GC.AllocateUninitializedArray<byte>(length);
        return stream.ReadAtLeast(buffer.AsSpan(0, length), length, throwOnEndOfStream: false);
    }

    /// <summary>
    /// How many leaves the checkpoint beside the log speaks of, whoever signed it; 0 where there is none, and more than there can be where
    /// it is none.
    /// </summary>
    public static long SignedSize(this ILogStore store)
    {
        try
        {
            return store.Read(ILogStore.Checkpoint, SignedNote.MaxBytes) is not { } bytes ? 0
                : SignedNote.TryParse(bytes, out var note) && Checkpoint.TryParse(note.Text, out var checkpoint) ? checkpoint.Size
                : long.MaxValue;
        }
        catch (InvalidDataException)
        {
            return long.MaxValue;
        }
    }

    /// <summary>A tile's bytes; null where there is none.</summary>
    public static byte[]? ReadTile(this ILogStore store, TilePath path) => store.Read(path.ToString(), MaxBytes(path));

    /// <summary>A bundle's bytes; null where there is none.</summary>
    public static byte[]? ReadBundle(this ILogStore store, TilePath path) => store.Read(path.ToString(), MaxBytes(path));

    /// <summary>
    /// A tile or bundle as it is, or, where it is partial and has grown full since, the full one, which begins with it (tlog-tiles,
    /// "Partial Tiles").
    /// </summary>
    public static (TilePath Path, byte[] Bytes)? ReadOrGrown(this ILogStore store, TilePath path)
    {
        var bytes = Array.Empty<byte>();
        return store.ReadOrGrownInto(ref bytes, path) is var (found, length) ? (found, Exactly(bytes, length)) : null;
    }

    /// <summary>The same into a buffer, which is replaced where it is too small; with how many bytes it has.</summary>
    public static (TilePath Path, int Length)? ReadOrGrownInto(this ILogStore store, ref byte[] buffer, TilePath path)
    {
        if (store.ReadInto(ref buffer, path.ToString(), MaxBytes(path)) is { } exact)
            return (path, exact);
        var grown = path with { Width = TilePath.Full };
        return !path.IsFull && store.ReadInto(ref buffer, grown.ToString(), MaxBytes(grown)) is { } full ? (grown, full) : null;
    }

    private static int MaxBytes(TilePath path) => path.Level == TilePath.Entries ? EntryBundle.MaxBytes : TilePath.Full * TreeHash.Bytes;

    /// <summary>A file that became shorter while it was read has fewer bytes than it was given room for.</summary>
    private static byte[] Exactly(byte[] bytes, int length) => bytes.Length == length ? bytes : bytes[..length];
}
