namespace Sallyport.Proof.Findings;

/// <summary>How many, from which event to which, in how long.</summary>
internal readonly record struct Counted(long Count, long First, long Last, TimeSpan Length);

/// <summary>Counts what came within a span that ends now: exactly, up to a threshold, and in no more memory than that takes.</summary>
internal sealed class Window
{
    private readonly Queue<(DateTimeOffset Time, long Index, long Times)> _entries = [];
    private long _sum;

    /// <param name="most">Entries that are kept.</param>
    public Counted Add(DateTimeOffset now, long index, TimeSpan span, int most, long times = 1)
    {
        _entries.Enqueue((now, index, times));
        _sum += times;
        while (now - _entries.Peek().Time > span || _entries.Count > most)
            _sum -= _entries.Dequeue().Times;
        var first = _entries.Peek();
        return new(_sum, first.Index, index, now - first.Time);
    }
}

/// <summary>Counts what came one after the other without anything that ended it, for a span at most from its first.</summary>
internal sealed class Stretch
{
    private DateTimeOffset _begun;
    private long _first;
    private long _count;

    public Counted Add(DateTimeOffset now, long index, TimeSpan span)
    {
        if (_count == 0 || now - _begun > span)
            (_begun, _first, _count) = (now, index, 0);
        _count++;
        return new(_count, _first, index, now - _begun);
    }

    public void End() => _count = 0;
}
