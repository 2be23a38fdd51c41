using System.Net;

namespace Sallyport.Server.Protocol;

/// <summary>Hosts and origins, as the guard compares them.</summary>
internal static class Authority
{
    public static bool IsLoopbackName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    /// <summary><c>host:port</c> in lower case with the scheme's default port written out; null when it is none.</summary>
    public static string? Normal(string authority, string scheme)
    {
        foreach (var c in authority)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-' or '_' or ':' or '[' or ']'))
                return null;
        }
        return Uri.TryCreate($"{scheme}://{authority}/", UriKind.Absolute, out var uri) && uri.PathAndQuery == "/" && uri.UserInfo.Length == 0
            ? $"{uri.Host.ToLowerInvariant()}:{uri.Port}"
            : null;
    }
}
