using System.Runtime.InteropServices;

namespace Sallyport.Proof.Report;

/// <summary>Allowed and refused over time, in at most <see cref="Most"/> stretches, which get longer as the log does.</summary>
internal sealed class Timeline
{
    public const int Most = 60;

    private static readonly TimeSpan[] s_widths =
    [
        TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(15), TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(15),
        TimeSpan.FromHours(1), TimeSpan.FromHours(6), TimeSpan.FromDays(1), TimeSpan.FromDays(7), TimeSpan.FromDays(30), TimeSpan.FromDays(365), TimeSpan.FromDays(3650),
        TimeSpan.FromDays(36_500), TimeSpan.FromDays(365_000),
    ];

    private readonly Dictionary<long, (long Allowed, long Refused)> _buckets = [];
    private long _first = long.MaxValue;
    private long _last = long.MinValue;
    private int _width;

    public TimeSpan Width => s_widths[_width];

    public void Add(DateTimeOffset time, bool isAllowed)
    {
        var key = time.UtcTicks / Width.Ticks;
        ref var bucket = ref CollectionsMarshal.GetValueRefOrAddDefault(_buckets, key, out _);
        if (isAllowed)
            bucket.Allowed++;
        else
            bucket.Refused++;
        (_first, _last) = (Math.Min(_first, key), Math.Max(_last, key));
        while (_last - _first >= Most && _width < s_widths.Length - 1)
            Widen();
    }

    /// <summary>From the first to the last, without a gap.</summary>
    public IReadOnlyList<TimeBucket> Buckets()
    {
        if (_buckets.Count == 0)
            return [];
        var buckets = new List<TimeBucket>();
        for (var key = _first; key <= _last; key++)
        {
            var (allowed, refused) = _buckets.GetValueOrDefault(key);
            buckets.Add(new(new(key * Width.Ticks, TimeSpan.Zero), allowed, refused));
        }
        return buckets;
    }

    private void Widen()
    {
        var before = Width.Ticks;
        _width++;
        (_first, _last) = (_first * before / Width.Ticks, _last * before / Width.Ticks);
        var narrow = _buckets.ToArray();
        _buckets.Clear();
        foreach (var (key, (allowed, refused)) in narrow)
        {
            var wide = key * before / Width.Ticks;
            var (a, r) = _buckets.GetValueOrDefault(wide);
            _buckets[wide] = (a + allowed, r + refused);
        }
    }
}
