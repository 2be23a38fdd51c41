using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Storage;

/// <summary>Forgets the answers that were kept for refresh tokens whose grace windows have ended.</summary>
internal sealed class GraceWindows(GateConfiguration configuration, IDbContextFactory<SallyportDb> databases, AuditLog log, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    /// <summary>Forgets those of the windows that have ended by now.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        var ended = time.GetUtcNow() - configuration.RefreshGrace;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        // Nobody has to wait for a turn in which nothing is done.
        if (await db.RefreshTokens.AnyAsync(token => token.UsedAt < ended && token.SealedSuccessor != null, cancellationToken))
        {
            using var turn = await log.TakeStateTurnAsync(cancellationToken);
            await new GrantStore(db).DropSealedSuccessorsAsync(ended, cancellationToken);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(s_interval, time, stoppingToken);
            try
            {
                await SweepAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is DbException or AuditUnavailableException)
            {
                // A locked database, or a closed log: the next sweep has them too.
            }
        }
    }
}
