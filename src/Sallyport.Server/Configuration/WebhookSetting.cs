using System.Security.Cryptography;
using System.Text;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Configuration;

/// <summary>Where findings are sent, and the secret that they are signed with. The secret is in no text of this object.</summary>
/// <param name="variable">The environment variable that the secret came from.</param>
internal sealed class WebhookSetting(Uri url, string variable, byte[] secret)
{
    private const string Prefix = "whsec_";

    /// <summary>Standard Webhooks, signature scheme: at least 192 bits, at most 512.</summary>
    private const int FewestBytes = 24, MostBytes = 64;

    public Uri Url => url;

    /// <summary>The header <c>webhook-signature</c>: HMAC-SHA-256 over <c>id.timestamp.body</c>.</summary>
    public string Sign(string id, string timestamp, byte[] body) =>
        "v1," + Convert.ToBase64String(HMACSHA256.HashData(secret, (byte[])[.. Encoding.UTF8.GetBytes($"{id}.{timestamp}."), .. body]));

    public override string ToString() => $"{url} {variable}";

    public static WebhookSetting? Read(string? text, string? variable, Func<string, string?> environment, List<ConfigurationFault> found)
    {
        if (text is null && variable is null)
            return null;
        var before = found.Count;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.UserInfo.Length > 0 || url.Fragment.Length > 0
            || (url.Scheme != Uri.UriSchemeHttps && (url.Scheme != Uri.UriSchemeHttp || !Authority.IsLoopbackName(url.Host))))
            found.Add(new("webhook-url", text is null ? "there is a secret, and no address to send findings to" : "it is no https address", "Write the address that takes findings, like https://hooks.example/sallyport; http on loopback only, and no user or fragment in it"));
        byte[]? secret = null;
        if (variable is null)
            found.Add(new("webhook-secret-env", "there is no secret to sign findings with", "Write the name of the environment variable that has it, like FINDINGS_SECRET"));
        else if (variable.StartsWith(Prefix, StringComparison.Ordinal))
            found.Add(new("webhook-secret-env", "that is a secret, and not the name of a variable", "Put the secret into an environment variable, and write the variable's name; and choose another secret"));
        else if ((secret = SecretIn(environment(variable))) is null)
            found.Add(new("webhook-secret-env", "the environment variable that it names has no secret of the right form", $"Set it to {Prefix} and base64 of {FewestBytes} to {MostBytes} random bytes: echo {Prefix}$(openssl rand -base64 32)"));
        return found.Count > before ? null : new(url!, variable!, secret!);
    }

    private static byte[]? SecretIn(string? text)
    {
        var secret = new byte[MostBytes + 1];
        return text is not null && text.StartsWith(Prefix, StringComparison.Ordinal)
            && Convert.TryFromBase64String(text[Prefix.Length..], secret, out var length) && length is >= FewestBytes and <= MostBytes
                ? secret[..length]
                : null;
    }
}
