using System.Buffers;

namespace Sallyport.Server.Configuration;

/// <summary>Reads what the operator wrote about the servers behind the gate.</summary>
/// <param name="publicUrl">The public URL, without a trailing slash.</param>
/// <param name="urls">Where the gate listens: no upstream is there.</param>
/// <param name="environment">The value of an environment variable.</param>
internal sealed class UpstreamReader(string publicUrl, IReadOnlyList<Uri> urls, Func<string, string?> environment, List<ConfigurationFault> found)
{
    private const int NameLength = 32;
    private const string NameHint = "A name has up to 32 of a-z, 0-9 and -, and begins with a letter";

    /// <summary>First segments of paths that are the gate's own, now or by its design.</summary>
    public static readonly IReadOnlyList<string> ReservedNames =
    [
        "account", "authorize", "callback", "consent", "console", "device", "enrol", "healthz", "introspect", "jwks", "logout", "mcp", "messages", "metrics",
        "oauth", "readyz", "register", "revoke", "sallyport", "signin", "sse", "static", "token", "userinfo", "witness",
    ];

    private static readonly SearchValues<char> s_nameCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-");
    private static readonly SearchValues<char> s_token = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>Headers that the gate itself sends or frames messages with; the protocol's (<c>Mcp-…</c>) and ours (<c>Sallyport-…</c>) are none to set either.</summary>
    private static readonly string[] s_ownHeaders =
        ["Accept", "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host", "Keep-Alive", "Last-Event-ID", "TE", "Trailer", "Transfer-Encoding", "Upgrade"];

    /// <summary>The upstreams as they were written; the built-in server at the root where none was.</summary>
    public IReadOnlyList<UpstreamSetting> Read(GateSettings settings)
    {
        var read = new List<UpstreamSetting>();
        var command = settings.Command;
        if (command.Length > 0)
            read.Add(new() { Audience = publicUrl + "/mcp", Command = command });
        if (command is ["", ..] || command.Any(argument => argument.Contains('\0')))
            found.Add(new("command", "it is no command", "Write the program and its arguments, like npx -y some-server"));
        foreach (var text in settings.Upstreams)
        {
            if (ReadOne(text) is not { } upstream)
                continue;
            if (read.Any(other => other.Name == upstream.Name))
                found.Add(new("upstream", upstream.Name is null ? $"'{text}' is the second one without a name" : $"'{upstream.Name}' names two of them", "Write NAME=URL, with a name of its own for each; one may go without"));
            else
                read.Add(upstream);
        }
        if (read.Count == 0)
            read.Add(new() { Audience = publicUrl + "/mcp" });
        foreach (var text in settings.UpstreamHeaders)
            ReadHeader(text, read);
        foreach (var text in settings.AccessTokens)
            ReadKind<AccessTokenKind>("access-tokens", "access token", text, read, _ => true, (upstream, kind) => upstream with { AccessTokens = kind });
        foreach (var text in settings.UpstreamIdentity)
            ReadKind<UpstreamIdentity>("upstream-identity", "assertion", text, read, upstream => upstream.Url is not null, (upstream, kind) => upstream with { Identity = kind });
        return read;
    }

    private UpstreamSetting? ReadOne(string text)
    {
        // A URL has its colon before any equals sign; a name has none.
        var equals = text.AsSpan().IndexOfAny('=', ':') is >= 0 and var at && text[at] == '=' ? at : -1;
        var name = equals < 0 ? null : text[..equals];
        if (name is not null && (name.Length is 0 or > NameLength || name[0] is not (>= 'a' and <= 'z') || name.AsSpan().ContainsAnyExcept(s_nameCharacters)))
        {
            found.Add(new("upstream", $"'{name}' is no name for an upstream", NameHint));
            return null;
        }
        if (ReservedNames.Contains(name, StringComparer.Ordinal))
        {
            found.Add(new("upstream", $"'{name}' is a path of the gate's own", "Choose another name"));
            return null;
        }
        var address = text[(equals + 1)..];
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.UserInfo.Length > 0 || uri.Fragment.Length > 0)
        {
            found.Add(new("upstream", $"'{address}' is no http(s) URL", "Write the server's MCP endpoint, like http://127.0.0.1:3001/mcp, or NAME=URL"));
            return null;
        }
        if (urls.Any(url => url.Port == uri.Port && (url.Host == uri.Host || (url.IsLoopback && uri.IsLoopback))))
        {
            found.Add(new("upstream", $"'{address}' is the gate itself", "Write the address of the MCP server behind it"));
            return null;
        }
        var upstream = new UpstreamSetting { Name = name, Url = uri, Audience = "" };
        return upstream with { Audience = publicUrl + upstream.McpPath };
    }

    /// <summary><c>[UPSTREAM/]HEADER=ENVVAR</c>: what is secret stands in the environment, and in no process list or file.</summary>
    private void ReadHeader(string text, List<UpstreamSetting> upstreams)
    {
        var equals = text.IndexOf('=');
        var slash = text.AsSpan(0, Math.Max(equals, 0)).IndexOf('/');
        var header = equals < 0 ? "" : text[(slash + 1)..equals];
        var variable = text[(equals + 1)..];
        if (header.Length == 0 || header.AsSpan().ContainsAnyExcept(s_token) || variable.Length == 0)
        {
            found.Add(new("upstream-header", "one of them is not HEADER=ENVVAR", "Write the header's name and the name of the environment variable that has its value, like Authorization=NOTES_KEY"));
            return;
        }
        if (s_ownHeaders.Contains(header, StringComparer.OrdinalIgnoreCase) || header.StartsWith("Mcp-", StringComparison.OrdinalIgnoreCase) || header.StartsWith("Sallyport-", StringComparison.OrdinalIgnoreCase))
        {
            found.Add(new("upstream-header", $"'{header}' is set by the gate", "Name another header"));
            return;
        }
        var name = slash < 0 ? null : text[..slash];
        var index = slash < 0 && upstreams.Count == 1 ? 0 : upstreams.FindIndex(upstream => upstream.Name == name);
        if (index < 0 || upstreams[index].Url is null)
        {
            found.Add(new("upstream-header", $"'{header}' is for no upstream that there is", "With several upstreams, say which: NAME/HEADER=ENVVAR"));
            return;
        }
        if (environment(variable) is not { Length: > 0 } value || value.Any(c => c is < ' ' or > '~') || value.Trim() != value)
        {
            found.Add(new("upstream-header", $"the environment variable {variable} has no value that a header can have", "Set it, in visible ASCII, before the gate starts"));
            return;
        }
        if (upstreams[index].Headers.Any(other => other.Name.Equals(header, StringComparison.OrdinalIgnoreCase)))
        {
            found.Add(new("upstream-header", $"'{header}' is set twice", "Set it once for each upstream"));
            return;
        }
        upstreams[index] = upstreams[index] with { Headers = [.. upstreams[index].Headers, new(header, variable, value)] };
    }

    /// <summary><c>[UPSTREAM=]KIND</c>, for one of them, or for all that <paramref name="suits"/>.</summary>
    private void ReadKind<TKind>(string setting, string what, string text, List<UpstreamSetting> upstreams, Predicate<UpstreamSetting> suits, Func<UpstreamSetting, TKind, UpstreamSetting> with)
        where TKind : struct, Enum
    {
        var equals = text.IndexOf('=');
        var name = equals < 0 ? null : text[..equals];
        var written = text[(equals + 1)..];
        // Numbers, and several names, are kinds to the parser.
        if (!Enum.TryParse(written, ignoreCase: true, out TKind kind) || !kind.ToString().Equals(written, StringComparison.OrdinalIgnoreCase))
        {
            var kinds = string.Join(" or ", Enum.GetNames<TKind>()).ToLowerInvariant();
            found.Add(new(setting, $"'{text}' is no kind of {what}", $"Write {kinds}, or NAME=jwt for one upstream"));
            return;
        }
        var suited = false;
        for (var i = 0; i < upstreams.Count; i++)
        {
            if ((name is not null && upstreams[i].Name != name) || !suits(upstreams[i]))
                continue;
            upstreams[i] = with(upstreams[i], kind);
            suited = true;
        }
        if (!suited)
            found.Add(new(setting, name is null ? "there is no upstream that it could be for" : $"'{name}' is no upstream that it could be for", "Write the name of one that there is, or the kind alone for all"));
    }
}
