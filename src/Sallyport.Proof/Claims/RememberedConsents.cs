using Sallyport.Proof.Events;

namespace Sallyport.Proof.Claims;

/// <summary>What a user need not be asked again.</summary>
internal sealed record RememberedConsent(long Index, string RedirectUri, IReadOnlyList<string> Scopes, DateTimeOffset Until);

/// <summary>
/// The consents that are remembered. One ends with the revocation of any grant of the same client, user and resource, and with any change
/// of the client's registration: those events say so, and there is none of its own.
/// </summary>
internal sealed class RememberedConsents
{
    private readonly LiveState.Table<OfOne> _all = new();
    private readonly Dictionary<string, long> _changed = new(StringComparer.Ordinal);

    public void Add(Party party, string consent, RememberedConsent remembered, AuditEvent since, long clock)
    {
        if (_all.Find(party.Key) is not { } all)
            _all.Add(party.Key, all = new(), since, clock, remembered.Until);
        all.Consents.TryAdd(consent, remembered);
        _all.Extend(party.Key, remembered.Until);
    }

    public RememberedConsent? Find(Party party, string consent) => _all.Find(party.Key)?.Consents.GetValueOrDefault(consent);

    /// <summary>The events that ended what was remembered of them before: the newest revocation, and the newest change.</summary>
    public IEnumerable<long> Ends(Party party)
    {
        long? changed = _changed.TryGetValue(party.Client, out var index) ? index : null;
        return new[] { _all.Find(party.Key)?.Revoked, changed }.OfType<long>();
    }

    /// <summary>A grant of theirs was revoked.</summary>
    public void Revoke(Party party, long index)
    {
        if (_all.Find(party.Key) is { } all)
            all.Revoked = index;
    }

    /// <summary>A client changed its registration.</summary>
    public void Change(string client, long index) => _changed[client] = index;

    /// <summary>A client is no more.</summary>
    public void Remove(string client) => _changed.Remove(client);

    public void Sweep(long clock, DateTimeOffset time) => _all.Sweep(clock, time);

    /// <summary>Whom a consent is between, and for what.</summary>
    internal readonly record struct Party(string Client, string Subject, string Audience)
    {
        /// <summary>No two have the same, whatever a log calls them.</summary>
        public string Key => $"{Client.Length} {Subject.Length} {Client}{Subject}{Audience}";
    }

    private sealed class OfOne
    {
        public Dictionary<string, RememberedConsent> Consents { get; } = new(StringComparer.Ordinal);
        public long? Revoked { get; set; }
    }
}
