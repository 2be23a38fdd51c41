using Sallyport.Proof.Events;

namespace Sallyport.Proof.Report;

/// <summary>One client's way: from its registration to its first tool call, and what stopped it.</summary>
internal sealed class ClientTrack
{
    private const int MostTools = 10;

    private readonly Count _registrations = new();
    private readonly Count _authorizations = new();
    private readonly Count _consents = new();
    private readonly Count _codes = new();
    private readonly Count _tokens = new();
    private readonly Count _refreshes = new();
    private readonly Count _accesses = new();
    private readonly Count _toolCalls = new();
    private readonly Count _sessions = new();
    private readonly Tally _tools = new();
    private readonly Tally _refusals = new();
    private string? _lastRefusal;

    public string? Name { get; private set; }

    public long Weight => _accesses.Total * 1000 + _tokens.Total + _registrations.Total;

    public void Add(long index, AuditEvent next)
    {
        switch (next)
        {
            case ClientRegistered registered:
                _registrations.Add(index, next);
                Name = registered.Name ?? Name;
                break;
            case ClientChanged changed:
                Name = changed.Name ?? Name;
                break;
            case AuthorizationStarted:
                _authorizations.Add(index, next);
                break;
            case ConsentGiven:
                _consents.Add(index, next);
                break;
            case CodeIssued:
                _codes.Add(index, next);
                break;
            case TokenIssued { GrantType: "refresh_token" }:
                _refreshes.Add(index, next);
                break;
            case TokenIssued:
                _tokens.Add(index, next);
                break;
            case SessionOpened:
                _sessions.Add(index, next);
                break;
            case AccessAllowed allowed:
                _accesses.Add(index, next);
                if (allowed.Method == AccessAllowed.ToolCall)
                {
                    _toolCalls.Add(index, next);
                    _tools.Add(allowed.Name ?? "(unnamed)");
                }
                break;
        }
        if (RefusalOf(next) is { } reason)
        {
            _refusals.Add(reason);
            _lastRefusal = reason;
        }
    }

    public ClientStatus Status(string client, string? name)
    {
        var steps = new (string Name, Count Count)[]
        {
            ("registered", _registrations), ("asked for authorization", _authorizations), ("was allowed by a user", _consents), ("got a code", _codes),
            ("got a token", _tokens), ("was let in", _accesses), ("called a tool", _toolCalls),
        };
        var reached = Array.FindLastIndex(steps, step => step.Count.Total > 0);
        var stage = reached < 0 ? "was seen only" : steps[reached].Name;
        // A client need not call a tool; before it is let in at all, something is in its way.
        var stopped = reached >= Array.FindIndex(steps, step => step.Count == _accesses) ? null
            : _lastRefusal is { } refusal ? $"not beyond: the last refusal was {refusal}"
            : "not beyond, and nothing was refused: it did not come back";
        return new(
            client, name, _registrations, _authorizations, _consents, _codes, _tokens, _refreshes, _accesses, _toolCalls, _sessions,
            _tools.Top(MostTools), _refusals.Top(MostTools), stage, stopped);
    }

    private static string? RefusalOf(AuditEvent next) => next switch
    {
        AuthorizationRefused refused => refused.Reason.Word(),
        ConsentRefused => "consent.refused",
        TokenRefused refused => refused.Reason.Word(),
        AccessRefused refused => refused.Reason.Word(),
        ClientRefused refused => refused.Reason.Word(),
        RequestsLimited limited => limited.Reason.Word(),
        _ => null,
    };
}
