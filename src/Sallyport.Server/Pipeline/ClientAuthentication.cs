using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Pipeline;

/// <summary>
/// Who the client is, at the endpoints that clients call (RFC 6749 §2.3). A confidential client may use either secret method: some
/// take the first that the metadata lists, whatever they registered. The secret is what counts.
/// </summary>
internal sealed class ClientAuthentication(ClientReader clients, RequestLimits limits)
{
    public const string None = "none";
    public const string SecretPost = "client_secret_post";
    public const string SecretBasic = "client_secret_basic";

    /// <summary>Listed in this order because some clients take the first one, and <c>none</c> would drop their secret.</summary>
    public static readonly string[] Methods = [SecretPost, SecretBasic, None];

    /// <summary>For what public clients may not do.</summary>
    public static readonly string[] SecretMethods = [SecretPost, SecretBasic];

    public (Client? Client, Reason? Fault) Authenticate(HttpContext context, RequestForm form)
    {
        var (client, fault) = Recognise(context, form);
        // Only whoever it is learns of it.
        return client is { DisabledAt: not null } ? (null, Reason.ClientDisabled) : (client, fault);
    }

    private (Client? Client, Reason? Fault) Recognise(HttpContext context, RequestForm form)
    {
        var id = form["client_id"];
        var secret = form["client_secret"];
        string? header = context.Request.Headers.Authorization;
        var asserts = form["client_assertion"] is not null || form["client_assertion_type"] is not null;
        var hasHeader = !string.IsNullOrEmpty(header);
        if ((hasHeader && secret is not null) || (asserts && (hasHeader || secret is not null)))
            return (null, Reason.ClientAuthenticatedTwice);
        if (hasHeader)
        {
            if (!TryReadBasic(header!, out var basicId, out secret) || (id is not null && id != basicId))
                return (null, Reason.ClientUnauthenticated);
            id = basicId;
        }
        if (asserts || id is null)
            return (null, Reason.ClientUnauthenticated);

        var client = clients.Find(id);
        if (client is null)
            return (null, Reason.ClientUnknown);
        if (client.SecretHash is not { } hash)
            return secret is null ? (client, null) : (null, Reason.ClientUnauthenticated);
        limits.DemandSecret(context, client.Id);
        if (secret is not null && OpaqueSecret.Matches(secret, hash))
            return (client, null);
        limits.SecretWrong(context, client.Id);
        return (null, Reason.ClientUnauthenticated);
    }

    /// <summary>Answers 401, naming the scheme where the client used the header (RFC 6749 §5.2).</summary>
    public static void Challenge(HttpContext context)
    {
        if (context.Request.Headers.Authorization.Count > 0)
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"sallyport\"";
    }

    private static bool TryReadBasic(string header, out string id, out string secret)
    {
        id = secret = "";
        const string Scheme = "Basic ";
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return false;
        var credentials = new byte[header.Length];
        if (!Convert.TryFromBase64String(header[Scheme.Length..].Trim(), credentials, out var written))
            return false;
        var text = Encoding.UTF8.GetString(credentials, 0, written);
        var colon = text.IndexOf(':');
        if (colon < 0)
            return false;
        // Both halves are form-urlencoded before they are joined (RFC 6749 §2.3.1).
        id = WebUtility.UrlDecode(text[..colon]);
        secret = WebUtility.UrlDecode(text[(colon + 1)..]);
        return id.Length > 0 && secret.Length > 0;
    }
}
