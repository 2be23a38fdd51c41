using Microsoft.EntityFrameworkCore;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Storage;

/// <summary>
/// The rows of <see cref="OutboxRow"/>, from their commit until their events are signed. Up to there a start may cut the log's end off:
/// they bring back what a change of state had in it.
/// </summary>
internal sealed class Outbox(IDbContextFactory<SallyportDb> databases, AuditLog log, Sealer sealer, StateSequencer sequencer, DataDirectory directory)
{
    /// <summary>Deleted within one turn, so that no change waits for long.</summary>
    private const int RowsAtOnce = 1_000;

    /// <summary>The rows up to this id have their events among so many leaves.</summary>
    private (long Newest, long Length)? _written;

    /// <summary>
    /// At start: finds the events of changes that were committed while their append was not. They are appended after
    /// <paramref name="start"/> has been, which says how many there are.
    /// </summary>
    public async Task RecoverAsync(Func<int, AuditEvent> start, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await LowerLengthsAsync(db, cancellationToken);
        var rows = await db.Outbox.AsNoTracking().OrderBy(row => row.Id).ToListAsync(cancellationToken);
        var missing = MissingEvents(rows.Select(row => (row.EventId, row.LogLength)), directory.Log);
        rows.RemoveAll(row => !missing.Contains(row.EventId));
        await log.AppendAsync(start(rows.Count));
        await log.SequenceAsync([.. rows.Select(row => (AuditEventJson.Read(row.Leaf), row.Leaf))]);
        // A start that a loss of power could take back would leave a log that ends in the clean stop before it.
        await log.SyncAsync();
    }

    /// <summary>
    /// A loss of power may have taken the log's end, and with it the leaves of rows that were written when the log was longer than it is
    /// now. They come back further before than their rows say: from here on these say how long the log is now, and that is on the disk
    /// before any of them is back.
    /// </summary>
    private async Task LowerLengthsAsync(SallyportDb db, CancellationToken cancellationToken)
    {
        var length = log.Length;
        if (await db.Outbox.Where(row => row.LogLength > length).ExecuteUpdateAsync(row => row.SetProperty(r => r.LogLength, length), cancellationToken) > 0)
            SqliteDatabase.Sync(directory.Database);
    }

    /// <summary>The events of rows that a log lacks. Each is sought from where its row says that it may be.</summary>
    public static IReadOnlySet<string> MissingEvents(IEnumerable<(string EventId, long LogLength)> rows, string log)
    {
        var missing = new HashSet<string>(StringComparer.Ordinal);
        var from = long.MaxValue;
        foreach (var (id, length) in rows)
        {
            missing.Add(id);
            from = Math.Min(from, length);
        }
        if (missing.Count > 0)
        {
            foreach (var leaf in JournalFiles.ReadFrom(log, from))
                missing.Remove(leaf.Event.Id);
        }
        return missing;
    }

    /// <summary>Deletes the rows whose events a checkpoint covers.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        _written ??= await WrittenAsync(cancellationToken);
        if (_written is not { } written || sealer.SealedSize < written.Length)
            return;
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        for (var deleted = RowsAtOnce; deleted == RowsAtOnce;)
        {
            using (await log.TakeStateTurnAsync(cancellationToken))
                deleted = await db.Outbox.Where(row => row.Id <= written.Newest).OrderBy(row => row.Id).Take(RowsAtOnce).ExecuteDeleteAsync(cancellationToken);
        }
        _written = null;
    }

    /// <summary>The rows that there are, once their events are written.</summary>
    private async Task<(long Newest, long Length)?> WrittenAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        // Whoever holds the turn gives its events to the sequencer before giving it up, so the sync stands behind those of every row seen here.
        long? newest;
        using (await log.TakeStateTurnAsync(cancellationToken))
            newest = await db.Outbox.MaxAsync(row => (long?)row.Id, cancellationToken);
        if (newest is null)
            return null;
        await sequencer.DrainAsync();
        return (newest.Value, await log.SyncAsync());
    }
}
