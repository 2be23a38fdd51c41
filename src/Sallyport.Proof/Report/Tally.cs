using System.Runtime.InteropServices;

namespace Sallyport.Proof.Report;

/// <summary>Counts by name. Names come from outside: beyond <see cref="Most"/> of them, the others are counted together.</summary>
internal sealed class Tally
{
    public const string Others = "(others)";
    private const int Most = 500;

    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);

    public void Add(string name, long times = 1)
    {
        if (_counts.Count >= Most && !_counts.ContainsKey(name))
            name = Others;
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, name, out _) += times;
    }

    /// <summary>The most frequent first.</summary>
    public IReadOnlyList<Tallied> Top(int count) =>
        [.. _counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).Take(count).Select(pair => new Tallied(pair.Key, pair.Value))];
}
