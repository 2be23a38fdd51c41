using Microsoft.EntityFrameworkCore;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;

namespace Sallyport.Server.Storage;

/// <summary>
/// A change of stored state and its events, which are committed together or not at all.
/// </summary>
/// <remarks>
///     [1 turn] ▶ [2 begin] ▶ [3 change rows, Record events] ▶ [4 outbox rows] ▶ [5 commit] ▶ [6 sync, journal, memory, asOf] ▶ caller answers
///
/// Up to 5, a failure leaves nothing behind. From 5 on the change has happened, and its outbox rows are its events: should 6 fail,
/// the gate closes, the caller gets 503, and the next start appends the rows.
/// </remarks>
internal sealed class StateTransaction(
    SallyportDb db, PlainChanges plain, AuditLog log, StateSequencer sequencer, Requester requester)
{
    private readonly List<AuditEvent> _events = [];

    /// <summary>Names an event of the change that is being made.</summary>
    public void Record(AuditEvent auditEvent) => _events.Add(log.Stamp(requester.Attribute(auditEvent)));

    /// <summary>
    /// Runs one change. <paramref name="change"/> saves its rows through the scope's <see cref="SallyportDb"/>, Identity's stores
    /// included. Recording no event means that nothing is to change: the transaction is rolled back.
    /// </summary>
    /// <exception cref="AuditUnavailableException">The log is closed, or closed meanwhile.</exception>
    public async Task<T> RunAsync<T>(Func<Task<T>> change, CancellationToken cancellationToken)
    {
        Task sequenced;
        T result;

        // 1. One change at a time: the order of commits is the order of the log.
        using (await log.TakeStateTurnAsync(cancellationToken))
        {
            // 2. SQLite takes its write lock here, so that a transaction never fails half-way for want of it.
            await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);

            // 3. The change itself.
            result = await change();
            if (_events.Count == 0)
                return result;

            // 4. Its events, as the bytes that the log will hold.
            var events = TakeEvents();
            db.Outbox.AddRange(events.Select(e => new OutboxRow { EventId = e.Event.Id, Leaf = e.Leaf, LogLength = log.Length }));
            await db.SaveChangesAsync(cancellationToken);

            // 5. From here on it has happened; nobody's leaving may interrupt what follows.
            await transaction.CommitAsync(CancellationToken.None);
            sequenced = sequencer.SequenceAsync(events);
        }

        // 6. On the disk, in the journal, in memory, and in asOf: now the caller may be told.
        await sequenced;
        return result;
    }

    /// <summary>The same for a <paramref name="change"/> that is made through <see cref="TokenStore"/>, together with others of its kind.</summary>
    /// <exception cref="AuditUnavailableException">The log is closed, or closed meanwhile.</exception>
    public Task<T> RunPlainAsync<T>(Func<T> change, CancellationToken cancellationToken) => plain.RunAsync(change, TakeEvents, cancellationToken);

    private List<(AuditEvent Event, byte[] Leaf)> TakeEvents()
    {
        var events = _events.ConvertAll(e => (e, AuditEventJson.Write(e)));
        _events.Clear();
        return events;
    }
}
