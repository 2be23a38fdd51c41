using Sallyport.Proof.Journal;
using Sallyport.Server.Audit;

namespace Sallyport.Log;

/// <summary>The leaves of a log's journal, for commands. Memory is one segment.</summary>
internal static class LogReading
{
    /// <summary>Oldest first. Records that do not hold their checksum are passed over; <c>audit verify</c> tells of them.</summary>
    public static IEnumerable<Leaf> Forwards(LogFiles files, long from = 0, long end = long.MaxValue)
    {
        var reader = new JournalReader(files, from);
        while (reader.NextIndex < end && reader.Read() is not JournalItem.End and var item)
        {
            if (item == JournalItem.Leaf && reader.Index >= from)
                yield return new(reader.Index, reader.Leaf.ToArray());
        }
    }

    /// <summary>Newest first.</summary>
    public static IEnumerable<Leaf> Backwards(LogFiles files)
    {
        var end = long.MaxValue;
        foreach (var (firstIndex, _) in files.Segments().Reverse())
        {
            foreach (var leaf in Forwards(files, firstIndex, end).Reverse())
                yield return leaf;
            end = firstIndex;
        }
    }
}
