using Sallyport.Proof.Events;

namespace Sallyport.Proof.Report;

/// <summary>Which client was last served from where: what is refused later may come from there, too.</summary>
internal sealed class KnownSources
{
    private const int Most = 10_000;

    private readonly Dictionary<string, (string Client, long Number, bool IsShared)> _served = new(StringComparer.Ordinal);

    public void Add(long index, AuditEvent next)
    {
        if (next is not (AuthorizationStarted or TokenIssued or SessionOpened) || next is not RequestEvent { Source: { } source } || EventParties.ClientOf(next) is not { } client)
            return;
        if (_served.TryGetValue(source, out var served))
            _served[source] = (client, index, served.IsShared || served.Client != client);
        else if (_served.Count < Most)
            _served.Add(source, (client, index, false));
    }

    /// <summary>In words, who was served where an event came from; null where nobody was.</summary>
    public string? Find(AuditEvent next) =>
        next is not RequestEvent { Source: { } source } || !_served.TryGetValue(source, out var served) ? null
        : served.IsShared ? $"several clients were served before, the last of them at event {served.Number.Grouped()}: it singles out none"
        : $"client {served.Client.ToPrintable()} was served before (event {served.Number.Grouped()}), and no other";
}
