using System.Text;
using System.Text.Json;
using Sallyport.Proof.Events;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Authorization.Register;

/// <summary>What a client asks for at registration (RFC 7591 §2), judged; members that we don't know are ignored.</summary>
internal sealed record RegistrationRequest
{
    public string? ClientName { get; private init; }
    public required string AuthMethod { get; init; }
    public required List<string> GrantTypes { get; init; }
    public required List<string> RedirectUris { get; init; }
    /// <summary>Left out of the registration; the rest was suitable.</summary>
    public required List<string> UnsuitableRedirectUris { get; init; }

    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };
    private static readonly string[] s_grantTypes = ["authorization_code", "refresh_token"];

    public static (RegistrationRequest? Request, Reason? Fault) Read(byte[] body)
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
            return document.RootElement.ValueKind == JsonValueKind.Object ? Judge(document.RootElement) : (null, Reason.MetadataInvalid);
        }
    }

    private static (RegistrationRequest? Request, Reason? Fault) Judge(JsonElement metadata)
    {
        if (Has(metadata, "software_statement"))
            return (null, Reason.SoftwareStatementUnsupported);
        if (!TryReadStrings(metadata, "redirect_uris", out var redirectUris)
            || !TryReadStrings(metadata, "grant_types", out var grantTypes)
            || !TryReadStrings(metadata, "response_types", out var responseTypes)
            || !TryReadString(metadata, "token_endpoint_auth_method", out var authMethod)
            || !TryReadString(metadata, "client_name", out var clientName))
            return (null, Reason.MetadataInvalid);

        if (redirectUris is not { Count: > 0 and <= Limits.RedirectUris })
            return (null, Reason.RedirectMissing);
        var judged = redirectUris.Distinct().Select(uri => (Uri: uri, Judgement: RedirectUri.Judge(uri))).ToList();
        if (judged.Any(uri => uri.Judgement == RedirectUri.Judgement.ForbiddenScheme))
            return (null, Reason.RedirectForbiddenScheme);
        var suitable = judged.Where(uri => uri.Judgement == RedirectUri.Judgement.Suitable).Select(uri => uri.Uri).ToList();
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
            ClientName = CleanName(clientName),
            AuthMethod = authMethod,
            GrantTypes = grants,
            RedirectUris = suitable,
            UnsuitableRedirectUris = [.. judged.Where(uri => uri.Judgement == RedirectUri.Judgement.Unsuitable).Select(uri => uri.Uri)],
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
