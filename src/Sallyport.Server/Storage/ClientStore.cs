using Microsoft.EntityFrameworkCore;
using Sallyport.Proof.Events;

namespace Sallyport.Server.Storage;

/// <summary>Registered clients.</summary>
internal sealed class ClientStore(SallyportDb db)
{
    public Task<Client?> FindAsync(string id, CancellationToken cancellationToken) =>
        Present.SingleOrDefaultAsync(client => client.Id == id, cancellationToken);

    /// <summary>One through which users may be let in; or why not.</summary>
    public async Task<(Client? Client, Reason? Fault)> FindUsableAsync(string id, CancellationToken cancellationToken) =>
        await FindAsync(id, cancellationToken) switch
        {
            null => (null, Reason.ClientUnknown),
            { DisabledAt: not null } => (null, Reason.ClientDisabled),
            var client => (client, null),
        };

    public Task<Client?> FindByMetadataAsync(string metadataKey, CancellationToken cancellationToken) =>
        Present.SingleOrDefaultAsync(client => client.MetadataKey == metadataKey, cancellationToken);

    public Task<Client?> FindByRegistrationTokenAsync(string hash, CancellationToken cancellationToken) =>
        Present.SingleOrDefaultAsync(client => client.RegistrationTokenHash == hash, cancellationToken);

    /// <summary>All of them, the newest first.</summary>
    public IAsyncEnumerable<Client> AllAsync() => Present.OrderByDescending(client => client.CreatedAt).ThenBy(client => client.Id).AsAsyncEnumerable();

    public async Task AddAsync(Client client, CancellationToken cancellationToken)
    {
        db.Clients.Add(client);
        await db.SaveChangesAsync(cancellationToken);
    }

    /// <summary>Notes that a public client came again.</summary>
    public Task RepeatAsync(string id, DateTimeOffset now, CancellationToken cancellationToken) =>
        db.Clients.Where(client => client.Id == id).ExecuteUpdateAsync(set => set.SetProperty(client => client.RepeatedAt, now), cancellationToken);

    /// <summary>Takes over what a client may change of its registration (RFC 7592 §2.2).</summary>
    public async Task ChangeAsync(Client changed, CancellationToken cancellationToken)
    {
        var client = await db.Clients.SingleAsync(client => client.Id == changed.Id, cancellationToken);
        (client.Name, client.RedirectUris, client.GrantTypes) = (changed.Name, changed.RedirectUris, changed.GrantTypes);
        await db.SaveChangesAsync(cancellationToken);
    }

    /// <summary>The registration access token is good no more.</summary>
    public Task DropRegistrationTokenAsync(string id, CancellationToken cancellationToken) =>
        db.Clients.Where(client => client.Id == id)
            .ExecuteUpdateAsync(set => set.SetProperty(client => client.RegistrationTokenHash, (string?)null), cancellationToken);

    /// <param name="since">Null: it is enabled again.</param>
    public Task DisableAsync(string id, DateTimeOffset? since, CancellationToken cancellationToken) =>
        db.Clients.Where(client => client.Id == id).ExecuteUpdateAsync(set => set.SetProperty(client => client.DisabledAt, since), cancellationToken);

    /// <summary>Removes a client. Its row stays where grants need it.</summary>
    public Task RemoveAsync(string id, DateTimeOffset now, CancellationToken cancellationToken) =>
        db.Clients.Where(client => client.Id == id).ExecuteUpdateAsync(
            set => set
                .SetProperty(client => client.RemovedAt, now)
                .SetProperty(client => client.MetadataKey, (string?)null)
                .SetProperty(client => client.RegistrationTokenHash, (string?)null)
                .SetProperty(client => client.SecretHash, (string?)null),
            cancellationToken);

    /// <summary>Deletes registrations that nobody has ever allowed anything and that came last before a time. Gives their ids.</summary>
    public Task<List<string>> ForgetUnconfirmedAsync(DateTimeOffset before, int most, CancellationToken cancellationToken) =>
        ForgetAsync(Unconfirmed.Where(client => (client.RepeatedAt ?? client.CreatedAt) < before), most, cancellationToken);

    /// <summary>Deletes the oldest of those, so that no more than so many are left. Gives their ids.</summary>
    public async Task<List<string>> CrowdOutAsync(int limit, CancellationToken cancellationToken)
    {
        var tooMany = await Unconfirmed.CountAsync(cancellationToken) - limit;
        return tooMany <= 0 ? [] : await ForgetAsync(Unconfirmed, tooMany, cancellationToken);
    }

    private IQueryable<Client> Present => db.Clients.AsNoTracking().Where(client => client.RemovedAt == null);

    private IQueryable<Client> Unconfirmed => db.Clients.Where(client => !client.AddedByOperator && client.DisabledAt == null && !db.Grants.Any(grant => grant.ClientId == client.Id));

    private async Task<List<string>> ForgetAsync(IQueryable<Client> clients, int most, CancellationToken cancellationToken)
    {
        var ids = await clients.OrderBy(client => client.RepeatedAt ?? client.CreatedAt).ThenBy(client => client.Id).Take(most).Select(client => client.Id).ToListAsync(cancellationToken);
        await db.Clients.Where(client => ids.Contains(client.Id)).ExecuteDeleteAsync(cancellationToken);
        return ids;
    }
}
