using System.Text;

namespace Sallyport.Proof.Import;

/// <summary>
/// The first request that MCP let in, where whoever sent it was turned away there before, registered a client since, and nobody had got a token yet. Who registers has no token from
/// before, and has been given none. Later ones tell less: several clients share an address, and one of them may have a token.
/// </summary>
internal sealed class FirstAccess
{
    private const int Most = 10_000;

    /// <summary>By caller and place: where it was turned away first.</summary>
    private readonly Dictionary<string, long> _refused = new(StringComparer.Ordinal);
    private readonly HashSet<string> _registered = new(StringComparer.Ordinal);
    private bool _isOver;

    /// <summary>What contradicts that tokens are asked for: the place, and the lines of the refusal and of the success.</summary>
    public (PathRecord Path, long Refused, long LetIn)? Unearned { get; private set; }

    public void TokenGiven() => _isOver = true;

    public void Registered(in AccessLine request)
    {
        if (!_isOver && _registered.Count < Most && CallerOf(request) is { } caller)
            _registered.Add(caller);
    }

    public void Asked(in AccessLine request, PathRecord path, long line)
    {
        if (_isOver || (!request.IsLetIn && request.Status != 401) || path.Place != Place.Protected)
            return;
        var caller = CallerOf(request);
        var key = $"{caller} {path.Name}";
        if (request.IsLetIn)
        {
            _isOver = true;
            if (caller is not null && _registered.Contains(caller) && _refused.TryGetValue(key, out var refused))
                Unearned = (path, refused, line);
        }
        else if (caller is not null && _refused.Count < Most)
        {
            // Who registers after this is meant, not who did before.
            if (_refused.TryAdd(key, line))
                _registered.Remove(caller);
        }
    }

    /// <summary>An address and what calls from there; null where the line has no address.</summary>
    private static string? CallerOf(in AccessLine request) =>
        request.Address.IsEmpty ? null : $"{Encoding.UTF8.GetString(request.Address)} {Encoding.UTF8.GetString(request.Agent)}";
}
