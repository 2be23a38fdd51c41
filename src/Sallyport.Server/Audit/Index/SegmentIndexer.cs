using System.Buffers;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;

namespace Sallyport.Server.Audit.Index;

/// <summary>Writes the index of one segment, behind its journal, from where it is or from its beginning.</summary>
internal sealed class SegmentIndexer
{
    private const int ReadBytes = 4 * (JournalRecord.HeaderBytes + AuditEventJson.MaxLeafBytes);

    private readonly LogFiles _files;
    private readonly string _segment;
    private readonly ArrayBufferWriter<byte> _entries = new();
    private int _count;
    private int _offset;

    public SegmentIndexer(LogFiles files, long firstIndex, string segment)
    {
        (_files, FirstIndex, _segment) = (files, firstIndex, segment);
        Look();
    }

    public long FirstIndex { get; }

    /// <summary>The first leaf that it has no entry of.</summary>
    public long Next => FirstIndex + _count;

    /// <summary>
    /// Brings it up to the segment's end. It stops at damage, as nothing behind has a number that is certain. Nothing is synced: what a
    /// loss of power takes is made again.
    /// </summary>
    public void Advance()
    {
        using var journal = _files.Open(_segment);
        if (journal is null)
            return;
        var path = _files.PathOf(SegmentIndex.NameOf(_segment));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var index = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        // Somebody has removed or cut it.
        if (index.Length < (long)_count * IndexEntry.Bytes)
            Look();
        index.SetLength((long)_count * IndexEntry.Bytes);
        index.Seek(0, SeekOrigin.End);
        var buffer = ArrayPool<byte>.Shared.Rent(ReadBytes);
        try
        {
            while (true)
            {
                journal.Seek(_offset, SeekOrigin.Begin);
                var (count, offset) = Read(buffer.AsSpan(0, journal.ReadAtLeast(buffer.AsSpan(0, ReadBytes), ReadBytes, throwOnEndOfStream: false)));
                if (count == _count)
                    return;
                index.Write(_entries.WrittenSpan);
                (_count, _offset) = (count, offset);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void Look()
    {
        using var index = SegmentIndex.Open(_files, FirstIndex, _segment);
        (_count, _offset) = (index.Count, index.End);
    }

    private (int Count, int Offset) Read(ReadOnlySpan<byte> content)
    {
        _entries.ResetWrittenCount();
        var (count, offset) = (_count, _offset);
        for (; JournalRecord.TryRead(content, out var leaf) == JournalReadResult.Record; count++)
        {
            IndexEntry.Of(leaf, offset).Write(_entries.GetSpan(IndexEntry.Bytes), FirstIndex + count);
            _entries.Advance(IndexEntry.Bytes);
            offset += JournalRecord.SizeOf(leaf.Length);
            content = content[JournalRecord.SizeOf(leaf.Length)..];
        }
        return (count, offset);
    }
}
