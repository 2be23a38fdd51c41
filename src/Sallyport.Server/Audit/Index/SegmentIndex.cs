using System.Buffers;
using Microsoft.Win32.SafeHandles;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;

namespace Sallyport.Server.Audit.Index;

/// <summary>
/// The index of one segment, as far as it can be relied on: an entry for each leaf, from the first on. It lies beside the segment,
/// in <c>index/</c>, under the segment's name.
/// </summary>
/// <remarks>
/// It holds up to the first entry that is torn or damaged, and only if the last one before that is of the leaf that the segment has
/// there. Ids are random: an index of other leaves, which a loss of power has taken, does not pass.
/// </remarks>
internal sealed class SegmentIndex : IDisposable
{
    public const string Folder = "index";

    /// <summary>Events are longer than their entries. What somebody wrote beyond is not looked at.</summary>
    private const long MostBytes = JournalReader.MaxSegmentBytes;

    private readonly SafeFileHandle? _segment;
    private readonly byte[] _entries;
    private readonly long _firstIndex;

    private SegmentIndex(SafeFileHandle? segment, long firstIndex, byte[] entries)
    {
        (_segment, _firstIndex, _entries) = (segment, firstIndex, entries);
        while (Count < entries.Length / IndexEntry.Bytes && TryRead(Count, out _))
            Count++;
        if (Count == 0)
            return;
        var last = this[Count - 1];
        if (ReadLeaf((int)last.Offset, JournalRecord.SizeOf(AuditEventJson.MaxLeafBytes)) is { } leaf && IndexEntry.Of(leaf, (int)last.Offset) == last)
            End = (int)last.Offset + JournalRecord.SizeOf(leaf.Length);
        else
            Count = 0;
    }

    /// <summary>Leaves that it has entries of.</summary>
    public int Count { get; private set; }

    /// <summary>Where behind those the segment goes on.</summary>
    public int End { get; private set; }

    /// <summary>Whether the segment goes on there.</summary>
    public bool IsWhole => _segment is null || RandomAccess.GetLength(_segment) == End;

    private IndexEntry this[int i] => TryRead(i, out var entry) ? entry : throw new ArgumentOutOfRangeException(nameof(i));

    public static string NameOf(string segment) => Folder + "/" + segment;

    /// <param name="segment">Its name. It may be gone meanwhile, as its index may be missing.</param>
    public static SegmentIndex Open(LogFiles files, long firstIndex, string segment)
    {
        SafeFileHandle handle;
        try
        {
            handle = File.OpenHandle(files.PathOf(segment), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return new(null, firstIndex, []);
        }
        try
        {
            using var index = files.Open(NameOf(segment));
            var entries = new byte[Math.Min(index?.Length ?? 0, MostBytes)];
            return new(handle, firstIndex, entries[..(index?.ReadAtLeast(entries, entries.Length, throwOnEndOfStream: false) ?? 0)]);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Whatever is wrong with it, the segment itself has everything.
            return new(handle, firstIndex, []);
        }
    }

    /// <summary>The leaves that may be ones that are sought; null where one of them is not as the index has it.</summary>
    public List<Leaf>? Find(IndexQuery query)
    {
        var found = new List<Leaf>();
        for (var i = 0; i < Count; i++)
        {
            var entry = this[i];
            if (!query.MayBe(entry))
                continue;
            var end = i + 1 < Count ? (int)this[i + 1].Offset : End;
            if (ReadLeaf((int)entry.Offset, end - (int)entry.Offset) is not { } leaf || JournalRecord.SizeOf(leaf.Length) != end - entry.Offset)
                return null;
            found.Add(new(_firstIndex + i, leaf));
        }
        return found;
    }

    public void Dispose() => _segment?.Dispose();

    private bool TryRead(int i, out IndexEntry entry) => IndexEntry.TryRead(_entries.AsSpan(i * IndexEntry.Bytes), _firstIndex + i, out entry);

    private byte[]? ReadLeaf(int offset, int mostBytes)
    {
        if (_segment is null || mostBytes < JournalRecord.HeaderBytes || mostBytes > JournalRecord.SizeOf(AuditEventJson.MaxLeafBytes))
            return null;
        var buffer = ArrayPool<byte>.Shared.Rent(mostBytes);
        try
        {
            var read = buffer.AsSpan(0, RandomAccess.Read(_segment, buffer.AsSpan(0, mostBytes), offset));
            return JournalRecord.TryRead(read, out var leaf) == JournalReadResult.Record ? leaf.ToArray() : null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
