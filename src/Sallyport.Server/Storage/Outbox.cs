using Microsoft.EntityFrameworkCore;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Storage;

/// <summary>The rows of <see cref="OutboxRow"/> between their commit and the day the log's disk holds them.</summary>
internal sealed class Outbox(IDbContextFactory<SallyportDb> databases, AuditLog log, StateSequencer sequencer, DataDirectory directory)
{
    /// <summary>
    /// At start: finds the events of changes that were committed while their append was not. They are appended after
    /// <paramref name="start"/> has been, which says how many there are.
    /// </summary>
    public async Task RecoverAsync(Func<int, AuditEvent> start, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await db.Outbox.AsNoTracking().OrderBy(row => row.Id).ToListAsync(cancellationToken);
        var missing = MissingEvents(rows.Select(row => (row.EventId, row.LogLength)), directory.Log);
        rows.RemoveAll(row => !missing.Contains(row.EventId));
        await log.AppendAsync(start(rows.Count));
        await log.SequenceAsync([.. rows.Select(row => (AuditEventJson.Read(row.Leaf), row.Leaf))]);
        // A start that a loss of power could take back would leave a log that ends in the clean stop before it.
        await log.SyncAsync();
        await SweepAsync(cancellationToken);
    }

    /// <summary>The events of rows that a log lacks. Each is sought from where the log ended when its row was written.</summary>
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

    /// <summary>Deletes the rows whose events are on the disk itself.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        // Whoever holds the turn gives its events to the sequencer before giving it up, so the sync stands behind those of every row seen here.
        long? newest;
        using (await log.TakeStateTurnAsync(cancellationToken))
            newest = await db.Outbox.MaxAsync(row => (long?)row.Id, cancellationToken);
        if (newest is null)
            return;
        await sequencer.DrainAsync();
        await log.SyncAsync();
        using (await log.TakeStateTurnAsync(cancellationToken))
            await db.Outbox.Where(row => row.Id <= newest).ExecuteDeleteAsync(cancellationToken);
    }
}
