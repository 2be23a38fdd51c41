using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Operation;

/// <summary>A client that an operator adds. Without redirect URIs it is a resource server, which may ask about tokens.</summary>
internal sealed record NewClient(string Name, IReadOnlyList<string> RedirectUris, bool IsPublic);

/// <summary>Its id, and its secret once; or why there is none and, where it is the fault of one, which address.</summary>
internal sealed record AddedClient(string? Client, string? Secret, Reason? Fault, string? RedirectUri = null);

/// <summary>What an operator does to clients. In force when it returns.</summary>
internal sealed class ClientActs(IServiceScopeFactory scopes, ErasableValues values, TimeProvider time)
{
    public async Task<IReadOnlyList<Client>> ListAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<ClientStore>().AllAsync().ToListAsync(cancellationToken);
    }

    /// <summary>Null where there is no such client.</summary>
    public async Task<Client?> FindAsync(string id, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<ClientStore>().FindAsync(id, cancellationToken);
    }

    /// <summary>For clients that cannot register. The operator answers for the addresses: any scheme but those that a browser runs.</summary>
    public async Task<AddedClient> AddAsync(NewClient added, CancellationToken cancellationToken)
    {
        if (added.Name.Length is 0 or > Limits.ClientNameLength)
            return new(null, null, Reason.MetadataInvalid);
        if (added.RedirectUris.Count > Limits.RedirectUris || added.RedirectUris.Sum(uri => uri.Length) > Limits.RedirectUrisTotalLength
            || (added.IsPublic && added.RedirectUris.Count == 0))
            return new(null, null, Reason.RedirectMissing);
        foreach (var uri in added.RedirectUris)
        {
            if (RedirectUri.Judge(uri, [uri.Split(':')[0]]) is { } fault)
                return new(null, null, fault, uri);
        }
        var secret = added.IsPublic ? null : OpaqueSecret.New(OpaqueSecret.ClientSecretPrefix);
        var client = new Client
        {
            Id = RandomId.New(),
            Name = added.Name,
            AuthMethod = secret is null ? ClientAuthentication.None : ClientAuthentication.SecretBasic,
            SecretHash = secret is null ? null : OpaqueSecret.Hash(secret),
            RedirectUris = [.. added.RedirectUris],
            GrantTypes = ["authorization_code", "refresh_token"],
            CreatedAt = time.GetUtcNow(),
            AddedByOperator = true,
        };
        await using var scope = scopes.CreateAsyncScope();
        var clients = scope.ServiceProvider.GetRequiredService<ClientStore>();
        var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
        await state.RunAsync(async () =>
        {
            await clients.AddAsync(client, cancellationToken);
            state.Record(new OperatorActed { Id = AuditLog.NewId(), Act = OperatorAct.ClientAdded, Target = client.Id });
            state.Record(new ClientRegistered
            {
                Id = AuditLog.NewId(),
                Client = client.Id,
                AuthMethod = client.AuthMethod,
                RedirectUris = client.RedirectUris,
                Name = values.Commit(ValueKind.ClientName, Recording.Cut(added.Name)),
            });
            return true;
        }, cancellationToken);
        return new(client.Id, secret, null);
    }

    /// <summary>Removes a client with all that users have allowed it. Where clients may register, it can come again, with another id.</summary>
    /// <returns>False when there is no such client.</returns>
    public Task<bool> RevokeAsync(string id, CancellationToken cancellationToken) => ActAsync(id, OperatorAct.ClientRevoked, ends: true, async (clients, state) =>
    {
        await clients.RemoveAsync(id, time.GetUtcNow(), cancellationToken);
        state.Record(new ClientRemoved { Id = AuditLog.NewId(), Reason = Reason.RevokedByOperator, Clients = [id] });
    }, cancellationToken);

    /// <summary>Lets nobody in through a client any more, and ends all that users have allowed it. A public one that registers again is the same one.</summary>
    /// <returns>False when there is no such client.</returns>
    public Task<bool> DisableAsync(string id, CancellationToken cancellationToken) =>
        ActAsync(id, OperatorAct.ClientDisabled, ends: true, (clients, _) => clients.DisableAsync(id, time.GetUtcNow(), cancellationToken), cancellationToken);

    /// <returns>False when there is no such client.</returns>
    public Task<bool> EnableAsync(string id, CancellationToken cancellationToken) =>
        ActAsync(id, OperatorAct.ClientEnabled, ends: false, (clients, _) => clients.DisableAsync(id, since: null, cancellationToken), cancellationToken);

    private async Task<bool> ActAsync(string id, OperatorAct act, bool ends, Func<ClientStore, StateTransaction, Task> change, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var clients = scope.ServiceProvider.GetRequiredService<ClientStore>();
        var grants = scope.ServiceProvider.GetRequiredService<GrantStore>();
        var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
        return await state.RunAsync(async () =>
        {
            if (await clients.FindAsync(id, cancellationToken) is null)
                return false;
            state.Record(new OperatorActed { Id = AuditLog.NewId(), Act = act, Target = id });
            foreach (var grant in ends ? await grants.RevokeAllAsync(id, subject: null, time.GetUtcNow(), cancellationToken) : [])
                state.Record(new TokenRevoked { Id = AuditLog.NewId(), Reason = Reason.RevokedByOperator, Grant = grant });
            await change(clients, state);
            return true;
        }, cancellationToken);
    }
}
