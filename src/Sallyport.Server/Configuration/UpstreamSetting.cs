namespace Sallyport.Server.Configuration;

/// <summary>One MCP server to stand in front of, and where clients find it: a resource of its own, with its own audience.</summary>
internal sealed record UpstreamSetting
{
    /// <summary>The first segment of its paths; null for the one at the root.</summary>
    public string? Name { get; init; }

    /// <summary>Its MCP endpoint; null for a command, and for the built-in server.</summary>
    public Uri? Url { get; init; }

    /// <summary>The command with its arguments that is the server, over stdio; empty where it is none.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>The audience of tokens for it: the public URL of its <c>/mcp</c>. Its <c>/sse</c> is another URL of the same resource.</summary>
    public required string Audience { get; init; }

    /// <summary>What is sent to it beside the message.</summary>
    public IReadOnlyList<UpstreamHeader> Headers { get; init; } = [];

    /// <summary>What kind of access token is issued for it.</summary>
    public AccessTokenKind AccessTokens { get; init; }

    /// <summary>How it is told who calls.</summary>
    public UpstreamIdentity Identity { get; init; }

    /// <summary>As metrics and spans have it: where its paths begin.</summary>
    public string Label => Name is null ? "/" : Prefix;

    private string Prefix => Name is null ? "" : "/" + Name;

    public string McpPath => Prefix + "/mcp";
    public string SsePath => Prefix + "/sse";
    public string MessagesPath => Prefix + "/messages/";

    /// <summary>The paths under which clients know it, whichever transport it speaks itself.</summary>
    public IReadOnlyList<string> Paths => [McpPath, SsePath];

    /// <summary>Whether a path is one of its resource's, with or without a slash at its end.</summary>
    public bool Has(string path) => Paths.Any(known => path == known || path == known + "/");

    /// <summary>Whether a path is below its name. The one at the root has all that are no other's.</summary>
    public bool Covers(string path) => Name is null || path == Prefix || path.StartsWith(Prefix + "/", StringComparison.Ordinal);
}

internal enum UpstreamIdentity
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>By a signed assertion with each request, which it can check by the keys at <c>/jwks</c>.</summary>
    Jwt,
}

internal enum AccessTokenKind
{
    /// <summary>The gate alone can tell whether it is good.</summary>
    Opaque,

    /// <summary>Other servers can check it too, by the keys at <c>/jwks</c> (RFC 9068).</summary>
    Jwt,
}

/// <summary>A header that an upstream gets from the gate, for instance its own key. The value is a secret: it is in no text of this object.</summary>
internal sealed class UpstreamHeader(string name, string variable, string value)
{
    public string Name => name;
    /// <summary>The environment variable that the value came from.</summary>
    public string Variable => variable;
    public string Value => value;

    public override string ToString() => $"{name}={variable}";
}
