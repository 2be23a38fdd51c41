using System.Text;

namespace Sallyport.Proof.Import;

/// <summary>What a request was for.</summary>
internal enum Place
{
    Other,

    /// <summary>RFC 8414, RFC 9728 and OpenID Connect Discovery.</summary>
    Discovery,

    /// <summary>RFC 7591.</summary>
    Registration,

    Authorization,

    /// <summary>Any path that a browser brings a code and a state to.</summary>
    Callback,

    Token,

    /// <summary>Where MCP is spoken, by the name of the path or because the operator says so.</summary>
    Protected,
}

/// <summary>Knows places by their paths, whatever stands before the last segment.</summary>
/// <param name="protected">Paths that the operator names, exact.</param>
internal sealed class Places(IReadOnlyCollection<string> @protected)
{
    public Place Of(in AccessLine line)
    {
        if (IsNamed(line.Path))
            return Place.Protected;
        if (line.Path.IndexOf("/.well-known/"u8) is >= 0 and var known)
            return IsDiscovery(line.Path[(known + "/.well-known/".Length)..]) ? Place.Discovery : Place.Other;
        var path = line.Path.EndsWith("/"u8) ? line.Path[..^1] : line.Path;
        var name = path[(path.LastIndexOf((byte)'/') + 1)..];
        if (name.SequenceEqual("sse"u8) || name.SequenceEqual("messages"u8) || name.SequenceEqual("message"u8) || name.SequenceEqual("mcp"u8))
            return Place.Protected;
        if (name.SequenceEqual("register"u8))
            return Place.Registration;
        if (name.SequenceEqual("authorize"u8))
            return Place.Authorization;
        if (name.SequenceEqual("token"u8))
            return Place.Token;
        return line.Value("code"u8).Length > 0 && line.Value("state"u8).Length > 0 ? Place.Callback : Place.Other;
    }

    private bool IsNamed(ReadOnlySpan<byte> path)
    {
        foreach (var name in @protected)
        {
            if (name.Length == path.Length && Encoding.UTF8.GetString(path) == name)
                return true;
        }
        return false;
    }

    private static bool IsDiscovery(ReadOnlySpan<byte> document) =>
        document.StartsWith("oauth-protected-resource"u8) || document.StartsWith("oauth-authorization-server"u8) || document.StartsWith("openid-configuration"u8);
}
