namespace Sallyport.Server.Audit.Index;

/// <summary>
/// Looks for events: by the index, as far as there is one, and in the journal itself where there is not.
/// </summary>
/// <remarks>
///     each segment ──▶ [1 its index: leaves that may be sought] ──▶ [2 the journal behind what the index has] ──▶ whoever asks looks at each
///
/// What comes is what may be sought, and everything that is: whoever asks decides by the event itself. So an index that is missing,
/// behind or damaged costs time, and changes no answer.
/// </remarks>
internal static class EventSearch
{
    /// <summary>Memory is what is found in one segment.</summary>
    public static IEnumerable<Leaf> OldestFirst(string directory, EventQuery query)
    {
        var files = new LogFiles(directory);
        var (segments, sought) = (files.Segments(), new IndexQuery(query));
        return segments.SelectMany((segment, i) => InSegment(files, segment, EndOf(segments, i), query.IsOpen ? null : sought));
    }

    /// <summary>Likewise. Not further back than <paramref name="mostSegments"/>: the time is bounded by it.</summary>
    public static IEnumerable<Leaf> NewestFirst(string directory, EventQuery query, int mostSegments = int.MaxValue)
    {
        var files = new LogFiles(directory);
        var (segments, sought) = (files.Segments(), new IndexQuery(query));
        for (var i = segments.Count - 1; i >= 0 && segments.Count - i <= mostSegments; i--)
        {
            foreach (var leaf in InSegment(files, segments[i], EndOf(segments, i), query.IsOpen ? null : sought).Reverse())
                yield return leaf;
        }
    }

    private static long EndOf(IReadOnlyList<(long FirstIndex, string Name)> segments, int i) => i + 1 < segments.Count ? segments[i + 1].FirstIndex : long.MaxValue;

    private static IEnumerable<Leaf> InSegment(LogFiles files, (long FirstIndex, string Name) segment, long end, IndexQuery? query)
    {
        if (query is null)
            return JournalFiles.ReadFrom(files.Directory, segment.FirstIndex, end);

        // 1. What the index has.
        using var index = SegmentIndex.Open(files, segment.FirstIndex, segment.Name);
        var found = index.Find(query);

        // 2. What is behind it; all of it, where a leaf is not as the index has it.
        return found is null ? JournalFiles.ReadFrom(files.Directory, segment.FirstIndex, end)
            : index.IsWhole ? found
            : found.Concat(JournalFiles.ReadFrom(files.Directory, segment.FirstIndex + index.Count, index.End, end));
    }
}
