namespace Sallyport.Server.Protocol;

/// <summary>Resource indicators (RFC 8707), compared as MCP's canonical URIs: scheme and host without case, default port and one trailing slash left out.</summary>
internal static class ResourceUri
{
    /// <summary>The canonical form, or null when the text is no absolute http(s) URI without fragment, user information and query.</summary>
    public static string? Canonical(string text)
    {
        foreach (var c in text)
        {
            if (c is <= ' ' or > '~' or '\\' or '#' or '?' or '@')
                return null;
        }
        if (text.Length > Limits.ParameterLength || !Uri.TryCreate(text, UriKind.Absolute, out var uri))
            return null;
        if (uri.Scheme is not ("http" or "https") || uri.Host.Length == 0)
            return null;
        var start = text.IndexOf('/', uri.Scheme.Length + "://".Length);
        var path = start < 0 ? "" : text[start..];
        if (path.Length > 0 && !RequestTarget.IsNormal(path))
            return null;
        var authority = uri.IsDefaultPort ? uri.Host : uri.Authority;
        return $"{uri.Scheme}://{authority}{(path.EndsWith('/') ? path[..^1] : path)}";
    }
}
