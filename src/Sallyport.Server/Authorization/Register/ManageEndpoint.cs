using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Register;

/// <summary>
/// A confidential client reads, changes or deletes its registration, by the registration access token that it got (RFC 7592). Public
/// clients have none: many share one registration.
/// </summary>
internal sealed class ManageEndpoint(
    ClientStore clients, GrantStore grants, StateTransaction transaction, AdmittedRedirects redirects, ErasableValues values,
    GateConfiguration configuration, TimeProvider time)
{
    private const string ClientValue = "client";

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/register/{" + ClientValue + "}", PathPolicy.OAuth)
            .On<ManageEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.WithClientAsync(context, endpoint.ReadAsync))
            .On<ManageEndpoint>(HttpMethods.Put, (endpoint, context) => endpoint.WithClientAsync(context, endpoint.ChangeAsync))
            .On<ManageEndpoint>(HttpMethods.Delete, (endpoint, context) => endpoint.WithClientAsync(context, endpoint.DeleteAsync));

    /// <summary>Whose token it is. One that is presented for another registration is good no more (RFC 7592 §2.1).</summary>
    private async Task WithClientAsync(HttpContext context, Func<HttpContext, Client, string, Task> act)
    {
        const string Scheme = "Bearer ";
        if (context.Request.Headers.Authorization is not [{ } header] || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            await RefuseAsync(context, Reason.RegistrationTokenMissing, client: null);
            return;
        }
        var token = header[Scheme.Length..].Trim();
        if (await clients.FindByRegistrationTokenAsync(OpaqueSecret.Hash(token), context.RequestAborted) is not { } client)
        {
            await RefuseAsync(context, Reason.RegistrationTokenInvalid, client: null);
            return;
        }
        if (client.Id != (string?)context.Request.RouteValues[ClientValue])
        {
            var misused = new ClientRefused { Id = AuditLog.NewId(), Reason = Reason.RegistrationTokenMisused, Client = client.Id };
            await transaction.RunAsync(async () =>
            {
                await clients.DropRegistrationTokenAsync(client.Id, context.RequestAborted);
                transaction.Record(misused);
                return true;
            }, context.RequestAborted);
            context.NameEvent(misused.Id);
            await WriteRefusalAsync(context, misused.Reason);
            return;
        }
        await act(context, client, token);
    }

    private Task ReadAsync(HttpContext context, Client client, string token) =>
        new RegistrationResponse(client, request: null, configuration.PublicUrl) { RegistrationAccessToken = token }.WriteAsync(context);

    private async Task ChangeAsync(HttpContext context, Client client, string token)
    {
        // 1. Read and judge what it is to be: all of it, as at registration.
        var (request, fault) = await RegistrationRequest.ReadAsync(context, redirects.Judge);
        if (request is not null && (request.ClientId != client.Id || request.AuthMethod == ClientAuthentication.None))
            (request, fault) = (null, Reason.MetadataInvalid);
        if (request is null)
        {
            await RefuseAsync(context, fault!.Value, client.Id);
            return;
        }

        // 2. Store it. What users allowed, they allowed a client with other addresses; whatever changed, they are asked the next time.
        var changed = new ClientChanged
        {
            Id = AuditLog.NewId(),
            Client = client.Id,
            RedirectUris = request.RedirectUris,
            Name = request.ClientName is null ? null : values.Commit(ValueKind.ClientName, Recording.Cut(request.ClientName)),
        };
        var voided = !request.RedirectUris.ToHashSet().SetEquals(client.RedirectUris);
        (client.Name, client.RedirectUris, client.GrantTypes) = (request.ClientName, request.RedirectUris, request.GrantTypes);
        await transaction.RunAsync(async () =>
        {
            await clients.ChangeAsync(client, context.RequestAborted);
            transaction.Record(changed);
            if (voided)
                await RevokeAllAsync(client, Reason.ClientRedirectsChanged, context.RequestAborted);
            await grants.ForgetAsync(client.Id, context.RequestAborted);
            return true;
        }, context.RequestAborted);
        context.NameEvent(changed.Id);
        await new RegistrationResponse(client, request, configuration.PublicUrl) { RegistrationAccessToken = token }.WriteAsync(context);
    }

    private async Task DeleteAsync(HttpContext context, Client client, string token)
    {
        var removed = new ClientRemoved { Id = AuditLog.NewId(), Reason = Reason.RevokedByClient, Clients = [client.Id] };
        await transaction.RunAsync(async () =>
        {
            await RevokeAllAsync(client, Reason.RevokedByClient, context.RequestAborted);
            await clients.RemoveAsync(client.Id, time.GetUtcNow(), context.RequestAborted);
            transaction.Record(removed);
            return true;
        }, context.RequestAborted);
        context.NameEvent(removed.Id);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task RevokeAllAsync(Client client, Reason reason, CancellationToken cancellationToken)
    {
        foreach (var grant in await grants.RevokeAllAsync(client.Id, subject: null, time.GetUtcNow(), cancellationToken))
            transaction.Record(new TokenRevoked { Id = AuditLog.NewId(), Reason = reason, Grant = grant });
    }

    private static async Task RefuseAsync(HttpContext context, Reason reason, string? client)
    {
        await context.RecordAsync(new ClientRefused { Id = AuditLog.NewId(), Reason = reason, Client = client });
        await WriteRefusalAsync(context, reason);
    }

    private static Task WriteRefusalAsync(HttpContext context, Reason reason)
    {
        if (OAuthError.For(reason).Status == StatusCodes.Status401Unauthorized)
            context.Response.Headers.WWWAuthenticate = "Bearer realm=\"registration\"";
        return context.WriteJsonAsync(reason);
    }
}
