using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Revoke;

/// <summary>
/// Token revocation (RFC 7009). A refresh token takes its whole grant with it, access tokens included; an access token goes alone.
/// The hint is not needed: our tokens tell their kind.
/// </summary>
internal sealed class RevokeEndpoint(
    ClientAuthentication authentication, GrantStore grants, StateTransaction state, AccessTokens accessTokens, TimeProvider time)
{
    public static void Add(IServiceCollection services) => services.AddScoped<RevokeEndpoint>();

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/revoke", PathPolicy.OAuth)
            .On<RevokeEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.RevokeAsync(context));

    private async Task RevokeAsync(HttpContext context)
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
        if (form["token"] is not { } token)
        {
            await RefuseAsync(context, Reason.ParameterMissing, client.Id);
            return;
        }

        // 2. What it is. One that we don't know, or another client's, is answered alike and changes nothing (RFC 7009 §2.2).
        var (grant, accessToken) = await FindAsync(token, context.RequestAborted);
        if (grant is null || grant.ClientId != client.Id)
            return;

        // 3. End it, with its event; the answer leaves when nothing accepts it any more.
        var revoked = new TokenRevoked { Id = AuditLog.NewId(), Reason = Reason.RevokedByClient, Grant = grant.Id, Token = accessToken };
        var changed = await state.RunAsync(async () =>
        {
            var changes = accessToken is null
                ? await grants.RevokeAsync(grant.Id, time.GetUtcNow(), context.RequestAborted)
                : await grants.RevokeAccessTokenAsync(accessToken, time.GetUtcNow(), context.RequestAborted);
            if (changes)
                state.Record(revoked);
            return changes;
        }, context.RequestAborted);
        if (changed)
            context.NameEvent(revoked.Id);
    }

    private async Task<(Grant? Grant, string? AccessToken)> FindAsync(string token, CancellationToken cancellationToken)
    {
        if (await accessTokens.ReadAsync(token) is (AccessTokenReading.Authentic, var id))
            return ((await grants.FindAccessTokenAsync(id, cancellationToken))?.Grant, id);
        return ((await grants.FindRefreshTokenAsync(OpaqueSecret.Hash(token), cancellationToken))?.Grant, null);
    }

    private static async Task RefuseAsync(HttpContext context, Reason reason, string? client)
    {
        await context.RecordAsync(new TokenRefused { Id = AuditLog.NewId(), Reason = reason, Client = client });
        await context.WriteJsonAsync(reason);
    }
}
