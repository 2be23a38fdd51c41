namespace Sallyport.Server.Configuration;

/// <summary>
/// What the operator may write, by the same names in <c>sallyport.json</c>, in the environment (<c>SALLYPORT_PUBLIC_URL</c>) and as
/// flags (<c>--public-url</c>). Text as written; nothing is checked yet.
/// </summary>
internal sealed class GateSettings
{
    public const int DefaultProcesses = 100;
    public const int DefaultProcessesPerUser = 25;

    /// <summary>Where to listen, separated by <c>;</c>.</summary>
    public string? Urls { get; set; }

    /// <summary>The address that clients know, when it is not where the gate listens.</summary>
    public string? PublicUrl { get; set; }

    /// <summary>Loopback addresses for those who look after the gate, separated by <c>;</c>.</summary>
    public string? AdminUrls { get; set; }

    /// <summary>Whether a gate whose heartbeats got a wrong answer, or that sends none any more, says that it is not ready.</summary>
    public bool ReadyNeedsHeartbeats { get; set; }

    /// <summary>The variables <c>OTEL_…</c> of the environment, as they are.</summary>
    public Dictionary<string, string?> OpenTelemetry { get; } = new(StringComparer.Ordinal);

    public string? Data { get; set; }

    /// <summary>MCP endpoints to stand in front of, as <c>URL</c> or <c>NAME=URL</c>; without one the gate serves its own MCP server.</summary>
    public string[] Upstreams { get; set; } = [];

    /// <summary>Headers that upstreams get from the gate, as <c>[UPSTREAM/]HEADER=ENVVAR</c>.</summary>
    public string[] UpstreamHeaders { get; set; } = [];

    /// <summary>How long an upstream may take until its answer begins, in seconds.</summary>
    public int UpstreamSeconds { get; set; } = 300;

    /// <summary>A command, with its arguments, that is the MCP server to stand in front of, over stdio.</summary>
    public string[] Command { get; set; } = [];

    /// <summary>Names of further variables that the command gets.</summary>
    public string[] UpstreamEnvironment { get; set; } = [];

    /// <summary>How many processes of the command may run at once, for all users and for one.</summary>
    public int UpstreamProcesses { get; set; } = DefaultProcesses;

    public int UpstreamProcessesPerUser { get; set; } = DefaultProcessesPerUser;

    /// <summary>How long a session may be unused, in seconds.</summary>
    public int SessionIdleSeconds { get; set; } = 1800;

    /// <summary>Further origins whose pages may call the MCP endpoints.</summary>
    public string[] Origins { get; set; } = [];

    /// <summary>Further host names that the gate answers to.</summary>
    public string[] Hosts { get; set; } = [];

    /// <summary>Proxies that are trusted to say where a request came from: addresses or networks.</summary>
    public string[] Behind { get; set; } = [];

    /// <summary>Whether clients may register by themselves.</summary>
    public bool Registration { get; set; } = true;

    /// <summary>Names of known clients, or callbacks: no others may register.</summary>
    public string[] Clients { get; set; } = [];

    /// <summary>Further schemes that callbacks may have.</summary>
    public string[] RedirectSchemes { get; set; } = [];

    /// <summary>How many sign-ins may fail in a minute, for each source.</summary>
    public int SignInsPerMinute { get; set; } = 60;

    /// <summary>How many registrations may come in a minute, for each source.</summary>
    public int RegistrationsPerMinute { get; set; } = 60;

    /// <summary>Identity providers that users may sign in by: issuer, client id and what else <see cref="ProviderSetting"/> reads.</summary>
    public string[] Providers { get; set; } = [];

    /// <summary>How long an access token is good, in seconds.</summary>
    public int AccessTokenSeconds { get; set; } = 3600;

    /// <summary>What kind of access tokens are issued, as <c>[UPSTREAM=]KIND</c>: <c>opaque</c> or <c>jwt</c>.</summary>
    public string[] AccessTokens { get; set; } = [];

    /// <summary>How upstreams are told who calls, as <c>[UPSTREAM=]KIND</c>: <c>none</c> or <c>jwt</c>.</summary>
    public string[] UpstreamIdentity { get; set; } = [];

    /// <summary>Whether an access event is on the disk before the access.</summary>
    public bool Strict { get; set; }

    /// <summary>How often the log's head is signed while it grows, in seconds.</summary>
    public int CheckpointSeconds { get; set; } = 60;

    /// <summary>How often the gate sends itself bad credentials, in seconds; 0: never.</summary>
    public int HeartbeatSeconds { get; set; } = 300;

    /// <summary>Where findings are sent.</summary>
    public string? WebhookUrl { get; set; }

    /// <summary>The environment variable that has the secret which findings are signed with.</summary>
    public string? WebhookSecretEnv { get; set; }

    /// <summary>Files and directories that get each checkpoint.</summary>
    public string[] Anchors { get; set; } = [];

    /// <summary>C2SP witnesses: verifier key and submission prefix, with a space between.</summary>
    public string[] Witnesses { get; set; } = [];

    /// <summary>Verifier keys of the logs that this gate is a witness for.</summary>
    public string[] WitnessFor { get; set; } = [];

    /// <summary>Days after which events are pruned; null: never.</summary>
    public string? LogRetain { get; set; }
}
