using Sallyport.Proof.Events;

namespace Sallyport.Server.Protocol;

/// <summary>What a client may register as a redirect URI, and which request matches it.</summary>
internal static class RedirectUri
{
    public const int MaxLength = 2_048;

    /// <summary>Private-use schemes without a dot that known clients use (RFC 8252 §7.1 asks for one; they have none).</summary>
    private static readonly string[] s_knownClientSchemes = ["cursor", "vscode", "vscode-insiders", "claude", "windsurf"];

    /// <summary>Schemes that run or read something in the browser: naming one refuses the whole registration.</summary>
    private static readonly string[] s_forbiddenSchemes =
        ["javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem", "ws", "wss", "mailto", "ftp"];

    private static readonly string[] s_responseParameters = ["code", "state", "iss", "error"];

    /// <summary>
    /// Why a URI cannot be registered, or null. https anywhere, http on loopback, private-use schemes with a dot, of a known client, or
    /// admitted by the operator. No fragment (RFC 6749 §3.1.2), no user information, no wildcard (RFC 9700 §4.1.3), no parameter that a
    /// response will carry. <see cref="Reason.RedirectForbiddenScheme"/> refuses the whole registration; any other leaves this one out.
    /// </summary>
    public static Reason? Judge(string text, IReadOnlyList<string>? admittedSchemes = null)
    {
        var scheme = SchemeOf(text);
        if (scheme is not null && s_forbiddenSchemes.Contains(scheme))
            return Reason.RedirectForbiddenScheme;
        foreach (var c in text)
        {
            if (c is '#')
                return Reason.RedirectFragment;
            if (c is '*')
                return Reason.RedirectWildcard;
            if (c is <= ' ' or > '~' or '\\' or '<' or '>' or '"')
                return Reason.RedirectMalformed;
        }
        if (scheme is null || text.Length > MaxLength || !Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.UserInfo.Length > 0)
            return Reason.RedirectMalformed;
        if (uri.Query.TrimStart('?').Split('&').Any(pair => s_responseParameters.Contains(Uri.UnescapeDataString(pair.Split('=')[0]))))
            return Reason.RedirectResponseParameter;
        if (HasDotSegment(text))
            return Reason.RedirectMalformed;
        return scheme switch
        {
            "https" => uri.Host.Length > 0 ? null : Reason.RedirectMalformed,
            "http" => IsLoopbackHost(uri) ? null : Reason.RedirectHttpNotLoopback,
            _ => scheme.Contains('.') || s_knownClientSchemes.Contains(scheme) || admittedSchemes?.Contains(scheme) == true
                ? null
                : Reason.RedirectSchemeNotAdmitted,
        };
    }

    /// <summary>Whether an operator may admit a scheme: one of an application, which runs nothing in the browser.</summary>
    public static bool CanBeAdmitted(string scheme) =>
        Uri.CheckSchemeName(scheme) && scheme == scheme.ToLowerInvariant() && scheme is not ("http" or "https") && !s_forbiddenSchemes.Contains(scheme);

    /// <summary>The URI without the port of an http URI on loopback, which clients choose anew each time they start.</summary>
    public static string WithoutLoopbackPort(string uri) =>
        TrySplitLoopback(uri, out var host, out var rest) ? $"http://{host}{rest}" : uri;

    /// <summary>
    /// Simple string comparison (RFC 9700 §2.1), but for the port of an http URI on loopback, which may be any (RFC 8252 §7.3).
    /// <c>localhost</c>, <c>127.0.0.1</c> and <c>[::1]</c> do not stand for one another.
    /// </summary>
    public static bool Matches(string registered, string requested)
    {
        if (string.Equals(registered, requested, StringComparison.Ordinal))
            return true;
        return TrySplitLoopback(registered, out var registeredHost, out var registeredRest)
            && TrySplitLoopback(requested, out var requestedHost, out var requestedRest)
            && registeredHost.SequenceEqual(requestedHost)
            && registeredRest.SequenceEqual(requestedRest);
    }

    /// <summary>Where a redirect goes, for people: the host, or the scheme of an application.</summary>
    public static string Destination(string redirectUri)
    {
        var uri = new Uri(redirectUri);
        if (uri.Scheme == Uri.UriSchemeHttp)
            return $"an application on this computer ({uri.Authority})";
        return uri.Scheme == Uri.UriSchemeHttps ? uri.Authority : $"the application that opens {uri.Scheme}: links";
    }

    /// <summary>Whether it is https at a name, and not this computer's: there, and nowhere else, the same client answers each time.</summary>
    public static bool IsOnTheWeb(string redirectUri)
    {
        var uri = new Uri(redirectUri);
        var name = uri.IdnHost.TrimEnd('.');
        return uri.Scheme == Uri.UriSchemeHttps && uri.HostNameType == UriHostNameType.Dns && !uri.IsLoopback
            && name != "localhost" && !name.EndsWith(".localhost", StringComparison.Ordinal);
    }

    /// <summary>The origin that a browser is sent to, for a Content-Security-Policy.</summary>
    public static bool IsLoopbackHost(Uri uri) => uri.Host is "localhost" or "127.0.0.1" or "[::1]";

    /// <summary>The scheme as a browser would see it: lower case, tabs, line ends and leading blanks dropped (WHATWG URL §4.4).</summary>
    private static string? SchemeOf(string text)
    {
        var seen = string.Concat(text.Where(c => c is > ' ' and not '\x7f')).ToLowerInvariant();
        var colon = seen.IndexOf(':');
        return colon > 0 ? seen[..colon] : null;
    }

    private static bool HasDotSegment(string text) =>
        text.Split('?')[0].Split('/').Any(segment => Uri.UnescapeDataString(segment) is "." or "..");

    /// <summary>Splits <c>http://HOST[:PORT]REST</c> without giving any character another meaning.</summary>
    private static bool TrySplitLoopback(string text, out ReadOnlySpan<char> host, out ReadOnlySpan<char> rest)
    {
        const string Http = "http://";
        host = rest = default;
        if (!text.StartsWith(Http, StringComparison.Ordinal))
            return false;
        var authorityAndRest = text.AsSpan(Http.Length);
        foreach (var loopback in (ReadOnlySpan<string>)["localhost", "127.0.0.1", "[::1]"])
        {
            if (!authorityAndRest.StartsWith(loopback, StringComparison.Ordinal))
                continue;
            host = authorityAndRest[..loopback.Length];
            rest = authorityAndRest[loopback.Length..];
            if (rest.StartsWith(":"))
            {
                var digits = rest[1..].IndexOfAnyExceptInRange('0', '9');
                var portLength = digits < 0 ? rest.Length - 1 : digits;
                if (!ushort.TryParse(rest.Slice(1, portLength), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out _))
                    return false;
                rest = rest[(1 + portLength)..];
            }
            return rest.IsEmpty || rest[0] is '/' or '?';
        }
        return false;
    }
}
