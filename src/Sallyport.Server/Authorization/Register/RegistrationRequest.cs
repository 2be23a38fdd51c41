using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Authorization.Register;

/// <summary>What a client asks for at registration (RFC 7591 §2), judged; members that we don't know are ignored.</summary>
internal sealed record RegistrationRequest
{
    /// <summary>Which registration is to be changed (RFC 7592 §2.2); at a registration it is ignored.</summary>
    public string? ClientId { get; private init; }
    public string? ClientName { get; private init; }
    public required string AuthMethod { get; init; }
    public required List<string> GrantTypes { get; init; }
    public required List<string> RedirectUris { get; init; }
    /// <summary>Left out of the registration; the rest was suitable.</summary>
    public required List<UnsuitableRedirectUri> UnsuitableRedirectUris { get; init; }

    /// <summary>
    /// Of a public client, a hash over all that we keep of it, without ports on loopback: the same metadata is the same client. Null for
    /// one with a secret.
    /// </summary>
    public string? MetadataKey => AuthMethod != ClientAuthentication.None ? null : Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(
        [[ClientName ?? ""], [.. GrantTypes.Order(StringComparer.Ordinal)], [.. RedirectUris.Select(RedirectUri.WithoutLoopbackPort).Distinct().Order(StringComparer.Ordinal)]],
        MetadataKeyJson.Default.ListListString)));

    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };
    /// <summary>Members that are addresses. We fetch none of them, and show none.</summary>
    private static readonly string[] s_uris = ["client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri"];

    private static readonly string[] s_grantTypes = ["authorization_code", "refresh_token"];

    /// <summary>Reads a request's body, within its limit.</summary>
    public static async Task<(RegistrationRequest? Request, Reason? Fault)> ReadAsync(HttpContext context, Func<string, Reason?> judgeRedirect)
    {
        if (RequestBody.TypeOf(context.Request, "application/json") is null)
            return (null, Reason.ContentTypeUnsupported);
        return await RequestBody.ReadAsync(context, Limits.RegistrationBytes) is { } body ? Read(body, judgeRedirect) : (null, Reason.BodyTooLarge);
    }

    /// <param name="judgeRedirect">Why a redirect URI cannot be registered, or null.</param>
    public static (RegistrationRequest? Request, Reason? Fault) Read(byte[] body, Func<string, Reason?> judgeRedirect)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body, s_strict);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a member's name that is no text, such as a lone surrogate.
            return (null, Reason.BodyMalformed);
        }
        using (document)
        {
            return document.RootElement.ValueKind == JsonValueKind.Object ? Judge(document.RootElement, judgeRedirect) : (null, Reason.MetadataInvalid);
        }
    }

    private static (RegistrationRequest? Request, Reason? Fault) Judge(JsonElement metadata, Func<string, Reason?> judgeRedirect)
    {
        if (Has(metadata, "software_statement"))
            return (null, Reason.SoftwareStatementUnsupported);
        if (!TryReadStrings(metadata, "redirect_uris", out var redirectUris)
            || !TryReadStrings(metadata, "grant_types", out var grantTypes)
            || !TryReadStrings(metadata, "response_types", out var responseTypes)
            || !TryReadString(metadata, "token_endpoint_auth_method", out var authMethod)
            || !TryReadString(metadata, "client_id", out var clientId)
            || !TryReadString(metadata, "client_name", out var clientName))
            return (null, Reason.MetadataInvalid);

        foreach (var member in s_uris)
        {
            if (!TryReadString(metadata, member, out var uri) || (uri is { Length: > 0 } && !IsPublicAddress(uri)))
                return (null, Reason.MetadataUriUnsuitable);
        }

        if (redirectUris is not { Count: > 0 and <= Limits.RedirectUris })
            return (null, Reason.RedirectMissing);
        var judged = redirectUris.Distinct().Select(uri => (Uri: uri, Fault: judgeRedirect(uri))).ToList();
        if (judged.Any(uri => uri.Fault == Reason.RedirectForbiddenScheme))
            return (null, Reason.RedirectForbiddenScheme);
        var suitable = judged.Where(uri => uri.Fault is null).Select(uri => uri.Uri).ToList();
        if (suitable.Count == 0)
            return (null, Reason.RedirectUnsuitable);
        if (suitable.Sum(uri => uri.Length) > Limits.RedirectUrisTotalLength)
            return (null, Reason.MetadataInvalid);

        // Clients that name no grant type get refresh tokens too: without one they would have to sign in again every hour.
        var grants = grantTypes is null ? [.. s_grantTypes] : s_grantTypes.Where(grantTypes.Contains).ToList();
        if (!grants.Contains("authorization_code") || responseTypes is { Count: > 0 } && !responseTypes.Contains("code"))
            return (null, Reason.MetadataInvalid);

        // RFC 7591 §2: left out, it is client_secret_basic.
        authMethod ??= ClientAuthentication.SecretBasic;
        if (!ClientAuthentication.Methods.Contains(authMethod))
            return (null, Reason.MetadataInvalid);

        return (new RegistrationRequest
        {
            ClientId = clientId,
            ClientName = CleanName(clientName),
            AuthMethod = authMethod,
            GrantTypes = grants,
            RedirectUris = suitable,
            UnsuitableRedirectUris = [.. judged.Where(uri => uri.Fault is not null)
                .Select(uri => new UnsuitableRedirectUri(uri.Uri, uri.Fault!.Value.Word(), OAuthError.For(uri.Fault.Value).Description))],
        }, null);
    }

    /// <summary>Without control and formatting characters (line ends, escapes, bidi overrides), and not longer than a name.</summary>
    private static string? CleanName(string? name)
    {
        if (name is null)
            return null;
        var clean = new StringBuilder();
        foreach (var rune in name.EnumerateRunes())
        {
            if (clean.Length >= Limits.ClientNameLength)
                break;
            if (Rune.GetUnicodeCategory(rune) is not (System.Globalization.UnicodeCategory.Control
                or System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.LineSeparator
                or System.Globalization.UnicodeCategory.ParagraphSeparator or System.Globalization.UnicodeCategory.PrivateUse
                or System.Globalization.UnicodeCategory.OtherNotAssigned))
                clean.Append(rune);
        }
        var trimmed = clean.ToString().Trim();
        return trimmed.Length == 0 ? null : trimmed;
    }

    /// <summary>http or https, and no literal address of a private or link-local network: nobody has business there (MCP, security best practices).</summary>
    private static bool IsPublicAddress(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            return false;
        if (!IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address))
            return true;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return !s_internal.Any(network => network.Contains(address));
    }

    private static readonly IPNetwork[] s_internal =
    [
        IPNetwork.Parse("0.0.0.0/8"), IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("100.64.0.0/10"), IPNetwork.Parse("169.254.0.0/16"),
        IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("192.168.0.0/16"), IPNetwork.Parse("fc00::/7"), IPNetwork.Parse("fe80::/10"),
    ];

    private static bool Has(JsonElement metadata, string name) =>
        metadata.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null;

    private static bool TryReadString(JsonElement metadata, string name, out string? value)
    {
        value = null;
        if (!Has(metadata, name))
            return true;
        return TryGetText(metadata.GetProperty(name), out value);
    }

    private static bool TryReadStrings(JsonElement metadata, string name, out List<string>? values)
    {
        values = null;
        if (!Has(metadata, name))
            return true;
        var array = metadata.GetProperty(name);
        if (array.ValueKind != JsonValueKind.Array)
            return false;
        values = [];
        foreach (var element in array.EnumerateArray())
        {
            if (!TryGetText(element, out var value))
                return false;
            values.Add(value!);
        }
        return true;
    }

    /// <summary>False for what is no string, and for lone surrogates, which no store takes alike.</summary>
    private static bool TryGetText(JsonElement element, out string? value)
    {
        value = null;
        if (element.ValueKind != JsonValueKind.String)
            return false;
        try
        {
            value = element.GetString()!;
            return !value.Contains('\0');
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(List<List<string>>))]
internal sealed partial class MetadataKeyJson : System.Text.Json.Serialization.JsonSerializerContext;
