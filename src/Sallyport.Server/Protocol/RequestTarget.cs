using System.Buffers;

namespace Sallyport.Server.Protocol;

/// <summary>
/// The normal form of a request target. Servers, proxies and upstreams resolve dot segments, doubled slashes and needless
/// escapes each in their own way and order, so the gate judges the raw target and takes only those that all of them read alike.
/// </summary>
internal static class RequestTarget
{
    private static readonly SearchValues<char> s_pathCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/%");

    private static readonly SearchValues<char> s_unreserved =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");

    public static bool IsNormal(ReadOnlySpan<char> rawTarget)
    {
        var query = rawTarget.IndexOf('?');
        var path = query < 0 ? rawTarget : rawTarget[..query];
        if (path.IsEmpty || path[0] != '/' || path.ContainsAnyExcept(s_pathCharacters))
            return false;
        for (var i = 1; i < path.Length; i++)
        {
            if (path[i] == '/' && path[i - 1] == '/')
                return false;
            if (path[i] == '%' && !IsNeededEscape(path[i..]))
                return false;
        }
        foreach (var range in path.Split('/'))
        {
            var segment = path[range];
            var parameter = segment.IndexOf(';');
            if ((parameter < 0 ? segment : segment[..parameter]) is "." or "..")
                return false;
        }
        return true;
    }

    /// <summary>An escape of a byte that can't stand for itself, and that nobody takes for a separator.</summary>
    private static bool IsNeededEscape(ReadOnlySpan<char> escape)
    {
        if (escape.Length < 3 || !char.IsAsciiHexDigit(escape[1]) || !char.IsAsciiHexDigit(escape[2]))
            return false;
        var value = (char)Convert.ToByte(escape.Slice(1, 2).ToString(), 16);
        return value >= ' ' && value != '\x7f' && value is not ('/' or '\\' or '%') && !s_unreserved.Contains(value);
    }
}
