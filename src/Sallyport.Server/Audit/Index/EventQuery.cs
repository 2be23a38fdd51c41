namespace Sallyport.Server.Audit.Index;

/// <summary>Which events are sought: those that have all that is named here.</summary>
internal sealed record EventQuery
{
    /// <summary>One of them; none for any.</summary>
    public IReadOnlyCollection<string> Types { get; init; } = [];
    public string? Id { get; init; }
    public string? Subject { get; init; }
    public string? Client { get; init; }
    public string? Session { get; init; }
    public string? Grant { get; init; }
    public string? Token { get; init; }
    public DateTimeOffset? Since { get; init; }

    /// <summary>Before this time.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Whether every leaf is sought, events or not.</summary>
    public bool IsOpen => Types.Count == 0 && (Id ?? Subject ?? Client ?? Session ?? Grant ?? Token) is null && Since is null && Until is null;
}

/// <summary>A query in terms of the index.</summary>
internal sealed class IndexQuery(EventQuery query)
{
    private readonly uint[] _types = [.. query.Types.Select(IndexEntry.HashOf)];
    private readonly uint? _id = Hash(query.Id);
    private readonly uint? _subject = Hash(query.Subject);
    private readonly uint? _client = Hash(query.Client);
    private readonly uint? _session = Hash(query.Session);
    private readonly uint? _grant = Hash(query.Grant);
    private readonly uint? _token = Hash(query.Token);
    private readonly uint _since = query.Since is { } since ? IndexEntry.SecondsOf(since) : uint.MinValue;
    private readonly uint _until = query.Until is { } until ? IndexEntry.SecondsOf(until) : uint.MaxValue;

    /// <summary>Whether the leaf of this entry may be one that is sought; where not, it is none.</summary>
    public bool MayBe(in IndexEntry entry) =>
        entry.Type == 0
        || ((_types.Length == 0 || _types.Contains(entry.Type))
            && Is(_id, entry.Id) && Is(_subject, entry.Subject) && Is(_client, entry.Client)
            && Is(_session, entry.Session) && Is(_grant, entry.Grant) && Is(_token, entry.Token)
            && entry.Time >= _since && entry.Time <= _until);

    private static uint? Hash(string? text) => text is null ? null : IndexEntry.HashOf(text);

    private static bool Is(uint? sought, uint found) => sought is null || sought == found;
}
