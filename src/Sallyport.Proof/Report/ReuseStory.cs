using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;

namespace Sallyport.Proof.Report;

/// <summary>
/// What lies around the newest reuse of a code or a refresh token: whether it had been presented again before, within the grace, and what its client did once its grant was revoked.
/// </summary>
internal sealed class ReuseStory(ClaimJudge judge)
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
    private (string Grant, long Number)? _granted;
    private long _at;
    private string? _subject;

    public void Add(long index, AuditEvent next)
    {
        switch (next)
        {
            case TokenRepeated repeated when _repeats.Count < Most:
                _repeats.TryAdd(repeated.Presented, index);
                break;
            case TokenRefused { Reason: Reason.RefreshReused or Reason.CodeReused, Client: { } client } refused:
                Begin(index, refused, client);
                break;
            case UserAuthenticated authenticated when _client is not null && _signIns.Count < Most:
                _signIns.Add(authenticated.Authentication);
                break;
            case ConsentGiven given when _consent is null && given.Client == _client:
                _consent = (index, _signIns.Contains(given.Authentication));
                break;
            case CodeIssued issued when _granted is null && issued.Client == _client:
                _granted = (issued.Grant, index);
                break;
            case SessionOpened opened when opened.Client == _client && _sessions.Count < Most:
                _sessions.Add(opened.Session);
                break;
            case AccessAllowed { Session: { } session } access when _wentOn is null && access.Client == _client && !access.OpensSession && !_sessions.Contains(session):
                _wentOn = index;
                break;
        }
    }

    /// <summary>Whose grant it was, behind a comma; empty where that is not known, or the newest reuse was of another kind.</summary>
    public string User(Reason kind) => _kind == kind && _subject is { } subject ? $", {subject.ToPrintable()}" : "";

    /// <summary>Sentences with a space before each; empty where the newest reuse was of another kind.</summary>
    public string Told(Reason kind)
    {
        if (_kind != kind)
            return "";
        var before = _repeated is { } repeat ? $" Event {repeat.Grouped()} had given its answer again, within the grace: if that was a thief, what they were given was good until the revocation." : "";
        var consent = _consent is var (number, isAnew) ? $"got a new consent{(isAnew ? ", of a user who signed in anew" : " without anybody signing in anew")} (event {number.Grouped()})" : "";
        var session = _wentOn is { } wentOn ? $"went on in a session from before (event {wentOn.Grouped()})" : "";
        var after = consent.Length + session.Length > 0 ? $" After event {_at.Grouped()} the client {string.Join(", and ", new[] { consent, session }.Where(part => part.Length > 0))}." : "";
        return $"{before}{after}";
    }

    /// <summary>Null where nobody but the user could have got anything since.</summary>
    public string? NextStep() => _granted is var (grant, number) && _consent is not (_, true)
        ? $"Ask {(_subject is { } subject ? $"user {subject}" : "the user")} of event {_at.Grouped()}. If it was not they, end what the client got since (event {number.Grouped()}) with 'sallyport token revoke {grant}', and let them sign out at /account.".ToPrintable()
        : null;

    private void Begin(long index, TokenRefused refused, string client)
    {
        (_at, _kind, _client, _consent, _wentOn, _granted) = (index, refused.Reason, client, null, null, null);
        _repeated = refused.Presented is not null && _repeats.TryGetValue(refused.Presented, out var repeat) ? repeat : null;
        _subject = refused.Grant is null ? null : judge.SubjectOf(refused.Grant);
        _signIns.Clear();
        _sessions.Clear();
    }
}
