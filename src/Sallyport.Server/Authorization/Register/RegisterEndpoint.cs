using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Register;

/// <summary>
/// Dynamic client registration (RFC 7591 §3). A public client that comes with the same metadata again gets the id that it had: many
/// register at every start. One with a secret always gets an id of its own.
/// </summary>
internal sealed class RegisterEndpoint(
    ClientStore clients, GrantStore grants, StateTransaction transaction, RequestLimits limits, AdmittedRedirects redirects, ErasableValues values,
    GateConfiguration configuration, TimeProvider time)
{
    public static void Add(IServiceCollection services)
    {
        services.AddScoped<RegisterEndpoint>();
        services.AddScoped<ManageEndpoint>();
    }

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGatePath("/register", PathPolicy.OAuth)
            .On<RegisterEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.RegisterAsync(context));
        ManageEndpoint.Map(routes);
    }

    private async Task RegisterAsync(HttpContext context)
    {
        if (!configuration.Registration)
        {
            await RefuseAsync(context, Reason.RegistrationOff);
            return;
        }

        // 1. Read the metadata and judge it.
        var limited = limits.TakeRegistration(context);
        var (request, fault) = await RegistrationRequest.ReadAsync(context, redirects.Judge);
        if (request is null)
        {
            if (limited is not null)
                throw limited;
            await RefuseAsync(context, fault!.Value);
            return;
        }

        // 2. Where there were too many, those who have been allowed something have room of their own.
        if (limited is not null)
            await DemandLiveAsync(request, limited, context.RequestAborted);

        // 3. Store the client and its event.
        var (registered, client, secret, token) = await transaction.RunAsync(() => StoreAsync(request, context.RequestAborted), context.RequestAborted);

        // 4. Tell the client what it was registered with, which may be less than it asked for.
        context.NameEvent(registered);
        context.Response.StatusCode = StatusCodes.Status201Created;
        await new RegistrationResponse(client, request, configuration.PublicUrl) { ClientSecret = secret, RegistrationAccessToken = token }.WriteAsync(context);
    }

    private async Task DemandLiveAsync(RegistrationRequest request, RequestLimitedException limited, CancellationToken cancellationToken)
    {
        if (request.MetadataKey is not { } key
            || await clients.FindByMetadataAsync(key, cancellationToken) is not { } known
            || !await grants.AnyLiveAsync(known.Id, time.GetUtcNow(), cancellationToken))
            throw limited;
        limits.DemandLiveClient(known.Id);
    }

    private async Task<(string Event, Client Client, string? Secret, string? Token)> StoreAsync(RegistrationRequest request, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (request.MetadataKey is { } key && await clients.FindByMetadataAsync(key, cancellationToken) is { } known)
        {
            await clients.RepeatAsync(known.Id, now, cancellationToken);
            return (Record(known, request, repeated: true), known, null, null);
        }
        var isPublic = request.AuthMethod == ClientAuthentication.None;
        var secret = isPublic ? null : OpaqueSecret.New(OpaqueSecret.ClientSecretPrefix);
        var token = isPublic ? null : OpaqueSecret.New(OpaqueSecret.RegistrationTokenPrefix);
        var client = new Client
        {
            Id = RandomId.New(),
            Name = request.ClientName,
            AuthMethod = request.AuthMethod,
            SecretHash = secret is null ? null : OpaqueSecret.Hash(secret),
            RedirectUris = request.RedirectUris,
            GrantTypes = request.GrantTypes,
            CreatedAt = now,
            MetadataKey = request.MetadataKey,
            RegistrationTokenHash = token is null ? null : OpaqueSecret.Hash(token),
        };
        await clients.AddAsync(client, cancellationToken);
        var registered = Record(client, request, repeated: false);
        var crowdedOut = await clients.CrowdOutAsync(Limits.UnconfirmedClients, cancellationToken);
        if (crowdedOut.Count > 0)
            transaction.Record(new ClientRemoved { Id = AuditLog.NewId(), Reason = Reason.RegistrationCrowdedOut, Clients = crowdedOut });
        return (registered, client, secret, token);
    }

    private string Record(Client client, RegistrationRequest request, bool repeated)
    {
        var registered = new ClientRegistered
        {
            Id = AuditLog.NewId(),
            Client = client.Id,
            AuthMethod = client.AuthMethod,
            RedirectUris = request.RedirectUris,
            LeftOut = request.UnsuitableRedirectUris.Count == 0 ? null : [.. request.UnsuitableRedirectUris.Select(uri => uri.Reason)],
            Repeated = repeated,
            Name = client.Name is null ? null : values.Commit(ValueKind.ClientName, Recording.Cut(client.Name)),
        };
        transaction.Record(registered);
        return registered.Id;
    }

    private static async Task RefuseAsync(HttpContext context, Reason reason)
    {
        await context.RecordAsync(new ClientRefused { Id = AuditLog.NewId(), Reason = reason });
        await context.WriteJsonAsync(reason);
    }
}
