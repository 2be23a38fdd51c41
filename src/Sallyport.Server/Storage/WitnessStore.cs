using Microsoft.EntityFrameworkCore;

namespace Sallyport.Server.Storage;

/// <summary>What this gate has cosigned for other logs. A log goes on from one checkpoint to the next once, whatever the engine's isolation.</summary>
internal sealed class WitnessStore(SallyportDb db)
{
    public Task<WitnessedLog?> FindAsync(string origin, CancellationToken cancellationToken) =>
        db.WitnessedLogs.AsNoTracking().SingleOrDefaultAsync(log => log.Origin == origin, cancellationToken);

    public Task<WitnessedLog?> FindByHashAsync(string originHash, CancellationToken cancellationToken) =>
        db.WitnessedLogs.AsNoTracking().SingleOrDefaultAsync(log => log.OriginHash == originHash, cancellationToken);

    /// <summary>True for the call that goes on from this checkpoint, null for none; false when another one has gone on from it.</summary>
    public async Task<bool> GoOnAsync(WitnessedLog? from, WitnessedLog to, CancellationToken cancellationToken)
    {
        if (from is not null)
        {
            return await db.WitnessedLogs
                .Where(log => log.Origin == from.Origin && log.Size == from.Size && log.Root == from.Root)
                .ExecuteUpdateAsync(set => set
                    .SetProperty(log => log.Size, to.Size)
                    .SetProperty(log => log.Root, to.Root)
                    .SetProperty(log => log.Note, to.Note), cancellationToken) == 1;
        }
        if (await db.WitnessedLogs.AnyAsync(log => log.Origin == to.Origin, cancellationToken))
            return false;
        db.WitnessedLogs.Add(to);
        await db.SaveChangesAsync(cancellationToken);
        return true;
    }
}
