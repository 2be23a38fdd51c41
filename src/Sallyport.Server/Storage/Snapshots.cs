using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Storage;

/// <summary>
/// Writes the live state into the log, as ids, so that what follows can be judged without what came before.
/// </summary>
/// <remarks>
///     within the turn: [1 pin what is committed] ▶ [2 snapshot.begun], then at leisure: [3 parts] ▶ [4 snapshot.completed]
/// </remarks>
internal sealed class Snapshots(IDbContextFactory<SallyportDb> databases, AuditLog log, StateSequencer sequencer, TimeProvider time)
{
    /// <summary>So many to an event, which then has some 60 KB at most.</summary>
    private const int PerPart = 150;

    /// <summary>Each has an address of up to 2,048 characters, of which each may take six bytes.</summary>
    private const int ConsentsPerPart = 5;

    /// <exception cref="AuditUnavailableException">The log is closed.</exception>
    public async Task<Snapshot> TakeAsync(CancellationToken cancellationToken)
    {
        var id = RandomId.New();
        var now = time.GetUtcNow();
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        Task<(long Index, IReadOnlyList<SessionOpened> Sessions)> begin;
        IDbContextTransaction pinned;
        using (await log.TakeStateTurnAsync(cancellationToken))
        {
            // 1. Nothing is being committed, and all that was has its events in the log before what is appended now.
            await sequencer.DrainAsync();
            pinned = await SqliteDatabase.BeginReadAsync(db, cancellationToken);

            // 2. The event that the state belongs to.
            begin = log.BeginSnapshotAsync(new() { Id = AuditLog.NewId(), Snapshot = id });
        }
        await using var reading = pinned;
        var (index, sessions) = await begin;

        // 3. What lives.
        var parts = 0;
        async Task WriteAsync<T>(IAsyncEnumerable<T> rows, Func<List<T>, SnapshotPart> part, int perPart = PerPart)
        {
            await foreach (var chunk in ChunksAsync(rows, perPart, cancellationToken))
            {
                await log.AppendInBackgroundAsync(part(chunk));
                parts++;
            }
        }
        SnapshotPart Part() => new() { Id = AuditLog.NewId(), Snapshot = id };
        await WriteAsync(db.Clients.Where(client => client.RemovedAt == null).OrderBy(client => client.Id).Select(client => new SnapshotClient(client.Id, client.AuthMethod)).AsAsyncEnumerable(),
            rows => Part() with { Clients = rows });
        await WriteAsync(db.Users.OrderBy(user => user.Id).Select(user => user.Id).AsAsyncEnumerable(),
            rows => Part() with { Subjects = rows });
        await WriteAsync(Grants(db, now), rows => Part() with { Grants = rows });
        await WriteAsync(Consents(db, now), rows => Part() with { Consents = rows }, ConsentsPerPart);
        await WriteAsync(Tokens(db, now), rows => Part() with { Tokens = rows });
        await WriteAsync(RefreshTokens(db, now), rows => Part() with { RefreshTokens = rows });
        await WriteAsync(sessions.Select(session => new SnapshotSession(session.Session, session.Subject, session.Client, session.Audience)).ToAsyncEnumerable(),
            rows => Part() with { Sessions = rows });

        // 4. That it is whole.
        await log.AppendInBackgroundAsync(new SnapshotCompleted { Id = AuditLog.NewId(), Snapshot = id, BegunAt = index, Parts = parts });
        return new(id, index, now);
    }

    /// <summary>Those under which anything still lives.</summary>
    private static IAsyncEnumerable<SnapshotGrant> Grants(SallyportDb db, DateTimeOffset now) =>
        new GrantStore(db).Live(now)
            .OrderBy(grant => grant.Id)
            .Select(grant => new SnapshotGrant(grant.Id, grant.ClientId, grant.Subject, grant.Audience, grant.ConsentId, grant.CodeId, grant.CodeExpiresAt, grant.CodeRedeemedAt != null))
            .AsAsyncEnumerable();

    /// <summary>Those that are remembered.</summary>
    private static IAsyncEnumerable<SnapshotConsent> Consents(SallyportDb db, DateTimeOffset now) =>
        db.Grants.AsNoTracking()
            .Where(grant => grant.RememberedUntil > now && grant.RevokedAt == null)
            .OrderBy(grant => grant.Id)
            .AsAsyncEnumerable()
            .Select(grant => new SnapshotConsent(grant.ConsentId, grant.Id, grant.RedirectUri, Scope.FromStored(grant.Scope), grant.RememberedUntil!.Value));

    private static IAsyncEnumerable<SnapshotToken> Tokens(SallyportDb db, DateTimeOffset now) =>
        db.AccessTokens
            .Where(token => token.RevokedAt == null && token.ExpiresAt > now && token.Grant!.RevokedAt == null && token.Grant.ClientId != HeartbeatStore.Client)
            .OrderBy(token => token.Id)
            .Select(token => new { token.Id, token.GrantId, token.Scope, token.ExpiresAt })
            .AsAsyncEnumerable()
            .Select(token => new SnapshotToken(token.Id, token.GrantId, Scope.FromStored(token.Scope), token.ExpiresAt));

    private static IAsyncEnumerable<SnapshotRefreshToken> RefreshTokens(SallyportDb db, DateTimeOffset now) =>
        db.RefreshTokens
            .Where(token => token.ExpiresAt > now && token.Grant!.RevokedAt == null)
            .OrderBy(token => token.Hash)
            .Select(token => new SnapshotRefreshToken(token.Id, token.GrantId, token.ExpiresAt, token.UsedAt != null))
            .AsAsyncEnumerable();

    private static async IAsyncEnumerable<List<T>> ChunksAsync<T>(IAsyncEnumerable<T> rows, int perPart, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var chunk = new List<T>();
        await foreach (var row in rows.WithCancellation(cancellationToken))
        {
            chunk.Add(row);
            if (chunk.Count < perPart)
                continue;
            yield return chunk;
            chunk = [];
        }
        if (chunk.Count > 0)
            yield return chunk;
    }
}
