namespace Sallyport.Server.Pipeline;

/// <summary>
/// Counts what may happen so often in a minute, for each key by itself: all of it at once, or evenly (the generic cell rate algorithm,
/// ITU-T I.371). A key that has been idle for a minute costs nothing.
/// </summary>
internal sealed class RateCounters(TimeProvider time)
{
    /// <summary>Beyond this many, idle keys are dropped, and then those that are nearest to it.</summary>
    public const int Most = 100_000;

    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    /// <summary>When a key will have all of its room again, as elapsed time since the start.</summary>
    private readonly Dictionary<string, TimeSpan> _fullAt = new(StringComparer.Ordinal);
    private readonly long _start = time.GetTimestamp();

    public int Count
    {
        get
        {
            lock (_gate)
                return _fullAt.Count;
        }
    }

    /// <summary>How long there is no room for another one; null where there is.</summary>
    public TimeSpan? WaitFor(string key, int perMinute)
    {
        lock (_gate)
            return Wait(key, perMinute, time.GetElapsedTime(_start));
    }

    /// <summary>Takes room for one; where there is none, says for how long.</summary>
    public TimeSpan? Take(string key, int perMinute)
    {
        lock (_gate)
        {
            var now = time.GetElapsedTime(_start);
            if (Wait(key, perMinute, now) is { } wait)
                return wait;
            if (_fullAt.Count >= Most && !_fullAt.ContainsKey(key))
                MakeRoom(now);
            var from = _fullAt.TryGetValue(key, out var fullAt) && fullAt > now ? fullAt : now;
            _fullAt[key] = from + (s_window / perMinute);
            return null;
        }
    }

    private TimeSpan? Wait(string key, int perMinute, TimeSpan now)
    {
        if (!_fullAt.TryGetValue(key, out var fullAt))
            return null;
        var wait = fullAt + (s_window / perMinute) - now - s_window;
        return wait > TimeSpan.Zero ? wait : null;
    }

    private void MakeRoom(TimeSpan now)
    {
        foreach (var (key, fullAt) in _fullAt)
        {
            if (fullAt <= now)
                _fullAt.Remove(key);
        }
        if (_fullAt.Count < Most)
            return;
        foreach (var (key, _) in _fullAt.OrderBy(entry => entry.Value).Take(Most / 2).ToList())
            _fullAt.Remove(key);
    }
}
