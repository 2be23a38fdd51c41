using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Net.Http.Headers;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Register;

/// <summary>Dynamic client registration (RFC 7591 §3).</summary>
internal sealed class RegisterEndpoint(ClientStore clients, StateTransaction transaction, ErasableValues values, TimeProvider time)
{
    public static void Add(IServiceCollection services) => services.AddScoped<RegisterEndpoint>();

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/register", PathPolicy.OAuth)
            .On<RegisterEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.RegisterAsync(context));

    private async Task RegisterAsync(HttpContext context)
    {
        // 1. Read the metadata and judge it.
        var (request, fault) = await ReadAsync(context);
        if (request is null)
        {
            await context.RecordAsync(new ClientRefused { Id = AuditLog.NewId(), Reason = fault!.Value });
            await context.WriteJsonAsync(fault.Value);
            return;
        }

        // 2. Store the client and its event.
        var secret = request.AuthMethod == ClientAuthentication.None ? null : OpaqueSecret.New(OpaqueSecret.ClientSecretPrefix);
        var client = new Client
        {
            Id = RandomId.New(),
            Name = request.ClientName,
            AuthMethod = request.AuthMethod,
            SecretHash = secret is null ? null : OpaqueSecret.Hash(secret),
            RedirectUris = request.RedirectUris,
            GrantTypes = request.GrantTypes,
            CreatedAt = time.GetUtcNow(),
        };
        var registered = new ClientRegistered
        {
            Id = AuditLog.NewId(),
            Client = client.Id,
            AuthMethod = client.AuthMethod,
            RedirectUris = client.RedirectUris,
            Name = client.Name is null ? null : values.Commit(ValueKind.ClientName, Recording.Cut(client.Name)),
        };
        await transaction.RunAsync(async () =>
        {
            await clients.AddAsync(client, context.RequestAborted);
            transaction.Record(registered);
            return true;
        }, context.RequestAborted);

        // 3. Tell the client what it was registered with, which may be less than it asked for.
        context.NameEvent(registered.Id);
        context.Response.StatusCode = StatusCodes.Status201Created;
        await context.Response.WriteAsJsonAsync(new RegistrationResponse(
            client.Id,
            client.CreatedAt.ToUnixTimeSeconds(),
            secret,
            secret is null ? null : 0,
            client.Name,
            client.RedirectUris,
            request.UnsuitableRedirectUris.Count == 0 ? null : request.UnsuitableRedirectUris,
            client.AuthMethod,
            client.GrantTypes,
            ["code"],
            Scope.Format(Scope.Default)), RegistrationJson.Default.RegistrationResponse);
    }

    private static async Task<(RegistrationRequest? Request, Reason? Fault)> ReadAsync(HttpContext context)
    {
        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var contentType) || contentType.MediaType != "application/json")
            return (null, Reason.ContentTypeUnsupported);
        return await RequestBody.ReadAsync(context, Limits.RegistrationBytes) is { } body
            ? RegistrationRequest.Read(body)
            : (null, Reason.BodyTooLarge);
    }
}

/// <summary>RFC 7591 §3.2.1. <c>client_secret_expires_at</c> 0: never.</summary>
internal sealed record RegistrationResponse(
    string ClientId,
    long ClientIdIssuedAt,
    string? ClientSecret,
    long? ClientSecretExpiresAt,
    string? ClientName,
    List<string> RedirectUris,
    List<string>? UnsuitableRedirectUris,
    string TokenEndpointAuthMethod,
    List<string> GrantTypes,
    string[] ResponseTypes,
    string Scope);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RegistrationResponse))]
internal sealed partial class RegistrationJson : JsonSerializerContext;
