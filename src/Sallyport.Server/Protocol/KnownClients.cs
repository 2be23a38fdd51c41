namespace Sallyport.Server.Protocol;

/// <summary>
/// The callbacks of clients that are known, by a name that an operator can narrow the gate to. The port of a callback on loopback is any.
/// </summary>
internal static class KnownClients
{
    /// <summary>ChatGPT has one for each connector, and before that had one for all.</summary>
    private const string ChatGptConnectors = "https://chatgpt.com/connector/oauth/";

    private static readonly Dictionary<string, string[]> s_callbacks = new()
    {
        ["chatgpt"] = ["https://chatgpt.com/connector_platform_oauth_redirect"],
        ["claude"] = ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
        ["claude-code"] = ["http://localhost/callback", "http://127.0.0.1/callback"],
        ["vscode"] = ["https://vscode.dev/redirect", "https://insiders.vscode.dev/redirect", "http://127.0.0.1/"],
        ["cursor"] = ["cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost/callback"],
        ["inspector"] = ["http://127.0.0.1/oauth/callback"],
        ["mcp-remote"] = ["http://localhost/oauth/callback"],
    };

    public static IEnumerable<string> Names => s_callbacks.Keys;

    /// <summary>Those that do not differ from connector to connector; null where the client is not known.</summary>
    public static IReadOnlyList<string>? CallbacksOf(string name) => s_callbacks.GetValueOrDefault(name);

    /// <summary>Whether an operator may write this: a known name, or a callback.</summary>
    public static bool IsEntry(string entry) => s_callbacks.ContainsKey(entry) || (entry.Contains(':') && RedirectUri.Judge(entry, [entry.Split(':')[0]]) is null);

    /// <summary>Whether a callback is the one that is written, or one of the client that is named.</summary>
    public static bool Fits(string entry, string uri) => s_callbacks.TryGetValue(entry, out var callbacks)
        ? callbacks.Any(callback => RedirectUri.Matches(callback, uri)) || (entry == "chatgpt" && IsChatGptConnector(uri))
        : RedirectUri.Matches(entry, uri);

    private static bool IsChatGptConnector(string uri) =>
        uri.StartsWith(ChatGptConnectors, StringComparison.Ordinal)
        && uri.Length > ChatGptConnectors.Length
        && uri.AsSpan(ChatGptConnectors.Length).IndexOfAnyExcept(s_segment) < 0;

    private static readonly System.Buffers.SearchValues<char> s_segment =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}
