using Sallyport.Proof.Events;

namespace Sallyport.Proof.Report;

/// <summary>
/// What lies around the newest reuse of a code or a refresh token: whether it had been presented again before, within the grace, and what its client did once its grant was revoked.
/// </summary>
internal sealed class ReuseStory
{
    private const int Most = 1_000;

    private readonly Dictionary<string, long> _repeats = new(StringComparer.Ordinal);
    private readonly HashSet<string> _signIns = new(StringComparer.Ordinal);
    private readonly HashSet<string> _sessions = new(StringComparer.Ordinal);
    private Reason? _kind;
    private string? _client;
    private long? _repeated;
    private (long Number, bool IsSignedInAnew)? _consent;
    private long? _wentOn;

    public void Add(long index, AuditEvent next)
    {
        switch (next)
        {
            case TokenRepeated repeated when _repeats.Count < Most:
                _repeats.TryAdd(repeated.Presented, index);
                break;
            case TokenRefused { Reason: Reason.RefreshReused or Reason.CodeReused, Client: { } client } refused:
                Begin(refused.Reason, client, refused.Presented);
                break;
            case UserAuthenticated authenticated when _client is not null && _signIns.Count < Most:
                _signIns.Add(authenticated.Authentication);
                break;
            case ConsentGiven given when _consent is null && given.Client == _client:
                _consent = (index, _signIns.Contains(given.Authentication));
                break;
            case SessionOpened opened when opened.Client == _client && _sessions.Count < Most:
                _sessions.Add(opened.Session);
                break;
            case AccessAllowed { Session: { } session } access when _wentOn is null && access.Client == _client && !access.OpensSession && !_sessions.Contains(session):
                _wentOn = index;
                break;
        }
    }

    /// <summary>Sentences with a space before each; empty where the newest reuse was of another kind.</summary>
    public string Told(Reason kind, bool isOnly)
    {
        if (_kind != kind)
            return "";
        var before = _repeated is { } repeat ? $" Event {repeat.Grouped()} had given its answer again, within the grace." : "";
        var consent = _consent is var (number, isAnew) ? $"got a new consent{(isAnew ? ", of a user who signed in anew" : " without anybody signing in anew")} (event {number.Grouped()})" : "";
        var session = _wentOn is { } wentOn ? $"went on in a session from before (event {wentOn.Grouped()})" : "";
        if (consent.Length + session.Length == 0)
            return before;
        return $"{before} After {(isOnly ? "it" : "the newest")} the client {string.Join(", and ", new[] { consent, session }.Where(part => part.Length > 0))}.";
    }

    private void Begin(Reason kind, string client, string? presented)
    {
        (_kind, _client, _consent, _wentOn) = (kind, client, null, null);
        _repeated = presented is not null && _repeats.TryGetValue(presented, out var repeat) ? repeat : null;
        _signIns.Clear();
        _sessions.Clear();
    }
}
