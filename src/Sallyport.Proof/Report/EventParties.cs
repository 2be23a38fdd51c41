using Sallyport.Proof.Events;

namespace Sallyport.Proof.Report;

/// <summary>Whom an event is about, and where an access went.</summary>
internal static class EventParties
{
    private const string McpPath = "/mcp";

    public static string? ClientOf(AuditEvent next) => next switch
    {
        ClientRegistered e => e.Client,
        ClientChanged e => e.Client,
        ClientRefused e => e.Client,
        RequestsLimited e => e.Client,
        AuthorizationStarted e => e.Client,
        AuthorizationRefused e => e.Client,
        ProviderAsked e => e.Client,
        ConsentGiven e => e.Client,
        ConsentRefused e => e.Client,
        CodeIssued e => e.Client,
        TokenIssued e => e.Client,
        TokenRepeated e => e.Client,
        TokenRefused e => e.Client,
        TokenIntrospected e => e.Client,
        AccessAllowed e => e.Client,
        AccessRefused e => e.Client,
        SessionOpened e => e.Client,
        FindingRaised e => e.Client,
        _ => null,
    };

    public static string? SubjectOf(AuditEvent next) => next switch
    {
        UserAuthenticated e => e.Subject,
        UserRefused e => e.Subject,
        UserSignedOut e => e.Subject,
        ConsentGiven e => e.Subject,
        ConsentRefused e => e.Subject,
        CodeIssued e => e.Subject,
        TokenIssued e => e.Subject,
        AccessAllowed e => e.Subject,
        AccessRefused e => e.Subject,
        SessionOpened e => e.Subject,
        FindingRaised e => e.Subject,
        _ => null,
    };

    /// <summary>The method and path that an access was by: an event names its resource and transport.</summary>
    public static string PathOf(AccessAllowed access)
    {
        var path = Uri.TryCreate(access.Audience, UriKind.Absolute, out var audience) ? audience.AbsolutePath : access.Audience;
        if (access.Transport != AccessAllowed.Sse)
            return $"{access.HttpMethod} {path}";
        var parent = path.EndsWith(McpPath, StringComparison.Ordinal) ? path[..^McpPath.Length] : path.TrimEnd('/');
        return access.HttpMethod == "GET" ? $"GET {parent}/sse" : $"{access.HttpMethod} {parent}/messages/";
    }
}
