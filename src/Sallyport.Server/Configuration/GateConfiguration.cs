using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Configuration;

/// <summary>One thing that is wrong with what the operator wrote, and what to do about it.</summary>
internal sealed record ConfigurationFault(string Setting, string Problem, string Hint);

/// <summary>A C2SP witness that cosigns the log's checkpoints.</summary>
internal sealed record WitnessSetting(VerifierKey Key, Uri Address);

/// <summary>The checked configuration of one gate.</summary>
internal sealed record GateConfiguration
{
    public const int DefaultPort = 8700;
    /// <summary>That of examples.</summary>
    public const int DefaultAdminPort = 8790;
    private const int MaxSocketPathBytes = 103;

    /// <summary>The issuer, byte for byte: scheme and authority, no trailing slash.</summary>
    public required string PublicUrl { get; init; }
    public required IReadOnlyList<Uri> Urls { get; init; }
    /// <summary>Where <c>/readyz</c> and <c>/metrics</c> are, and nothing else: on loopback addresses.</summary>
    public IReadOnlyList<Uri> AdminUrls { get; init; } = [];
    public bool ReadyNeedsHeartbeats { get; init; }
    /// <summary>What is told to whom by OpenTelemetry.</summary>
    public TelemetrySetting Telemetry { get; init; } = TelemetrySetting.Off;
    public required string DataDirectory { get; init; }
    /// <summary>What stands behind the gate, at least one.</summary>
    public required IReadOnlyList<UpstreamSetting> Upstreams { get; init; }
    /// <summary>How long an upstream may take until its answer begins. What it then streams has no limit.</summary>
    public TimeSpan UpstreamPatience { get; init; } = TimeSpan.FromMinutes(5);
    /// <summary>Names of variables that a server's command gets besides the listed ones.</summary>
    public IReadOnlyList<string> UpstreamEnvironment { get; init; } = [];
    /// <summary>How many processes of a command may run at once.</summary>
    public int UpstreamProcesses { get; init; } = GateSettings.DefaultProcesses;
    public int UpstreamProcessesPerUser { get; init; } = GateSettings.DefaultProcessesPerUser;
    /// <summary>A session that nobody used for this long ends, with its process.</summary>
    public TimeSpan SessionIdleEnd { get; init; } = TimeSpan.FromMinutes(30);
    public IReadOnlyList<string> Origins { get; init; } = [];
    public IReadOnlyList<string> Hosts { get; init; } = [];
    /// <summary>Proxies that are trusted to say where a request came from.</summary>
    public IReadOnlyList<IPNetwork> Behind { get; init; } = [];
    /// <summary>Whether clients may register by themselves.</summary>
    public bool Registration { get; init; } = true;
    /// <summary>Names of <see cref="KnownClients"/>, or callbacks; where there are any, others are not admitted.</summary>
    public IReadOnlyList<string> Clients { get; init; } = [];
    /// <summary>Further schemes that callbacks may have.</summary>
    public IReadOnlyList<string> RedirectSchemes { get; init; } = [];
    public int SignInsPerMinute { get; init; } = 60;
    public int RegistrationsPerMinute { get; init; } = 60;
    /// <summary>A registration that nobody has allowed anything for this long is forgotten.</summary>
    public TimeSpan UnconfirmedLifetime { get; init; } = TimeSpan.FromDays(1);
    /// <summary>The first one answers at <c>/oauth/callback</c>, each further one at <c>/oauth/callback/NAME</c>.</summary>
    public IReadOnlyList<ProviderSetting> Providers { get; init; } = [];
    public TimeSpan AccessTokenLifetime { get; init; } = TimeSpan.FromHours(1);
    public TimeSpan CodeLifetime { get; init; } = TimeSpan.FromSeconds(60);
    public TimeSpan TransactionLifetime { get; init; } = TimeSpan.FromMinutes(10);
    public TimeSpan SignInLifetime { get; init; } = TimeSpan.FromHours(12);
    /// <summary>A refresh token that nobody used for this long is good no more.</summary>
    public TimeSpan RefreshTokenLifetime { get; init; } = TimeSpan.FromDays(30);
    /// <summary>However often it is refreshed, this long after the user's consent a grant is refreshed no more.</summary>
    public TimeSpan RefreshFamilyLifetime { get; init; } = TimeSpan.FromDays(180);
    /// <summary>How long a consent can stand for others, however often it does.</summary>
    public TimeSpan RememberedConsentLifetime { get; init; } = TimeSpan.FromDays(90);
    /// <summary>How long a refresh token that was just used is answered with the same successor.</summary>
    public TimeSpan RefreshGrace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether an access event is on the disk before the access.</summary>
    public bool Strict { get; init; }
    /// <summary>How often the log's head is signed while it grows.</summary>
    public TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromMinutes(1);
    /// <summary>How often the gate sends itself bad credentials; zero: never.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMinutes(5);
    /// <summary>Where findings are sent; null: nowhere.</summary>
    public WebhookSetting? Webhook { get; init; }
    /// <summary>Files and directories that get each checkpoint.</summary>
    public IReadOnlyList<string> Anchors { get; init; } = [];
    public IReadOnlyList<WitnessSetting> Witnesses { get; init; } = [];
    /// <summary>The logs that this gate is a witness for.</summary>
    public IReadOnlyList<VerifierKey> WitnessFor { get; init; } = [];
    /// <summary>Age at which events are pruned; null: never.</summary>
    public TimeSpan? LogRetention { get; init; }

    /// <summary>Whether anybody can see what is measured; where nobody can, nothing is.</summary>
    public bool IsObserved => AdminUrls.Count > 0 || Telemetry.ExportsMetrics || Telemetry.ExportsTraces;

    public bool IsHttps => PublicUrl.StartsWith("https:", StringComparison.Ordinal);
    /// <summary>Whether clients reach the gate itself at its public URL: then a connection's peer is the client, and no proxy.</summary>
    public bool IsReachedDirectly => Urls.Any(url => url.GetLeftPart(UriPartial.Authority) == PublicUrl);
    public bool IsLoopback => Authority.IsLoopbackName(new Uri(PublicUrl).Host);

    /// <summary>The upstream at the root; null where all have names.</summary>
    public UpstreamSetting? AtRoot => Upstreams.FirstOrDefault(upstream => upstream.Name is null);

    /// <summary>What a client means that names no resource.</summary>
    public UpstreamSetting Default => AtRoot ?? Upstreams[0];

    /// <summary>What <c>resource</c> parameters mean (RFC 8707): an upstream by one of its URLs, or by the origin where only one can be meant. Null for none of ours, or for several.</summary>
    public UpstreamSetting? FindUpstream(IEnumerable<string> resources)
    {
        UpstreamSetting? meant = null;
        foreach (var resource in resources)
        {
            if (FindUpstream(resource) is not { } upstream || (meant is not null && meant != upstream))
                return null;
            meant = upstream;
        }
        return meant ?? Default;
    }

    /// <summary>Whether <c>resource</c> parameters of a token request mean nothing but what was granted.</summary>
    public bool IsGranted(IEnumerable<string> resources, string audience) => resources.All(resource => FindUpstream(resource)?.Audience == audience);

    private UpstreamSetting? FindUpstream(string resource)
    {
        if (ResourceUri.Canonical(resource) is not { } asked || ResourceUri.Canonical(PublicUrl) is not { } origin)
            return null;
        if (asked == origin)
            return AtRoot ?? (Upstreams.Count == 1 ? Upstreams[0] : null);
        return Upstreams.FirstOrDefault(upstream => upstream.Paths.Any(path => asked == origin + path));
    }

    /// <summary>SHA-256 (hex) over the settings that decide who gets in; the start event carries it.</summary>
    public string Fingerprint => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n',
        PublicUrl, string.Join(' ', Urls), string.Join(' ', Upstreams.Select(upstream => $"{upstream.Name}={upstream.Url?.ToString() ?? (upstream.Command.Count > 0 ? string.Join('\0', upstream.Command) : "builtin")}[{string.Join(' ', upstream.Headers)}]{upstream.AccessTokens} {upstream.Identity}")), string.Join(' ', Origins), string.Join(' ', Hosts), string.Join(' ', Providers),
        AccessTokenLifetime, CodeLifetime, TransactionLifetime, SignInLifetime, RefreshTokenLifetime, RefreshFamilyLifetime, RememberedConsentLifetime, RefreshGrace,
        string.Join(' ', Behind), Registration, string.Join(' ', Clients), string.Join(' ', RedirectSchemes), SignInsPerMinute, RegistrationsPerMinute,
        Strict, CheckpointInterval, HeartbeatInterval, string.Join(' ', Anchors), string.Join(' ', Witnesses), string.Join(' ', WitnessFor), LogRetention,
        string.Join(' ', UpstreamEnvironment), UpstreamProcesses, UpstreamProcessesPerUser, SessionIdleEnd,
        string.Join(' ', AdminUrls), ReadyNeedsHeartbeats, Webhook))));

    /// <summary>Checks everything, so that an operator sees all faults at once.</summary>
    public static GateConfiguration? From(GateSettings settings, out IReadOnlyList<ConfigurationFault> faults)
    {
        var found = new List<ConfigurationFault>();
        var urls = ReadUrls(settings, found);
        var publicUrl = ReadPublicUrl(settings, urls, found);
        var adminUrls = ReadAdminUrls(settings, urls, found);
        var upstreams = new UpstreamReader(publicUrl, urls, Environment.GetEnvironmentVariable, found).Read(settings);
        CheckProcesses(settings, found);
        foreach (var origin in settings.Origins)
        {
            if (!Uri.TryCreate(origin, UriKind.Absolute, out var uri) || uri.GetLeftPart(UriPartial.Authority) != origin)
                found.Add(new("origins", $"'{origin}' is no origin", "Write scheme and host only, like https://chat.example"));
        }
        foreach (var host in settings.Hosts)
        {
            if (Authority.Normal(host, "http") is null)
                found.Add(new("hosts", $"'{host}' is no host", "Write a host name, with a port where it is not the default one"));
        }
        var behind = ReadBehind(settings, found);
        foreach (var client in settings.Clients.Where(client => !KnownClients.IsEntry(client)))
            found.Add(new("clients", $"'{client}' is no known client", $"Write {string.Join(", ", KnownClients.Names)}, or a callback like https://client.example/callback"));
        foreach (var scheme in settings.RedirectSchemes.Where(scheme => !RedirectUri.CanBeAdmitted(scheme)))
            found.Add(new("redirect-schemes", $"'{scheme}' cannot be admitted", "Write an application's own scheme, in lower case and without the colon, like myeditor"));
        foreach (var (name, value) in new[] { ("sign-ins-per-minute", settings.SignInsPerMinute), ("registrations-per-minute", settings.RegistrationsPerMinute) })
        {
            if (value is < 1 or > 100_000)
                found.Add(new(name, $"{value} is out of range", "Between 1 and 100000; 60 is the default"));
        }
        var providers = ProviderSetting.ReadAll(settings.Providers, found);
        if (settings.AccessTokenSeconds is < 1 or > 86_400)
            found.Add(new("access-token-seconds", $"{settings.AccessTokenSeconds} is out of range", "Between 1 and 86400; 3600 is the default"));

        if (settings.UpstreamSeconds is < 1 or > 86_400)
            found.Add(new("upstream-seconds", $"{settings.UpstreamSeconds} is out of range", "Between 1 and 86400; 300 is the default"));
        if (settings.CheckpointSeconds is < 1 or > 86_400)
            found.Add(new("checkpoint-seconds", $"{settings.CheckpointSeconds} is out of range", "Between 1 and 86400; 60 is the default"));
        if (settings.HeartbeatSeconds is not (0 or (>= 10 and <= 86_400)))
            found.Add(new("heartbeat-seconds", $"{settings.HeartbeatSeconds} is out of range", "Between 10 and 86400, or 0 for never; 300 is the default"));
        if (settings is { ReadyNeedsHeartbeats: true, HeartbeatSeconds: 0 })
            found.Add(new("ready-needs-heartbeats", "there are no heartbeats", "Set heartbeat-seconds to more than 0, or ready-needs-heartbeats to false"));
        var webhook = WebhookSetting.Read(settings.WebhookUrl, settings.WebhookSecretEnv, Environment.GetEnvironmentVariable, found);
        var witnesses = ReadWitnesses(settings, found);
        var witnessFor = ReadWitnessFor(settings, found);
        var telemetry = TelemetrySetting.Read(settings.OpenTelemetry, found);
        var retention = ReadRetention(settings, found);

        // A unix socket's path has 108 bytes at most (104 on macOS), the last of them a zero.
        var data = Path.GetFullPath(settings.Data ?? DefaultDataDirectory());
        if (Encoding.UTF8.GetByteCount(new DataDirectory(data).ControlSocket) > MaxSocketPathBytes)
            found.Add(new("data", $"'{data}' is too long for the socket inside it", "Choose a directory with a path of at most 90 bytes"));

        faults = found;
        return found.Count > 0 ? null : new()
        {
            PublicUrl = publicUrl,
            Urls = urls,
            AdminUrls = adminUrls,
            ReadyNeedsHeartbeats = settings.ReadyNeedsHeartbeats,
            Telemetry = telemetry,
            DataDirectory = data,
            Upstreams = upstreams,
            UpstreamPatience = TimeSpan.FromSeconds(settings.UpstreamSeconds),
            UpstreamEnvironment = settings.UpstreamEnvironment,
            UpstreamProcesses = settings.UpstreamProcesses,
            UpstreamProcessesPerUser = settings.UpstreamProcessesPerUser,
            SessionIdleEnd = TimeSpan.FromSeconds(settings.SessionIdleSeconds),
            Origins = settings.Origins,
            Hosts = settings.Hosts,
            Behind = behind,
            Registration = settings.Registration,
            Clients = settings.Clients,
            RedirectSchemes = settings.RedirectSchemes,
            SignInsPerMinute = settings.SignInsPerMinute,
            RegistrationsPerMinute = settings.RegistrationsPerMinute,
            Providers = providers,
            AccessTokenLifetime = TimeSpan.FromSeconds(settings.AccessTokenSeconds),
            Strict = settings.Strict,
            CheckpointInterval = TimeSpan.FromSeconds(settings.CheckpointSeconds),
            HeartbeatInterval = TimeSpan.FromSeconds(settings.HeartbeatSeconds),
            Webhook = webhook,
            Anchors = [.. settings.Anchors.Select(Path.GetFullPath)],
            Witnesses = witnesses,
            WitnessFor = witnessFor,
            LogRetention = retention,
        };
    }

    public static string DefaultDataDirectory() =>
        Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "sallyport");

    private static void CheckProcesses(GateSettings settings, List<ConfigurationFault> found)
    {
        foreach (var name in settings.UpstreamEnvironment)
        {
            if (name.StartsWith("SALLYPORT_", StringComparison.OrdinalIgnoreCase) || name.Contains('='))
                found.Add(new("upstream-env", $"'{name.Split('=')[0]}' is not let through", "Write the names of variables, without values; those of the gate itself never reach the server"));
        }
        if (settings.UpstreamProcesses is < 1 or > 10_000)
            found.Add(new("upstream-processes", $"{settings.UpstreamProcesses} is out of range", $"Between 1 and 10000; {GateSettings.DefaultProcesses} is the default"));
        if (settings.UpstreamProcessesPerUser < 1)
            found.Add(new("upstream-processes-per-user", $"{settings.UpstreamProcessesPerUser} is out of range", $"1 or more; {GateSettings.DefaultProcessesPerUser} is the default"));
        if (settings.SessionIdleSeconds is < 60 or > 86_400)
            found.Add(new("session-idle-seconds", $"{settings.SessionIdleSeconds} is out of range", "Between 60 and 86400; 1800 is the default"));
    }

    private static List<Uri> ReadUrls(GateSettings settings, List<ConfigurationFault> found)
    {
        var urls = ReadListeners("urls", settings.Urls ?? $"http://localhost:{DefaultPort}", DefaultPort, found);
        if (urls.Count == 0 && found.Count == 0)
            found.Add(new("urls", "no address to listen on", "Write it like http://127.0.0.1:8700"));
        return urls;
    }

    private static List<Uri> ReadAdminUrls(GateSettings settings, List<Uri> urls, List<ConfigurationFault> found)
    {
        var adminUrls = ReadListeners("admin-urls", settings.AdminUrls ?? "", DefaultAdminPort, found);
        foreach (var url in adminUrls)
        {
            if (!Authority.IsLoopbackName(url.Host))
                found.Add(new("admin-urls", $"'{url.GetLeftPart(UriPartial.Authority)}' can be reached from other machines", "Nobody is asked who they are there: write localhost, 127.0.0.1 or [::1], and let what collects run on this machine"));
            else if (urls.Any(other => other.Port == url.Port))
                found.Add(new("admin-urls", $"port {url.Port.ToString(CultureInfo.InvariantCulture)} is the gate's own", string.Create(CultureInfo.InvariantCulture, $"Choose another port, like http://127.0.0.1:{DefaultAdminPort}")));
        }
        return adminUrls;
    }

    private static List<Uri> ReadListeners(string setting, string value, int example, List<ConfigurationFault> found)
    {
        var urls = new List<Uri>();
        foreach (var text in value.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.PathAndQuery != "/" || uri.Fragment.Length > 0 || uri.UserInfo.Length > 0)
                found.Add(new(setting, $"'{text}' is no address to listen on", string.Create(CultureInfo.InvariantCulture, $"Write it like http://127.0.0.1:{example}")));
            else if (uri.Scheme != Uri.UriSchemeHttp)
                found.Add(new(setting, $"'{text}' is not http", "The gate listens on http; let a proxy end TLS and give its address as --public-url https://…"));
            else if (uri.Host != "localhost" && uri.HostNameType is not (UriHostNameType.IPv4 or UriHostNameType.IPv6))
                found.Add(new(setting, $"'{text}' names a host", "Write localhost, or the literal address of an interface of this machine (0.0.0.0 for all of them)"));
            else if (uri.Port == 0)
                found.Add(new(setting, $"'{text}' has port 0", "Clients have to know the port: choose one"));
            else
                urls.Add(uri);
        }
        return urls;
    }

    private static string ReadPublicUrl(GateSettings settings, List<Uri> urls, List<ConfigurationFault> found)
    {
        var text = settings.PublicUrl ?? settings.Urls?.Split(';')[0].Trim() ?? $"http://localhost:{DefaultPort}";
        text = text.TrimEnd('/');
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.GetLeftPart(UriPartial.Authority) != text || uri.UserInfo.Length > 0)
        {
            if (settings.PublicUrl is not null)
                found.Add(new("public-url", $"'{settings.PublicUrl}' is no origin", "Write scheme, host and port only, in lower case, without a default port, like https://mcp.example"));
            else if (urls.Count > 0)
                found.Add(new("urls", $"'{text}' cannot be the address that clients know", "Give --public-url"));
            return text;
        }
        if (uri.Scheme == Uri.UriSchemeHttp && !Authority.IsLoopbackName(uri.Host))
            found.Add(new(settings.PublicUrl is null ? "urls" : "public-url", $"'{text}' is http on a public host: tokens would travel in clear",
                "Put a proxy with TLS before the gate and give its https address as --public-url"));
        else if (uri.Scheme is not ("http" or "https"))
            found.Add(new("public-url", $"'{text}' is neither https nor http", "Write it like https://mcp.example"));
        return text;
    }

    private static List<IPNetwork> ReadBehind(GateSettings settings, List<ConfigurationFault> found)
    {
        var networks = new List<IPNetwork>();
        foreach (var text in settings.Behind)
        {
            if (IPAddress.TryParse(text, out var address))
                networks.Add(new(address, address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128));
            else if (IPNetwork.TryParse(text, out var network))
                networks.Add(network);
            else
                found.Add(new("behind", $"'{text}' is no address", "Write the proxy's address, or its network, like 127.0.0.1 or 10.0.0.0/8"));
        }
        return networks;
    }

    private static List<WitnessSetting> ReadWitnesses(GateSettings settings, List<ConfigurationFault> found)
    {
        var witnesses = new List<WitnessSetting>();
        foreach (var text in settings.Witnesses)
        {
            if (text.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var vkey, var url]
                && VerifierKey.TryParse(vkey, out var key) && key.Type == SignatureType.Cosignature
                && Uri.TryCreate(url, UriKind.Absolute, out var address) && address.Scheme is ("http" or "https")
                && address.Query.Length == 0 && address.Fragment.Length == 0)
                witnesses.Add(new(key, address));
            else
                found.Add(new("witnesses", $"'{text}' is no witness", "Write its verifier key (of type 4, for cosignatures) and its address, with a space between"));
        }
        return witnesses;
    }

    private static List<VerifierKey> ReadWitnessFor(GateSettings settings, List<ConfigurationFault> found)
    {
        var logs = new List<VerifierKey>();
        foreach (var text in settings.WitnessFor)
        {
            if (VerifierKey.TryParse(text, out var key) && key.Type == SignatureType.Ed25519)
                logs.Add(key);
            else
                found.Add(new("witness-for", $"'{text}' is no log's verifier key", "Write it as that log's operator published it: name+id+key"));
        }
        return logs;
    }

    private static TimeSpan? ReadRetention(GateSettings settings, List<ConfigurationFault> found)
    {
        if (settings.LogRetain is null)
            return null;
        if (int.TryParse(settings.LogRetain.TrimEnd('d'), NumberStyles.None, CultureInfo.InvariantCulture, out var days) && days is >= 1 and <= 36_500)
            return TimeSpan.FromDays(days);
        found.Add(new("log-retain", $"'{settings.LogRetain}' is no age", "Write a number of days, like 90"));
        return null;
    }
}
