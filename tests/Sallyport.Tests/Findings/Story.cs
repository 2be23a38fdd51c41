using Sallyport.Proof.Findings;
using Sallyport.Server.Findings;

namespace Sallyport.Tests.Findings;

/// <summary>A log as it goes, and what the rules find in it. Sources are addresses here, not commitments.</summary>
internal sealed class Story
{
    private readonly FindingRules _rules = new(SourceNetworks.NetworkOf);
    private readonly List<FindingRaised> _found = [];
    private long _index;

    public DateTimeOffset Now { get; set; } = new(2026, 3, 2, 9, 0, 0, TimeSpan.Zero);

    public IReadOnlyList<FindingRaised> Found => _found;

    /// <summary>Adds an event, at this moment.</summary>
    public void Add(AuditEvent next)
    {
        _found.AddRange(_rules.Observe(_index++, next with { Time = Now }));
    }

    /// <summary>So many events, one after the other in equal steps from now on.</summary>
    public void Add(int count, TimeSpan within, Func<int, AuditEvent> next)
    {
        var begun = Now;
        for (var i = 0; i < count; i++)
        {
            Now = begun + TimeSpan.FromTicks(within.Ticks * i / Math.Max(1, count - 1));
            Add(next(i));
        }
    }

    public static AccessRefused Refused(Reason reason, string? source = null, string? client = null, string? subject = null) =>
        new() { Id = "", Reason = reason, HttpMethod = "POST", Path = "/mcp", Status = 401, Client = client, Subject = subject, Source = source };

    public static AccessAllowed Call(string client = "c", string subject = "s", string? tool = "echo", string? source = null) => new()
    {
        Id = "", Token = "t", Subject = subject, Client = client, Audience = "http://localhost:8700/mcp", AsOf = 0, ScopesNeeded = ["mcp"], Transport = AccessAllowed.StreamableHttp,
        HttpMethod = "POST", Method = AccessAllowed.ToolCall, Name = tool, Source = source,
    };

    public static ClientRegistered Registered(string client, string? source = null, bool repeated = false) =>
        new() { Id = "", Client = client, AuthMethod = "none", RedirectUris = ["https://client.example/callback"], Repeated = repeated, Source = source };

    public static AuthorizationStarted Started(string client = "c") =>
        new() { Id = "", Transaction = "x", Client = client, RedirectUri = "https://client.example/callback", Audience = "http://localhost:8700/mcp", Scopes = ["mcp"] };

    public static CodeIssued Code(string client = "c", Reason? warning = null) =>
        new() { Id = "", Code = "k", Grant = "g", Consent = "a", Client = client, Subject = "s", Expires = default, Warning = warning };

    public static TokenIssued Token(string client = "c", string subject = "s", string grantType = "authorization_code") => new()
    {
        Id = "", Token = "t", Grant = "g", GrantType = grantType, Parent = "p", Client = client, Subject = subject, Audience = "http://localhost:8700/mcp", Scopes = ["mcp"], Expires = default,
    };

    public static TokenRefused TokenRefused(Reason reason, string grant = "g") => new() { Id = "", Reason = reason, Client = "c", Grant = grant, Presented = "p" };
}
