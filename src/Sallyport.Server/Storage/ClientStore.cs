using Microsoft.EntityFrameworkCore;

namespace Sallyport.Server.Storage;

/// <summary>Registered clients.</summary>
internal sealed class ClientStore(SallyportDb db)
{
    public Task<Client?> FindAsync(string id, CancellationToken cancellationToken) =>
        db.Clients.AsNoTracking().SingleOrDefaultAsync(client => client.Id == id, cancellationToken);

    public async Task AddAsync(Client client, CancellationToken cancellationToken)
    {
        db.Clients.Add(client);
        await db.SaveChangesAsync(cancellationToken);
    }
}
