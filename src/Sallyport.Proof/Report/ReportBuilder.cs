using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;
using Sallyport.Proof.Verification;

namespace Sallyport.Proof.Report;

/// <summary>Gathers what a report shows, in the same pass that decides the claims.</summary>
public sealed class ReportBuilder
{
    private const int MostClients = 50;
    private const int MostTracked = 10_000;
    private const int MostRows = 20;

    private static readonly TimeSpan s_recent = TimeSpan.FromDays(1);

    private readonly ClaimJudge _judge;
    private readonly Count _all = new();
    private readonly Count _discovered = new();
    private readonly Count _registered = new();
    private readonly Count _registrationsRefused = new();
    private readonly Count _authorized = new();
    private readonly Count _authorizationsRefused = new();
    private readonly Count _exchanged = new();
    private readonly Count _repeated = new();
    private readonly Count _exchangesRefused = new();
    private readonly Count _allowed = new();
    private readonly Count _forbidden = new();
    private readonly Count _blocked = new();
    private readonly Count _limited = new();
    private readonly Count _toolCalls = new();
    private readonly Count _notForwarded = new();
    private readonly Count _unanswered = new();
    private readonly Count _signedIn = new();
    private readonly Dictionary<string, ClientTrack> _clients = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Tally> _refusedAt = new(StringComparer.Ordinal);
    private readonly Tally _allowedAt = new();
    private readonly Tally _reasons = new();
    private readonly OwnTrials _own = new();
    private readonly RaisedFindings _findings = new();
    private readonly Timeline _timeline = new();
    private readonly Standouts _standouts;
    private readonly ReportScope _scope;
    private readonly bool _isOpen;

    private readonly OffenceTracker _offences;

    private long _untracked;
    private AccessChain? _sample;
    private bool _sampleIsTool;
    private DateTimeOffset? _lastBlocked;
    private (AccessAllowed Access, string Path)? _lastPath;

    public ReportBuilder(ReportScope scope)
    {
        (_scope, _isOpen) = (scope, scope.IsOpen);
        _judge = new();
        _offences = new(_judge);
        _standouts = new(_judge);
    }

    /// <summary>Takes the next leaf.</summary>
    public void Observe(long index, ReadOnlySpan<byte> leaf)
    {
        if (_judge.Observe(index, leaf) is not { } next || !IsInScope(next))
            return;
        _all.Add(index, next);
        Gather(index, next);
    }

    /// <param name="log">What the verification of the log came to.</param>
    /// <param name="open">The value behind a commitment; null where it is not to be had.</param>
    public StatusReport Build(LogReport log, Func<ValueKind, string, string?> open)
    {
        var judgement = _judge.Conclude(log);
        var clients = _clients.OrderByDescending(pair => pair.Value.Weight).ThenBy(pair => pair.Key, StringComparer.Ordinal).ToArray();
        var endpoints = Endpoints();
        var components = Components(judgement);
        IReadOnlyList<ClientStatus> shown = [.. clients.Take(MostClients).Select(pair => pair.Value.Status(pair.Key, pair.Value.Name is { } name ? open(ValueKind.ClientName, name) : null))];
        var wording = new ReportWording(judgement, log, components, shown, endpoints, _allowed, _blocked, _repeated, _own, _offences.First, _lastBlocked is { } blocked && _all.Last is { } last && last.Time - blocked <= s_recent);
        var heartbeat = _findings.Heartbeat(_all.Last);
        return new()
        {
            Source = ReportSource.Sallyport,
            Scope = _scope,
            Judgement = judgement,
            Headline = wording.Headline(),
            Sentence = wording.Sentence(),
            Strength = wording.Strength(),
            Limits = wording.Limits(),
            Checkpoint = log.Checkpoint?.ToString(),
            Security = wording.Security(_toolCalls, _signedIn),
            First = _all.First,
            Last = _all.Last,
            Events = _all.Total,
            Components = components,
            Clients = shown,
            MoreClients = clients.Length - shown.Count + _untracked,
            Answers = wording.Answers(),
            Standouts = _standouts.Lines(),
            Unwatched = _standouts.Paused,
            Now = _findings.Now(heartbeat, _all.Last),
            Heartbeat = heartbeat,
            Findings = _findings.Shown(),
            MoreFindings = _findings.More,
            Endpoints = endpoints,
            Reasons = _reasons.Top(MostRows),
            Offence = _offences.First,
            Sample = _offences.First?.Chain ?? _sample,
            Timeline = _timeline.Buckets(),
            BucketWidth = _timeline.Width,
            NextSteps = wording.NextSteps(_standouts.NextStep()),
        };
    }

    private bool IsInScope(AuditEvent next) =>
        _isOpen
        || (!(next.Time < _scope.Since) && !(next.Time >= _scope.Until)
            && (_scope.Client is null || EventParties.ClientOf(next) == _scope.Client)
            && (_scope.Subject is null || EventParties.SubjectOf(next) == _scope.Subject));

    private void Gather(long index, AuditEvent next)
    {
        _standouts.Add(index, next);
        _findings.Add(index, next);
        switch (next)
        {
            case DiscoveryAnswered:
                _discovered.Add(index, next);
                break;
            case ClientRegistered:
                _registered.Add(index, next);
                break;
            case ClientRefused:
                _registrationsRefused.Add(index, next);
                break;
            case UserAuthenticated:
                _signedIn.Add(index, next);
                break;
            case CodeIssued:
                _authorized.Add(index, next);
                break;
            case AuthorizationRefused or UserRefused or ConsentRefused:
                _authorizationsRefused.Add(index, next);
                break;
            case TokenIssued:
                _exchanged.Add(index, next);
                break;
            case TokenRepeated:
                _repeated.Add(index, next);
                break;
            case TokenRefused:
                _exchangesRefused.Add(index, next);
                break;
            case RequestsLimited limited:
                _limited.Add(index, next);
                _reasons.Add(limited.Reason.Word(), limited.Count);
                break;
            case AccessAllowed allowed:
                GatherAllowed(index, allowed);
                break;
            case AccessRefused refused:
                GatherRefused(index, refused);
                break;
            case HeartbeatAnswered answered:
                _own.Add(index, answered);
                _lastBlocked = next.Time;
                break;
            case AccessOutcome outcome:
                _notForwarded.Add(index, next, outcome.NotForwarded.Count);
                _unanswered.Add(index, next, outcome.Unanswered.Count);
                break;
        }
        if (EventParties.ClientOf(next) is { } client)
            TrackOf(client)?.Add(index, next);
        _offences.Add(index, next);
    }

    private void GatherAllowed(long index, AccessAllowed allowed)
    {
        _allowed.Add(index, allowed);
        _allowedAt.Add(PathOf(allowed));
        _timeline.Add(allowed.Time, isAllowed: true);
        var isTool = allowed.Method == AccessAllowed.ToolCall;
        if (isTool)
            _toolCalls.Add(index, allowed);
        if (_sample is not null && _sampleIsTool && !isTool)
            return;
        (_sample, _sampleIsTool) = (_judge.ChainOf(index, allowed), isTool);
    }

    private void GatherRefused(long index, AccessRefused refused)
    {
        _timeline.Add(refused.Time, isAllowed: false);
        var reason = refused.Reason.Word();
        _reasons.Add(reason);
        if (refused.Status == 401)
        {
            _blocked.Add(index, refused);
            _lastBlocked = refused.Time;
        }
        else
        {
            _forbidden.Add(index, refused);
        }
        var path = $"{refused.HttpMethod} {refused.Path}";
        if (_refusedAt.Count >= MostTracked && !_refusedAt.ContainsKey(path))
            path = Tally.Others;
        if (!_refusedAt.TryGetValue(path, out var reasons))
            _refusedAt.Add(path, reasons = new());
        reasons.Add(reason);
    }

    /// <summary>Most accesses are to where the one before was: no address is taken apart for them.</summary>
    private string PathOf(AccessAllowed allowed)
    {
        if (_lastPath is not var (last, path) || last.Audience != allowed.Audience || last.Transport != allowed.Transport || last.HttpMethod != allowed.HttpMethod)
            _lastPath = (allowed, path = EventParties.PathOf(allowed));
        return path;
    }

    private ClientTrack? TrackOf(string client)
    {
        if (_clients.TryGetValue(client, out var track))
            return track;
        if (_clients.Count >= MostTracked)
        {
            _untracked++;
            return null;
        }
        _clients.Add(client, track = new());
        return track;
    }

    private IReadOnlyList<EndpointStatus> Endpoints()
    {
        var allowed = _allowedAt.Top(int.MaxValue).ToDictionary(row => row.What, row => row.Times, StringComparer.Ordinal);
        var rows = allowed.Keys.Union(_refusedAt.Keys, StringComparer.Ordinal).Union(_own.Ways, StringComparer.Ordinal).Select(path =>
        {
            var reasons = _refusedAt.TryGetValue(path, out var found) ? found.Top(MostRows) : [];
            return new EndpointStatus(path, allowed.GetValueOrDefault(path), reasons.Sum(reason => reason.Times), reasons, _own.At(path));
        });
        // What exists first: the paths that anybody was let in at.
        return [.. rows.OrderByDescending(row => row.Allowed > 0).ThenByDescending(row => row.Allowed + row.Refused).ThenBy(row => row.Path, StringComparer.Ordinal).Take(MostRows)];
    }

    private IReadOnlyList<Component> Components(Judgement judgement) =>
    [
        Row("OAuth discovery", _discovered, new(), judgement, [], "metadata documents given out (RFC 9728, RFC 8414)"),
        Row("Client registration", _registered, _registrationsRefused, judgement, [Claim.C2], "clients registered (RFC 7591), or added by the operator"),
        Row("Authorization flow", _authorized, _authorizationsRefused, judgement, [Claim.C2], "sign-in, consent and a code"),
        Row("Token exchange", _exchanged, _exchangesRefused, judgement, [Claim.C2, Claim.C4], "codes and refresh tokens exchanged, with PKCE",
            Note((_repeated, "given again"))),
        Row("Authenticated access", _allowed, _forbidden, judgement, [Claim.C1, Claim.C3, Claim.C6], "requests let in, each with a valid token",
            Note((_notForwarded, "did not reach the server"), (_unanswered, "got no answer"))),
        Row("Unauthenticated blocking", _blocked, _limited, judgement, [Claim.C5, Claim.C6], "requests turned away with 401, for want of a valid token",
            _own.Rounds.Total == 0 ? null : $"and {_own.Refused.Grouped()} of the gate's own, in {_own.Rounds.Total.Counted("round")} ({_own.Rounds.Places("event")})", _own.Refused > 0),
    ];

    private static string? Note(params (Count Count, string What)[] some) =>
        some.Where(part => part.Count.Total > 0).Select(part => $"{part.Count.Total.Grouped()} {part.What} ({part.Count.Places("event")})").ToArray() is { Length: > 0 } parts ? string.Join(", ", parts) : null;

    private static Component Row(string name, Count done, Count refused, Judgement judgement, Claim[] claims, string meaning, string? note = null, bool isSeen = false) => new(
        name,
        judgement.Refutes(claims) ? ComponentStatus.Contradicted : done.Total > 0 || isSeen ? ComponentStatus.Working : ComponentStatus.NoEvidence,
        done, refused, meaning, note);
}
