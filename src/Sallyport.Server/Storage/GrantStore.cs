using Microsoft.EntityFrameworkCore;

namespace Sallyport.Server.Storage;

/// <summary>A grant under which something lives, and what people ask about it.</summary>
/// <param name="Client">The client's id.</param>
/// <param name="ClientName">What it calls itself.</param>
/// <param name="UserName">By which the user signs in, or what their provider called them last.</param>
/// <param name="LastUsedAt">When it last gave a token: whatever was done with that came after. Null until its code is redeemed.</param>
/// <param name="ExpiresAt">When no code or token of it lives any more, unless it is used again before.</param>
/// <param name="RememberedUntil">Until when the user is not asked again; null where they are.</param>
internal sealed record LiveGrant(
    string Id, string Client, string? ClientName, string Subject, string? UserName, string Audience, string Scope, string RedirectUri,
    DateTimeOffset CreatedAt, DateTimeOffset? LastUsedAt, DateTimeOffset ExpiresAt, DateTimeOffset? RememberedUntil);

/// <summary>
/// Grants with their codes and tokens, but for what the token endpoint does: <see cref="TokenStore"/>. What may happen once happens by
/// one conditional update that affects exactly one row, whatever the engine's isolation.
/// </summary>
internal sealed class GrantStore(SallyportDb db)
{
    /// <summary>False when the transaction has given a code already.</summary>
    public async Task<bool> AddAsync(Grant grant, CancellationToken cancellationToken)
    {
        if (await db.Grants.AnyAsync(g => g.TransactionId == grant.TransactionId, cancellationToken))
            return false;
        db.Grants.Add(grant);
        await db.SaveChangesAsync(cancellationToken);
        return true;
    }

    /// <summary>Whether a client has had so many codes under the same challenge, or more.</summary>
    public async Task<bool> HasUsedChallengeAsync(string clientId, string challenge, int times, CancellationToken cancellationToken) =>
        await db.Grants.CountAsync(grant => grant.ClientId == clientId && grant.CodeChallenge == challenge, cancellationToken) >= times;

    /// <summary>With its grant.</summary>
    public Task<AccessToken?> FindAccessTokenAsync(string id, CancellationToken cancellationToken) =>
        db.AccessTokens.AsNoTracking().Include(token => token.Grant).SingleOrDefaultAsync(token => token.Id == id, cancellationToken);

    /// <summary>With its grant.</summary>
    public Task<RefreshToken?> FindRefreshTokenAsync(string hash, CancellationToken cancellationToken) =>
        db.RefreshTokens.AsNoTracking().Include(token => token.Grant).SingleOrDefaultAsync(token => token.Hash == hash, cancellationToken);

    /// <summary>Drops what was kept for refresh tokens that were used before a time: their grace windows have ended.</summary>
    public Task DropSealedSuccessorsAsync(DateTimeOffset usedBefore, CancellationToken cancellationToken) =>
        db.RefreshTokens
            .Where(token => token.UsedAt < usedBefore && token.SealedSuccessor != null)
            .ExecuteUpdateAsync(set => set.SetProperty(token => token.SealedSuccessor, (byte[]?)null), cancellationToken);

    /// <summary>What a user wanted to be remembered and still is, at whatever client, the newest first.</summary>
    public Task<List<Grant>> RememberedAsync(string subject, DateTimeOffset now, CancellationToken cancellationToken) =>
        db.Grants.AsNoTracking()
            .Where(grant => grant.Subject == subject && grant.RememberedUntil > now && grant.RevokedAt == null)
            .OrderByDescending(grant => grant.CreatedAt).ThenBy(grant => grant.Id)
            .ToListAsync(cancellationToken);

    /// <summary>Forgets what is remembered of a client: it is not what users allowed any more.</summary>
    public Task ForgetAsync(string clientId, CancellationToken cancellationToken) =>
        db.Grants
            .Where(grant => grant.ClientId == clientId && grant.RememberedUntil != null)
            .ExecuteUpdateAsync(set => set.SetProperty(grant => grant.RememberedUntil, (DateTimeOffset?)null), cancellationToken);

    /// <summary>
    /// Ends the grant and all that descends from it, and what is remembered of the same client, user and resource. True for the one call
    /// that did.
    /// </summary>
    public async Task<bool> RevokeAsync(string grantId, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var revoked = await db.Grants
            .Where(grant => grant.Id == grantId && grant.RevokedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(grant => grant.RevokedAt, now), cancellationToken);
        if (revoked != 1)
            return false;
        var of = await db.Grants.AsNoTracking().SingleAsync(grant => grant.Id == grantId, cancellationToken);
        await db.Grants
            .Where(grant => grant.Subject == of.Subject && grant.RememberedUntil != null && grant.ClientId == of.ClientId && grant.Audience == of.Audience)
            .ExecuteUpdateAsync(set => set.SetProperty(grant => grant.RememberedUntil, (DateTimeOffset?)null), cancellationToken);
        return true;
    }

    /// <summary>Those under which anything still lives: a code, a token, or that the user is not asked again. The gate's own are nobody's business.</summary>
    public IQueryable<Grant> Live(DateTimeOffset now) => db.Grants.AsNoTracking().Where(grant => grant.RevokedAt == null && grant.ClientId != HeartbeatStore.Client
        && ((grant.CodeRedeemedAt == null && grant.CodeExpiresAt > now)
            || grant.RememberedUntil > now
            || db.AccessTokens.Any(token => token.GrantId == grant.Id && token.ExpiresAt > now)
            || db.RefreshTokens.Any(token => token.GrantId == grant.Id && token.ExpiresAt > now)));

    public Task<bool> AnyLiveAsync(string clientId, DateTimeOffset now, CancellationToken cancellationToken) =>
        Live(now).AnyAsync(grant => grant.ClientId == clientId, cancellationToken);

    /// <summary>Live grants, of a client or a user where one is named, the newest first.</summary>
    public async Task<List<LiveGrant>> ListAsync(string? clientId, string? subject, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var rows = await Live(now)
            .Where(grant => (clientId == null || grant.ClientId == clientId) && (subject == null || grant.Subject == subject))
            .OrderByDescending(grant => grant.CreatedAt).ThenBy(grant => grant.Id)
            .Select(grant => new
            {
                Grant = grant,
                ClientName = db.Clients.Where(client => client.Id == grant.ClientId).Select(client => client.Name).FirstOrDefault(),
                UserName = db.Users.Where(user => user.Id == grant.Subject).Select(user => user.UserName ?? user.DisplayName).FirstOrDefault(),
                RefreshedAt = db.RefreshTokens.Where(token => token.GrantId == grant.Id).Max(token => token.UsedAt),
                AccessExpiresAt = db.AccessTokens.Where(token => token.GrantId == grant.Id && token.RevokedAt == null).Max(token => (DateTimeOffset?)token.ExpiresAt),
                RefreshExpiresAt = db.RefreshTokens.Where(token => token.GrantId == grant.Id).Max(token => (DateTimeOffset?)token.ExpiresAt),
            })
            .ToListAsync(cancellationToken);
        return rows.ConvertAll(row => new LiveGrant(
            row.Grant.Id, row.Grant.ClientId, row.ClientName, row.Grant.Subject, row.UserName, row.Grant.Audience, row.Grant.Scope, row.Grant.RedirectUri,
            row.Grant.CreatedAt, row.RefreshedAt ?? row.Grant.CodeRedeemedAt,
            new[] { row.AccessExpiresAt, row.RefreshExpiresAt }.Max() ?? row.Grant.CodeExpiresAt,
            row.Grant.RememberedUntil > now ? row.Grant.RememberedUntil : null));
    }

    /// <summary>Ends all live grants of a client, of a user, or of a user at a client; of those, where it is named, for one resource. Gives their ids.</summary>
    public async Task<List<string>> RevokeAllAsync(string? clientId, string? subject, DateTimeOffset now, CancellationToken cancellationToken, string? audience = null)
    {
        var ids = await Live(now)
            .Where(grant => (clientId == null || grant.ClientId == clientId) && (subject == null || grant.Subject == subject) && (audience == null || grant.Audience == audience))
            .Select(grant => grant.Id)
            .ToListAsync(cancellationToken);
        foreach (var id in ids)
            await RevokeAsync(id, now, cancellationToken);
        return ids;
    }

    /// <summary>Ends one access token. True for the one call that did.</summary>
    public async Task<bool> RevokeAccessTokenAsync(string id, DateTimeOffset now, CancellationToken cancellationToken) =>
        await db.AccessTokens
            .Where(token => token.Id == id && token.RevokedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(token => token.RevokedAt, now), cancellationToken) == 1;
}
