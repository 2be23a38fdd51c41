using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Register;

/// <summary>RFC 7591 §3.2.1 and RFC 7592 §3.</summary>
internal sealed class RegistrationResponse(Client client, RegistrationRequest? request, string publicUrl)
{
    public string ClientId => client.Id;
    public long ClientIdIssuedAt => client.CreatedAt.ToUnixTimeSeconds();
    public string? ClientSecret { get; init; }
    /// <summary>0: never.</summary>
    public long? ClientSecretExpiresAt => ClientSecret is null ? null : 0;
    public string? ClientName => client.Name;
    /// <summary>As this client wrote them: another one with the same id may have another port on loopback.</summary>
    public List<string> RedirectUris => request?.RedirectUris ?? client.RedirectUris;
    public List<UnsuitableRedirectUri>? UnsuitableRedirectUris => request is { UnsuitableRedirectUris: { Count: > 0 } uris } ? uris : null;
    public string TokenEndpointAuthMethod => client.AuthMethod;
    public List<string> GrantTypes => client.GrantTypes;
    public string[] ResponseTypes { get; } = ["code"];
    public string Scope { get; } = Protocol.Scope.Format(Protocol.Scope.Default);
    /// <summary>Of confidential clients only.</summary>
    public string? RegistrationAccessToken { get; init; }
    public string? RegistrationClientUri => RegistrationAccessToken is null ? null : $"{publicUrl}/register/{client.Id}";

    public Task WriteAsync(HttpContext context) => context.Response.WriteAsJsonAsync(this, RegistrationJson.Default.RegistrationResponse);
}

/// <summary>A redirect URI that was left out of a registration, and why.</summary>
/// <param name="Reason">For programs: the word that the log has.</param>
/// <param name="Description">For people.</param>
internal sealed record UnsuitableRedirectUri(string RedirectUri, string Reason, string Description);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RegistrationResponse))]
internal sealed partial class RegistrationJson : JsonSerializerContext;
