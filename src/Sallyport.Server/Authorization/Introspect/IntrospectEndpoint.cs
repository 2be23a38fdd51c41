using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Introspect;

/// <summary>
/// Token introspection (RFC 7662), for confidential clients that the operator added: a resource server may ask about every token of this
/// gate, another client about its own. Of all others, and of what is good no more, it learns only that.
/// </summary>
internal sealed class IntrospectEndpoint(
    ClientAuthentication authentication, GrantStore grants, Accounts accounts, RequestLimits limits, AccessTokens accessTokens,
    GateConfiguration configuration, TimeProvider time)
{
    public static void Add(IServiceCollection services) => services.AddScoped<IntrospectEndpoint>();

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/introspect", PathPolicy.OAuth)
            .On<IntrospectEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.IntrospectAsync(context));

    private async Task IntrospectAsync(HttpContext context)
    {
        // 1. The form and the client.
        var (form, unreadable) = await RequestForm.ReadAsync(context, Limits.FormBytes);
        if (form is null)
        {
            await RefuseAsync(context, unreadable!.Value, client: null);
            return;
        }
        var (client, unauthenticated) = authentication.Authenticate(context, form);
        if (client is null)
        {
            ClientAuthentication.Challenge(context);
            await RefuseAsync(context, unauthenticated!.Value, client: null);
            return;
        }
        if (client.IsPublic || !client.AddedByOperator)
        {
            await RefuseAsync(context, Reason.IntrospectionNotAdmitted, client.Id);
            return;
        }
        if (form["token"] is not { } token)
        {
            await RefuseAsync(context, Reason.ParameterMissing, client.Id);
            return;
        }
        limits.DemandIntrospection(client.Id);

        // 2. Is it good, and may this client know of it?
        var found = await FindAsync(token, context.RequestAborted);
        if (found is not null && !(client.IsResourceServer || found.Grant.ClientId == client.Id))
            found = null;
        if (found is null)
            limits.IntrospectedInVain(client.Id);

        // 3. The answer, once it is recorded.
        await context.RecordAsync(new TokenIntrospected { Id = AuditLog.NewId(), Client = client.Id, Active = found is not null, Token = found?.Id });
        await context.Response.WriteAsJsonAsync(found is null ? new(false) : await DescribeAsync(found, context.RequestAborted), IntrospectionJson.Default.IntrospectionResponse);
    }

    private async Task<GoodToken?> FindAsync(string token, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (await accessTokens.ReadAsync(token) is (AccessTokenReading.Authentic, var id))
        {
            return await grants.FindAccessTokenAsync(id, cancellationToken) is { RevokedAt: null, Grant: { RevokedAt: null, ClientId: not HeartbeatStore.Client } grant } access && now < access.ExpiresAt
                ? new(access.Id, "Bearer", grant, access.Scope, access.ExpiresAt)
                : null;
        }
        return await grants.FindRefreshTokenAsync(OpaqueSecret.Hash(token), cancellationToken) is { UsedAt: null, Grant: { RevokedAt: null } family } refresh && now < refresh.ExpiresAt
            ? new(refresh.Id, null, family, family.Scope, refresh.ExpiresAt)
            : null;
    }

    private async Task<IntrospectionResponse> DescribeAsync(GoodToken token, CancellationToken cancellationToken) => new(true)
    {
        Scope = token.Scope,
        ClientId = token.Grant.ClientId,
        Username = await accounts.NameOfAsync(token.Grant.Subject, cancellationToken),
        TokenType = token.Type,
        Exp = token.ExpiresAt.ToUnixTimeSeconds(),
        Sub = token.Grant.Subject,
        Aud = token.Grant.Audience,
        Iss = configuration.PublicUrl,
    };

    private static async Task RefuseAsync(HttpContext context, Reason reason, string? client)
    {
        await context.RecordAsync(new TokenRefused { Id = AuditLog.NewId(), Reason = reason, Client = client });
        await context.WriteJsonAsync(reason);
    }

    private sealed record GoodToken(string Id, string? Type, Grant Grant, string Scope, DateTimeOffset ExpiresAt);
}

/// <summary>RFC 7662 §2.2; times in seconds since 1970. Of a token that is not good, nothing but that.</summary>
internal sealed record IntrospectionResponse(bool Active)
{
    public string? Scope { get; init; }
    public string? ClientId { get; init; }
    public string? Username { get; init; }
    public string? TokenType { get; init; }
    public long? Exp { get; init; }
    public string? Sub { get; init; }
    public string? Aud { get; init; }
    public string? Iss { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(IntrospectionResponse))]
internal sealed partial class IntrospectionJson : JsonSerializerContext;
