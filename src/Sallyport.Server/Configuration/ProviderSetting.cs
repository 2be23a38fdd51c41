using Sallyport.Server.Protocol;

namespace Sallyport.Server.Configuration;

/// <summary>An OpenID Connect provider that users may sign in by, and whom of its users the gate admits.</summary>
/// <remarks>
/// The operator writes <c>ISSUER CLIENT-ID</c> and after them, separated by blanks, <c>secret-env=</c>, <c>name=</c>, <c>domains=</c>,
/// <c>emails=</c>, <c>groups=</c>, <c>group-claim=</c>, <c>scopes=</c>, <c>everyone</c>, and last <c>title=</c>, which may have blanks.
/// </remarks>
internal sealed record ProviderSetting
{
    private const string DefaultName = "provider";
    private const string DefaultGroupClaim = "groups";
    private const int NameLength = 32;
    private const int TitleLength = 64;

    /// <summary>Byte for byte, as its documents and tokens have to name it.</summary>
    public required string Issuer { get; init; }
    public required string ClientId { get; init; }
    /// <summary>Null for a public client.</summary>
    public string? ClientSecret { get; init; }
    /// <summary>Names it in addresses and forms.</summary>
    public required string Name { get; init; }
    /// <summary>What its button says.</summary>
    public required string Title { get; init; }
    /// <summary>Where it sends browsers back to, on our origin.</summary>
    public required string CallbackPath { get; init; }
    public IReadOnlyList<string> Scopes { get; init; } = ["openid", "email", "profile"];

    /// <summary>Whoever has an account there.</summary>
    public bool Everyone { get; init; }
    /// <summary>In lower case.</summary>
    public IReadOnlyList<string> Domains { get; init; } = [];
    /// <summary>In lower case.</summary>
    public IReadOnlyList<string> Emails { get; init; } = [];
    public IReadOnlyList<string> Groups { get; init; } = [];
    public string GroupClaim { get; init; } = DefaultGroupClaim;

    /// <summary>All that decides who gets in, without the secret: for the configuration's fingerprint.</summary>
    public override string ToString() =>
        $"{Issuer} {ClientId} {Name} {CallbackPath} {string.Join(',', Scopes)} {Everyone} {string.Join(',', Domains)} {string.Join(',', Emails)} {GroupClaim} {string.Join(',', Groups)}";

    public static IReadOnlyList<ProviderSetting> ReadAll(string[] texts, List<ConfigurationFault> found)
    {
        var providers = new List<ProviderSetting>();
        foreach (var text in texts)
        {
            if (Read(text, isFirst: providers.Count == 0, found) is { } provider)
                providers.Add(provider);
        }
        foreach (var twice in providers.GroupBy(provider => provider.Name).Where(group => group.Count() > 1))
            found.Add(new("providers", $"two of them have the name '{twice.Key}'", "Give each but the first a name of its own, with name="));
        foreach (var twice in providers.GroupBy(provider => provider.Issuer).Where(group => group.Count() > 1))
            found.Add(new("providers", $"'{twice.Key}' is there twice", "Write an issuer once; its lists take several values, separated by commas"));
        return providers;
    }

    private static ProviderSetting? Read(string text, bool isFirst, List<ConfigurationFault> found)
    {
        var before = found.Count;
        var (words, title) = text.Split(" title=", 2) is [var front, var back] ? (front, back.Trim()) : (text, null);
        if (words.Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [var issuer, var clientId, .. var rest])
        {
            found.Add(new("providers", $"'{text}' is no provider", "Write its issuer, the client id that it gave you and who may sign in, like \"https://idp.example my-client secret-env=IDP_SECRET domains=corp.example\""));
            return null;
        }
        if (!IsIssuer(issuer))
            found.Add(new("providers", $"'{issuer}' is no issuer", "Write it as the provider's /.well-known/openid-configuration has it: https (http on loopback only), no query"));

        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var word in rest)
        {
            var (key, value) = word.Split('=', 2) is [var left, var right] ? (left, right) : (word, "");
            var isKnown = key is "everyone" ? word == key : value.Length > 0 && key is "secret-env" or "name" or "domains" or "emails" or "groups" or "group-claim" or "scopes";
            if (!isKnown || !values.TryAdd(key, value))
                found.Add(new("providers", $"'{word}' says nothing about {issuer}, or says it twice", "There are secret-env=, name=, domains=, emails=, groups=, group-claim=, scopes=, everyone and, last, title="));
        }

        var name = values.GetValueOrDefault("name", DefaultName);
        if (name.Length > NameLength || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'))
            found.Add(new("providers", $"'{name}' is no name for {issuer}", $"Up to {NameLength} lower-case letters, digits and hyphens: it stands in addresses"));
        if (title is { Length: 0 or > TitleLength })
            found.Add(new("providers", $"the title of {issuer} is too long, or empty", $"Up to {TitleLength} characters: it stands on a button"));

        string? secret = null;
        if (values.TryGetValue("secret-env", out var variable) && (secret = Environment.GetEnvironmentVariable(variable)) is not { Length: > 0 })
            found.Add(new("providers", $"there is nothing in the environment variable {variable}, which is to hold the client secret of {issuer}", "Set it for this process; a secret never stands in a flag or file"));

        IReadOnlyList<string> List(string key) => values.TryGetValue(key, out var list) ? list.Split(',', StringSplitOptions.RemoveEmptyEntries) : [];
        var (domains, emails, groups) = (List("domains").Select(Lower).ToList(), List("emails").Select(Lower).ToList(), List("groups"));
        foreach (var domain in domains.Where(domain => Uri.CheckHostName(domain) != UriHostNameType.Dns || !domain.All(char.IsAscii)))
            found.Add(new("providers", $"'{domain}' is no domain", "Write what stands behind the @, like corp.example (in its ASCII form)"));
        foreach (var email in emails.Where(email => email.Split('@') is not [{ Length: > 0 }, { Length: > 0 }]))
            found.Add(new("providers", $"'{email}' is no e-mail address", "Write it whole, like ann@corp.example"));
        var everyone = values.ContainsKey("everyone");
        if (everyone == (domains.Count + emails.Count + groups.Count > 0))
        {
            found.Add(everyone
                ? new("providers", $"{issuer} is to admit everyone, and some only", "Leave out everyone, or the lists")
                : new("providers", $"nobody of {issuer} may sign in", "Say who: domains=, emails=, groups=, or everyone for whoever has an account there"));
        }

        return found.Count > before ? null : new()
        {
            Issuer = issuer,
            ClientId = clientId,
            ClientSecret = secret,
            Name = name,
            Title = title ?? new Uri(issuer).Authority,
            CallbackPath = isFirst ? "/oauth/callback" : $"/oauth/callback/{name}",
            Scopes = values.ContainsKey("scopes") ? [.. List("scopes").Append("openid").Distinct()] : ["openid", "email", "profile"],
            Everyone = everyone,
            Domains = domains,
            Emails = emails,
            Groups = groups,
            GroupClaim = values.GetValueOrDefault("group-claim", DefaultGroupClaim),
        };
    }

    /// <summary>OpenID Connect Discovery §4.1: https, no query or fragment. http is for a provider on this machine.</summary>
    private static bool IsIssuer(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.UserInfo.Length == 0 && !text.Contains('?') && !text.Contains('#')
        && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && Authority.IsLoopbackName(uri.Host)));

    private static string Lower(string text) => text.ToLowerInvariant();
}
