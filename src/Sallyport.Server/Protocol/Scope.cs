namespace Sallyport.Server.Protocol;

/// <summary>Scope values (RFC 6749 §3.3). Finer ones than <see cref="Mcp"/> come with policies.</summary>
internal static class Scope
{
    /// <summary>All that the user may do.</summary>
    public const string Mcp = "mcp";

    /// <summary>Wants a refresh token (OpenID Connect Core §11); named in the server's metadata only, never in a challenge.</summary>
    public const string OfflineAccess = "offline_access";

    /// <summary>Of the gate's own tokens, with which it tries itself: it leads to no upstream, and nobody else can ask for it.</summary>
    public const string Heartbeat = "sallyport:heartbeat";

    /// <summary>What a request without a scope, or with none that we know, gets.</summary>
    public static readonly IReadOnlyList<string> Default = [Mcp];

    private static readonly string[] s_known = [Mcp, OfflineAccess];

    /// <summary>
    /// Reads a scope parameter: split on runs of spaces, unknown values left out, in our order. Null when a character stands
    /// in it that no scope may have.
    /// </summary>
    public static IReadOnlyList<string>? Parse(string? parameter)
    {
        if (string.IsNullOrEmpty(parameter))
            return [];
        foreach (var c in parameter)
        {
            if (c is < ' ' or > '~' or '"' or '\\')
                return null;
        }
        var asked = parameter.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return [.. s_known.Where(asked.Contains)];
    }

    public static string Format(IReadOnlyList<string> scopes) => string.Join(' ', scopes);

    /// <summary>The stored form, read back.</summary>
    public static IReadOnlyList<string> FromStored(string stored) => stored.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
