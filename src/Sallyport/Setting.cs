using System.CommandLine;
using System.Globalization;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport;

/// <summary>What an operator may set: in the file and the environment by this name, on the command line as a flag.</summary>
/// <param name="Name">In camel case; <c>publicUrl</c> is <c>SALLYPORT_PUBLIC_URL</c> and <c>--public-url</c>.</param>
/// <param name="Value">What the value is called in help texts; empty for one that is on or off.</param>
/// <param name="IsList">Whether there may be several values, separated by <c>;</c> in a text.</param>
/// <param name="Read">Sets it, or says what is wrong with the values.</param>
internal sealed record Setting(string Name, string Value, bool IsList, string Description, Func<GateSettings, string[], string?> Read)
{
    public string Flag => "--" + string.Concat(Name.Select(c => char.IsAsciiLetterUpper(c) ? $"-{char.ToLowerInvariant(c)}" : c.ToString()));

    /// <summary>Every setting but the data directory's, which commands share.</summary>
    public static readonly IReadOnlyList<Setting> All =
    [
        Text("urls", "URLS", $"Where to listen (default: http://localhost:{GateConfiguration.DefaultPort}), separated by ;", (settings, value) => settings.Urls = value) with { IsList = true },
        Text("publicUrl", "URL", "The address that clients know, where a proxy stands before the gate", (settings, value) => settings.PublicUrl = value),
        Text("adminUrls", "URLS", "Loopback addresses for /readyz and /metrics, separated by ; (default: none)", (settings, value) => settings.AdminUrls = value) with { IsList = true },
        Switch("readyNeedsHeartbeats", "Whether /readyz says no after a heartbeat's wrong answer, or without rounds (default: false)", (settings, value) => settings.ReadyNeedsHeartbeats = value),
        List("upstream", "[NAME=]URL", "An MCP server to stand in front of: its endpoint, at /NAME where it has a name (default: Sallyport's own server)", (settings, values) => settings.Upstreams = values),
        List("upstreamHeader", "[NAME/]HEADER=ENVVAR", "A header that the upstream gets from the gate; the environment variable has its value", (settings, values) => settings.UpstreamHeaders = values),
        Number("upstreamSeconds", "How long an upstream may take until its answer begins (default: 300)", (settings, value) => settings.UpstreamSeconds = value),
        List("upstreamIdentity", "[NAME=]KIND", "How an upstream is told who calls, or all are: none (default), or jwt, an assertion that it can check", (settings, values) => settings.UpstreamIdentity = values),
        List("upstreamEnv", "NAME", "Further variables of this environment that a server's command gets", (settings, values) => settings.UpstreamEnvironment = values),
        Number("upstreamProcesses", $"How many processes of a server's command may run at once (default: {GateSettings.DefaultProcesses})", (settings, value) => settings.UpstreamProcesses = value, "COUNT"),
        Number("upstreamProcessesPerUser", $"How many of them may be one user's (default: {GateSettings.DefaultProcessesPerUser})", (settings, value) => settings.UpstreamProcessesPerUser = value, "COUNT"),
        Number("sessionIdleSeconds", "How long a session may be unused before it ends, and its process with it (default: 1800)", (settings, value) => settings.SessionIdleSeconds = value),
        List("origins", "ORIGIN", "Further origins whose pages may call", (settings, values) => settings.Origins = values),
        List("hosts", "HOST", "Further host names to answer to", (settings, values) => settings.Hosts = values),
        List("behind", "ADDRESS", "Proxies that are trusted to say where a request came from (X-Forwarded-For)", (settings, values) => settings.Behind = values),
        Switch("registration", "Whether clients may register by themselves (default: true)", (settings, value) => settings.Registration = value),
        List("clients", "CLIENT", $"The only clients that may register: {string.Join(", ", KnownClients.Names)}, or callbacks (default: any)", (settings, values) => settings.Clients = values),
        List("redirectSchemes", "SCHEME", "Further schemes that callbacks may have, of applications that have none with a dot", (settings, values) => settings.RedirectSchemes = values),
        Number("signInsPerMinute", "How many sign-ins may fail in a minute, for each source (default: 60)", (settings, value) => settings.SignInsPerMinute = value, "COUNT"),
        Number("registrationsPerMinute", "How many registrations may come in a minute, for each source (default: 60)", (settings, value) => settings.RegistrationsPerMinute = value, "COUNT"),
        List("providers", "\"ISSUER CLIENT-ID …\"", "OpenID Connect providers that users may sign in by; docs/sign-in.md says what follows", (settings, values) => settings.Providers = values),
        Number("accessTokenSeconds", "How long an access token is good (default: 3600)", (settings, value) => settings.AccessTokenSeconds = value),
        List("accessTokens", "[NAME=]KIND", "What kind of access tokens there are for an upstream, or for all: opaque (default), or jwt, which other servers can check", (settings, values) => settings.AccessTokens = values),
        Switch("strict", "Sync every access event to the disk before the access: it then survives a loss of power too", (settings, value) => settings.Strict = value),
        Number("checkpointSeconds", "How often the log's head is signed while the log grows (default: 60)", (settings, value) => settings.CheckpointSeconds = value),
        Number("heartbeatSeconds", "How often the gate sends itself bad credentials through its public address, to see that they are refused (default: 300; 0: never)", (settings, value) => settings.HeartbeatSeconds = value),
        Text("webhookUrl", "URL", "Where findings are sent (https), signed as Standard Webhooks has it (default: nowhere)", (settings, value) => settings.WebhookUrl = value),
        Text("webhookSecretEnv", "ENVVAR", "The environment variable that has the secret to sign them with: whsec_ and base64", (settings, value) => settings.WebhookSecretEnv = value),
        List("anchors", "PATH", "Where checkpoints are kept too: a file to append to, or a directory", (settings, values) => settings.Anchors = values),
        List("witnesses", "\"VKEY URL\"", "C2SP witnesses that cosign checkpoints: verifier key and address", (settings, values) => settings.Witnesses = values),
        List("witnessFor", "VKEY", "Logs that this gate is a C2SP witness for, at /witness", (settings, values) => settings.WitnessFor = values),
        Text("logRetain", "DAYS", "Days after which events are pruned from the log (default: never)", (settings, value) => settings.LogRetain = value),
    ];

    /// <summary>On the command line it stands after <c>--</c>. A text is taken apart at its blanks, a list as it is.</summary>
    public static readonly Setting Command = new("command", "COMMAND", IsList: true, "The MCP server to stand in front of: a command that speaks over stdio", (settings, values) =>
    {
        settings.Command = values is [var text] ? text.Split(' ', StringSplitOptions.RemoveEmptyEntries) : values;
        return null;
    });

    public static readonly Setting Data = Text("data", "DIR", "The data directory (default: the platform's)", (settings, value) => settings.Data = value);

    /// <summary>The flag, as <c>serve</c> has it.</summary>
    public Option<string[]> ToOption() => new(Flag)
    {
        Description = Description,
        CustomParser = static result => [.. result.Tokens.Select(token => token.Value)],
        HelpName = Value.Length > 0 ? Value : "true|false",
        AllowMultipleArgumentsPerToken = IsList,
        Arity = Value.Length == 0 ? ArgumentArity.ZeroOrOne : IsList ? ArgumentArity.OneOrMore : ArgumentArity.ExactlyOne,
    };

    private static Setting Text(string name, string value, string description, Action<GateSettings, string> set) => new(name, value, IsList: false, description, (settings, values) =>
    {
        set(settings, string.Join(';', values));
        return null;
    });

    private static Setting List(string name, string value, string description, Action<GateSettings, string[]> set) => new(name, value, IsList: true, description, (settings, values) =>
    {
        set(settings, [.. values.SelectMany(text => text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))]);
        return null;
    });

    private static Setting Number(string name, string description, Action<GateSettings, int> set, string value = "SECONDS") => new(name, value, IsList: false, description, (settings, values) =>
    {
        if (!int.TryParse(values[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return $"'{values[0]}' is no number";
        set(settings, number);
        return null;
    });

    private static Setting Switch(string name, string description, Action<GateSettings, bool> set) => new(name, "", IsList: false, description, (settings, values) =>
    {
        if (!bool.TryParse(values.Length > 0 ? values[0] : "true", out var on))
            return $"'{values[0]}' is neither true nor false";
        set(settings, on);
        return null;
    });
}
