using Microsoft.EntityFrameworkCore;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Storage;

/// <summary>Browsers that were sent to identity providers.</summary>
internal sealed class ProviderSignIns(SallyportDb db)
{
    /// <summary>So long an answered or expired one is kept, to tell a state that was used from one that never was.</summary>
    private static readonly TimeSpan s_remembered = TimeSpan.FromMinutes(10);

    /// <summary>Adds one, and drops those that ended a while ago, or are too many.</summary>
    public async Task AddAsync(ProviderSignIn signIn, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await db.ProviderSignIns.Where(other => other.ExpiresAt < now - s_remembered).ExecuteDeleteAsync(cancellationToken);
        var tooMany = await db.ProviderSignIns.CountAsync(cancellationToken) + 1 - Limits.ProviderSignIns;
        if (tooMany > 0)
            await db.ProviderSignIns.OrderBy(other => other.ExpiresAt).ThenBy(other => other.Id).Take(tooMany).ExecuteDeleteAsync(cancellationToken);
        db.ProviderSignIns.Add(signIn);
        await db.SaveChangesAsync(cancellationToken);
    }

    public Task<ProviderSignIn?> FindAsync(string state, CancellationToken cancellationToken)
    {
        var hash = OpaqueSecret.Hash(state);
        return db.ProviderSignIns.AsNoTracking().SingleOrDefaultAsync(signIn => signIn.StateHash == hash, cancellationToken);
    }

    /// <summary>Uses its state up. True for the one call that did.</summary>
    public async Task<bool> RedeemAsync(string id, DateTimeOffset now, CancellationToken cancellationToken) =>
        await db.ProviderSignIns
            .Where(signIn => signIn.Id == id && signIn.AnsweredAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(signIn => signIn.AnsweredAt, now).SetProperty(signIn => signIn.Transaction, ""), cancellationToken) == 1;
}
