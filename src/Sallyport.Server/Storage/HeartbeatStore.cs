using Microsoft.EntityFrameworkCore;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Storage;

/// <summary>
/// The tokens with which the gate tries itself. They lie among everybody's, so that they are judged as everybody's; their client is one that
/// was removed before it was there, so that nobody finds it, and nobody signs in through it.
/// </summary>
internal sealed class HeartbeatStore(SallyportDb db)
{
    public const string Client = HeartbeatPrepared.Client;

    /// <summary>Drops those that were made until then.</summary>
    public async Task DropAsync(DateTimeOffset madeUntil, CancellationToken cancellationToken)
    {
        await db.AccessTokens.Where(token => token.Grant!.ClientId == Client && token.Grant.CreatedAt <= madeUntil).ExecuteDeleteAsync(cancellationToken);
        await db.Grants.Where(grant => grant.ClientId == Client && grant.CreatedAt <= madeUntil).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>Stores a token with a grant of its own.</summary>
    public async Task AddAsync(string token, string subject, string audience, string scope, DateTimeOffset now, DateTimeOffset expiresAt, bool isRevoked, CancellationToken cancellationToken)
    {
        if (!await db.Clients.AnyAsync(client => client.Id == Client, cancellationToken))
            db.Clients.Add(new() { Id = Client, AuthMethod = "none", RedirectUris = [], GrantTypes = [], CreatedAt = now, RemovedAt = now });
        var grant = new Grant
        {
            Id = RandomId.NewAt(now),
            ClientId = Client,
            Subject = subject,
            Audience = audience,
            Scope = scope,
            ConsentId = "",
            TransactionId = RandomId.New(),
            CreatedAt = now,
            CodeId = "",
            CodeHash = RandomId.New(),
            CodeExpiresAt = now,
            CodeRedeemedAt = now,
            RedirectUri = "",
            CodeChallenge = "",
        };
        db.Grants.Add(grant);
        db.AccessTokens.Add(new() { Id = token, GrantId = grant.Id, Scope = scope, ExpiresAt = expiresAt, RevokedAt = isRevoked ? now : null });
        await db.SaveChangesAsync(cancellationToken);
    }
}
