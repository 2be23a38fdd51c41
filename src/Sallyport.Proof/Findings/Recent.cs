using System.Diagnostics.CodeAnalysis;

namespace Sallyport.Proof.Findings;

/// <summary>What was asked for last, so many at most: whatever comes from outside, memory is bounded.</summary>
internal sealed class Recent<TKey, TValue>(int most) where TKey : notnull where TValue : class, new()
{
    private Dictionary<TKey, TValue> _newer = [];
    private Dictionary<TKey, TValue> _older = [];

    /// <summary>That of the key; a new one, where there is none or it was long ago.</summary>
    public TValue Of(TKey key)
    {
        if (_newer.TryGetValue(key, out var value))
            return value;
        if (!_older.Remove(key, out value))
            value = new();
        if (_newer.Count >= most / 2)
            (_older, _newer) = (_newer, []);
        _newer.Add(key, value);
        return value;
    }

    public bool TryFind(TKey key, [MaybeNullWhen(false)] out TValue value) => _newer.TryGetValue(key, out value) || _older.TryGetValue(key, out value);

    public void Forget(TKey key)
    {
        _newer.Remove(key);
        _older.Remove(key);
    }
}
