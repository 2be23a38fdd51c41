using Sallyport.Proof.Report;

namespace Sallyport.Proof.Import;

/// <summary>One client's way, as far as an access log shows it.</summary>
internal sealed class Flow(string client)
{
    private readonly List<FlowStep> _steps = [];

    public string Client { get; } = client;
    public IReadOnlyList<FlowStep> Steps => _steps;
    public bool HasCode { get; private set; }
    public bool HasToken { get; private set; }
    public bool HasAccess { get; private set; }

    public void Authorize(long? registration, long line)
    {
        if (registration is { } registered)
            _steps.Add(new("the client registers", registered, ""));
        _steps.Add(new("a browser asks for authorization", line, registration is null ? "" : "client_id"));
    }

    public void Return(long line, string tie)
    {
        HasCode = true;
        _steps.Add(new("a browser brings a code back to the server", line, tie));
    }

    public void Exchange(long line, string tie)
    {
        HasToken = true;
        _steps.Add(new("a token is given out", line, tie));
    }

    public void Access(long line, string what, string tie)
    {
        HasAccess = true;
        _steps.Add(new(what, line, tie));
    }
}

/// <summary>
/// Follows clients from a registration to a tool call: by <c>client_id</c>, by <c>state</c>, by <c>code</c>, by <c>session_id</c>, and by the order of lines where an access log has no
/// value for it. Where that order fits several, none is chosen.
/// </summary>
internal sealed class FlowTracker
{
    private const int Most = 10_000;
    /// <summary>Enough to show a way; the others are counted.</summary>
    private const int MostSteps = 12;
    private const string Order = "the order of lines only";

    private readonly Dictionary<string, long> _registered = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Flow> _byState = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Flow> _byCode = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ImportedClient> _clients = new(StringComparer.Ordinal);
    /// <summary>Came back with a code that no exchange was seen for.</summary>
    private readonly List<Flow> _waiting = [];
    private Flow? _furthest;

    public IReadOnlyDictionary<string, ImportedClient> Clients => _clients;
    public IReadOnlyList<FlowStep> Furthest => _furthest?.Steps ?? [];

    /// <summary>Exchanges that nobody waited for, or several.</summary>
    public long Untied { get; private set; }

    public void Registered(string client, long line, DateTimeOffset? time)
    {
        if (_registered.Count < Most)
            _registered.TryAdd(client, line);
        Of(client)?.Registrations.Add(line, time);
    }

    /// <param name="returns">Where the client says that it wants the answer: the host, or null.</param>
    public void Authorized(string client, string state, string? returns, long line, DateTimeOffset? time)
    {
        if (Of(client) is { } known)
        {
            known.Authorizations.Add(line, time);
            known.Returns ??= returns;
        }
        var flow = new Flow(client);
        flow.Authorize(_registered.TryGetValue(client, out var registration) ? registration : null, line);
        if (state.Length > 0 && _byState.Count < Most)
            _byState[state] = flow;
        Prefer(flow);
    }

    public void Returned(string code, string state, long line, DateTimeOffset? time)
    {
        if (!_byState.TryGetValue(state, out var flow) || flow.HasCode)
            return;
        flow.Return(line, "state");
        Of(flow.Client)?.Codes.Add(line, time);
        if (_byCode.Count < Most)
        {
            _byCode[code] = flow;
            _waiting.Add(flow);
        }
        Prefer(flow);
    }

    /// <param name="code">Where the request line had it, which it should not.</param>
    public void Exchanged(string code, long line, DateTimeOffset? time)
    {
        var isTied = _byCode.TryGetValue(code, out var flow) && _waiting.Contains(flow);
        if (!isTied)
            flow = _waiting.Count == 1 ? _waiting[0] : null;
        if (flow is null)
        {
            if (_waiting.Count > 0)
                _waiting.RemoveAt(0);
            Untied++;
            return;
        }
        _waiting.Remove(flow);
        flow.Exchange(line, isTied ? "code" : Order);
        Of(flow.Client)?.Tokens.Add(line, time);
        Prefer(flow);
    }

    /// <param name="isInSession">Whether it names one.</param>
    /// <param name="isKnown">Whether that was named before.</param>
    public void Accessed(string what, bool isInSession, bool isKnown, long line, DateTimeOffset? time)
    {
        if (Only is not { } client)
            return;
        client.Accesses.Add(line, time);
        if (isInSession && !isKnown)
            client.Sessions.Add(line, time);
        if (_furthest is { HasToken: true } flow && flow.Steps.Count < MostSteps)
            flow.Access(line, what, isKnown ? "session_id" : Order);
    }

    public void Handled(string request, long line, DateTimeOffset? time)
    {
        if (Only is not { } client)
            return;
        client.Tools.Add(request);
        if (request == CallTool)
            client.ToolCalls.Add(line, time);
        if (_furthest is { HasAccess: true } flow && flow.Steps.Count < MostSteps)
            flow.Access(line, $"the server handles a {request}", Order);
    }

    /// <summary>As the Python SDK's server names the type of <c>tools/call</c>.</summary>
    public const string CallTool = "CallToolRequest";

    /// <summary>A request is its client's where there is one only.</summary>
    private ImportedClient? Only => _clients.Count == 1 ? _clients.Values.First() : null;

    private ImportedClient? Of(string client)
    {
        if (!_clients.TryGetValue(client, out var known) && _clients.Count < Most)
            _clients.Add(client, known = new());
        return known;
    }

    private void Prefer(Flow flow)
    {
        if (_furthest is null || (!_furthest.HasAccess && flow.Steps.Count >= _furthest.Steps.Count))
            _furthest = flow;
    }
}
