using System.Buffers;
using System.Globalization;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Audit;

/// <summary>A leaf, as read back.</summary>
/// <param name="Index">Its place in the log, from 0: the event's number.</param>
internal readonly record struct Leaf(long Index, byte[] Bytes)
{
    public AuditEvent Event => AuditEventJson.Read(Bytes);
}

/// <summary>
/// The segments of a journal: files named by the index of their first leaf. Reading needs no lock: it ends at the last whole
/// record, which may be followed by one that is being written.
/// </summary>
internal static class JournalFiles
{
    private const string Prefix = "journal-";
    private const int Digits = 20;

    public static string PathOf(string directory, long firstIndex) =>
        Path.Combine(directory, Prefix + firstIndex.ToString($"D{Digits}", CultureInfo.InvariantCulture));

    /// <summary>Whether a file of that name is a segment.</summary>
    public static bool IsSegment(string name) => FirstIndex(name) is >= 0 and var index && PathOf("", index) == name;

    /// <summary>The segments in order, each with the index of its first leaf.</summary>
    public static IReadOnlyList<(long FirstIndex, string Path)> Segments(string directory) =>
        !Directory.Exists(directory)
            ? []
            : [.. Directory.EnumerateFiles(directory, Prefix + "*")
                .Select(path => (FirstIndex(path), path))
                .Where(segment => segment.Item1 >= 0)
                .OrderBy(segment => segment.Item1)];

    /// <summary>Whether anything was ever written.</summary>
    public static bool HasBegun(string directory) => Segments(directory).Any(segment => segment.FirstIndex > 0 || new FileInfo(segment.Path).Length > 0);

    /// <summary>Every leaf of the log, oldest first.</summary>
    public static IEnumerable<Leaf> ReadAll(string directory) => ReadFrom(directory, 0);

    /// <summary>The segments without those that end before an index.</summary>
    public static IEnumerable<(long FirstIndex, string Path)> SegmentsFrom(string directory, long index)
    {
        var segments = Segments(directory);
        return segments.Where((_, i) => i + 1 == segments.Count || segments[i + 1].FirstIndex > index);
    }

    /// <summary>
    /// The leaves from an index up to the one before <paramref name="end"/>, oldest first. Records that do not hold their checksum are
    /// passed over; <c>audit verify</c> tells of them. Memory is a piece of one segment.
    /// </summary>
    public static IEnumerable<Leaf> ReadFrom(string directory, long index, long end = long.MaxValue) =>
        Read(new(new LogFiles(directory), index), index, end);

    /// <summary>Likewise, by whoever knows at which offset of its segment the first one is.</summary>
    public static IEnumerable<Leaf> ReadFrom(string directory, long index, int offset, long end) =>
        Read(JournalReader.At(new LogFiles(directory), index, offset), index, end);

    private static IEnumerable<Leaf> Read(JournalReader reader, long index, long end)
    {
        using var open = reader;
        while (reader.NextIndex < end && reader.Read() is not JournalItem.End and var item)
        {
            if (item == JournalItem.Leaf && reader.Index >= index)
                yield return new(reader.Index, reader.Leaf.ToArray());
        }
    }

    /// <summary>Every leaf of the log, newest first; memory is the leaves of one segment.</summary>
    public static IEnumerable<Leaf> ReadBackwards(string directory)
    {
        var end = long.MaxValue;
        foreach (var (firstIndex, _) in Segments(directory).Reverse())
        {
            foreach (var leaf in ReadFrom(directory, firstIndex, end).Reverse())
                yield return leaf;
            end = firstIndex;
        }
    }

    /// <summary>
    /// Opens the end of the log for writing. From the first place on that has no whole record, what is not signed is cut off: a killed
    /// process was writing it, or it was not synced when the power went, and what it tells of is in the outbox or was not promised. In
    /// what is signed that place is damage, and evidence: nothing is touched.
    /// </summary>
    /// <param name="signed">How many leaves a checkpoint covers.</param>
    /// <exception cref="DamagedLogException">The log's last segment is damaged.</exception>
    public static JournalEnd OpenEnd(string directory, long signed, Func<string, Stream> open)
    {
        var segments = Segments(directory);
        if (segments.Count == 0)
            return new(open(PathOf(directory, 0)), 0, 0, 0, null);
        var (firstIndex, path) = segments[^1];
        using var reader = new JournalReader(new LogFiles(directory), firstIndex, signed);
        while (reader.Read() is not JournalItem.End and var item)
        {
            if (item == JournalItem.Damaged)
                throw new DamagedLogException($"event {reader.Index} in {path} does not hold its checksum, and whole events follow it");
        }
        if (reader.TornBytes > 0 && reader.NextIndex < signed)
            throw new DamagedLogException($"event {reader.NextIndex} in {path} is not whole, and {signed} events are signed");
        var last = reader.Leaf.Length > 0 ? reader.Leaf.ToArray()
            : segments.Count > 1 ? ReadFrom(directory, segments[^2].FirstIndex).Last().Bytes
            : null;
        var stream = open(path);
        var wholeBytes = stream.Length - reader.TornBytes;
        if (reader.TornBytes > 0)
            stream.SetLength(wholeBytes);
        stream.Seek(wholeBytes, SeekOrigin.Begin);
        return new(stream, reader.NextIndex, wholeBytes, reader.TornBytes, last);
    }

    /// <summary>
    /// A stream that writes through to the operating system at once: what it took survives the process. There is room for all that
    /// will be written to it.
    /// </summary>
    /// <exception cref="IOException">There is no room; a file that was not there is not there now.</exception>
    public static Stream OpenFile(string path)
    {
        var isNew = !File.Exists(path);
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read | FileShare.Delete, bufferSize: 0);
        try
        {
            Disk.Reserve(file.SafeFileHandle, Journal.ReservedBytes);
            if (isNew)
                Disk.SyncDirectory(Path.GetDirectoryName(path)!);
            return file;
        }
        catch (IOException)
        {
            file.Dispose();
            if (isNew)
                File.Delete(path);
            throw;
        }
    }

    /// <summary>-1 where it is no segment. One with a number that is larger than any index is at fault, and not passed over.</summary>
    private static long FirstIndex(string path)
    {
        var name = Path.GetFileName(path);
        if (name.Length != Prefix.Length + Digits || !name.StartsWith(Prefix, StringComparison.Ordinal) || name.AsSpan(Prefix.Length).ContainsAnyExceptInRange('0', '9'))
            return -1;
        return long.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : long.MaxValue;
    }
}

/// <summary>Gets a leaf while its bytes are good: during the call.</summary>
internal delegate void LeafAction(long index, ReadOnlySpan<byte> leaf);

/// <summary>Reads what is appended to a log after an index, again and again, each byte once.</summary>
internal sealed class JournalFollower(string directory, long next)
{
    private long _segment = -1;
    private long _offset;
    private long _index;

    public IReadOnlyList<Leaf> ReadNew()
    {
        var found = new List<Leaf>();
        ReadNew(long.MaxValue, (index, leaf) => found.Add(new(index, leaf.ToArray())));
        return found;
    }

    /// <summary>Reads on, up to the leaf before <paramref name="end"/>.</summary>
    public void ReadNew(long end, LeafAction action)
    {
        foreach (var (firstIndex, path) in JournalFiles.SegmentsFrom(directory, next).Where(segment => segment.FirstIndex >= _segment))
        {
            // Not into a segment that was begun meanwhile: what is left of this one would be passed over.
            if (next >= end)
                return;
            if (firstIndex != _segment)
                (_segment, _offset, _index) = (firstIndex, 0, firstIndex);
            ReadSegment(path, end, action);
        }
    }

    private void ReadSegment(string path, long end, LeafAction action)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var length = (int)(RandomAccess.GetLength(file) - _offset);
        if (length <= 0)
            return;
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var content = buffer.AsSpan(0, RandomAccess.Read(file, buffer.AsSpan(0, length), _offset));
            while (_index < end && JournalRecord.TryRead(content, out var leaf) == JournalReadResult.Record)
            {
                if (_index == next)
                {
                    action(_index, leaf);
                    next++;
                }
                _index++;
                _offset += JournalRecord.SizeOf(leaf.Length);
                content = content[JournalRecord.SizeOf(leaf.Length)..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <summary>The log is not as a gate leaves it: a failing disk, or somebody's hand.</summary>
internal sealed class DamagedLogException(string what) : Exception($"The log is damaged: {what}");

/// <summary>Where a journal goes on.</summary>
internal sealed record JournalEnd(Stream Stream, long NextIndex, long Offset, long BytesCut, byte[]? LastLeaf);
