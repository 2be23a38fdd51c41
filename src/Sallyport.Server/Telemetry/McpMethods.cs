using System.Collections.Frozen;

namespace Sallyport.Server.Telemetry;

/// <summary>The methods of MCP, of every revision. What a caller asks for besides is one word, whatever it is.</summary>
internal static class McpMethods
{
    public const string Other = "_OTHER";

    /// <summary>A request without a message: a stream, or the end of a session.</summary>
    public const string None = "none";

    private static readonly FrozenDictionary<string, string> s_known = ((string[])
    [
        "completion/complete", "elicitation/create", "initialize", "logging/setLevel",
        "notifications/cancelled", "notifications/elicitation/complete", "notifications/initialized", "notifications/message", "notifications/progress",
        "notifications/prompts/list_changed", "notifications/resources/list_changed", "notifications/resources/updated", "notifications/roots/list_changed",
        "notifications/tasks/status", "notifications/tools/list_changed",
        "ping", "prompts/get", "prompts/list", "resources/list", "resources/read", "resources/subscribe", "resources/templates/list", "resources/unsubscribe",
        "roots/list", "sampling/createMessage", "server/discover", "subscriptions/listen", "tasks/cancel", "tasks/get", "tasks/list", "tasks/result", "tools/call", "tools/list",
    ]).ToFrozenDictionary(method => method, StringComparer.Ordinal);

    public static string Label(string? method) => method is null ? None : s_known.GetValueOrDefault(method, Other);
}
