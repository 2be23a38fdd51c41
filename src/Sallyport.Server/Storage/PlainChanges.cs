using Microsoft.Data.Sqlite;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;

namespace Sallyport.Server.Storage;

/// <summary>
/// Changes in plain SQL, several to one transaction: those that are asked for while one is committed and synced go together next
/// (docs/decisions/0042).
/// </summary>
/// <remarks>
///     callers ──▶ waiting ──▶ [1 the turn, and all that wait] ──▶ [2 each change, with its outbox rows] ──▶ [3 commit] ──▶ [4 sync, journal, memory, asOf] ──▶ callers answer
///
/// Each of them is all or nothing by itself: one that records no event is undone alone, and where one throws, all are undone and run
/// again one by one, so that a fault stays with its cause.
/// </remarks>
internal sealed class PlainChanges(StateConnection connection, AuditLog log, StateSequencer sequencer)
{
    /// <summary>How many go together, so that nobody who waits for the turn waits long.</summary>
    private const int MaxTogether = 64;

    private readonly Lock _gate = new();
    private readonly Queue<IChange> _waiting = [];
    private bool _running;

    /// <param name="takeEvents">Gives the events that <paramref name="change"/> has recorded, and forgets them.</param>
    /// <exception cref="AuditUnavailableException">The log is closed, or closed meanwhile.</exception>
    public Task<T> RunAsync<T>(Func<T> change, Func<IReadOnlyList<(AuditEvent Event, byte[] Leaf)>> takeEvents, CancellationToken cancellationToken)
    {
        var waiting = new Change<T>(change, takeEvents, cancellationToken);
        bool idle;
        lock (_gate)
        {
            _waiting.Enqueue(waiting);
            idle = !_running;
            _running = true;
        }
        if (idle)
            _ = RunAllAsync();
        return waiting.Done;
    }

    private async Task RunAllAsync()
    {
        while (AnyWaiting())
        {
            var group = new List<IChange>();
            try
            {
                await RunTogetherAsync(group);
            }
            catch (Exception exception) when (IsOfAll(exception) || group.Count <= 1)
            {
                FailAll(group, exception);
            }
            catch
            {
                foreach (var change in group)
                    await RunAloneAsync(change);
            }
        }
    }

    /// <summary>Whether it would meet every other change too: the log's or the database's fault, and not what a change asked for.</summary>
    private static bool IsOfAll(Exception exception) =>
        exception is AuditUnavailableException or SqliteException { SqliteErrorCode: not SQLitePCL.raw.SQLITE_CONSTRAINT };

    /// <summary>Where it is everybody's fault those fail too who wait behind: they would wait as long once more, group by group.</summary>
    private void FailAll(List<IChange> group, Exception exception)
    {
        lock (_gate)
        {
            while (IsOfAll(exception) && _waiting.TryDequeue(out var change))
                group.Add(change);
        }
        foreach (var change in group)
            change.Fail(exception);
    }

    private bool AnyWaiting()
    {
        lock (_gate)
            return _running = _waiting.Count > 0;
    }

    private void TakeWaiting(List<IChange> group)
    {
        lock (_gate)
        {
            while (group.Count < MaxTogether && _waiting.TryDequeue(out var change))
            {
                if (!change.IsGivenUp)
                    group.Add(change);
            }
        }
    }

    private async Task RunAloneAsync(IChange change)
    {
        try
        {
            await RunTogetherAsync([change]);
        }
        catch (Exception exception)
        {
            change.Fail(exception);
        }
    }

    /// <param name="group">Empty: all that waits.</param>
    /// <remarks>Throws only where nothing was committed, or, as the log's fault, where the gate is stopping.</remarks>
    private async Task RunTogetherAsync(List<IChange> group)
    {
        var events = new List<(AuditEvent Event, byte[] Leaf)>();
        var sequenced = Task.CompletedTask;

        // 1. The turn, as the order of commits is the order of the log, and all that have waited for it.
        using (await log.TakeStateTurnAsync(CancellationToken.None))
        {
            if (group.Count == 0)
                TakeWaiting(group);
            using var transaction = connection.Begin();

            // 2. The changes, and their events as the bytes that the log will hold.
            foreach (var change in group)
            {
                connection.Execute("SAVEPOINT change");
                var recorded = change.Run();
                foreach (var (auditEvent, leaf) in recorded)
                    connection.Execute("""INSERT INTO "Outbox" ("EventId", "Leaf", "LogLength") VALUES (@0, @1, @2)""", auditEvent.Id, leaf, log.Length);
                if (recorded.Count == 0)
                    connection.Execute("ROLLBACK TO change");
                connection.Execute("RELEASE change");
                events.AddRange(recorded);
            }

            // 3. From here on they have happened.
            if (events.Count > 0)
            {
                transaction.Commit();
                sequenced = sequencer.SequenceAsync(events);
            }
        }
        await AnswerAsync(group, sequenced);
    }

    /// <summary>4. On the disk, in the journal, in memory, and in asOf: now the callers may be told.</summary>
    private static async Task AnswerAsync(List<IChange> group, Task sequenced)
    {
        try
        {
            await sequenced;
        }
        catch (Exception exception)
        {
            foreach (var change in group)
                change.Fail(exception);
            return;
        }
        foreach (var change in group)
            change.Answer();
    }

    private interface IChange
    {
        /// <summary>Its caller has gone, and it was not begun.</summary>
        bool IsGivenUp { get; }

        IReadOnlyList<(AuditEvent Event, byte[] Leaf)> Run();

        void Answer();

        void Fail(Exception exception);
    }

    private sealed class Change<T>(Func<T> change, Func<IReadOnlyList<(AuditEvent Event, byte[] Leaf)>> takeEvents, CancellationToken cancellationToken) : IChange
    {
        private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T _result = default!;

        public Task<T> Done => _done.Task;

        public bool IsGivenUp => cancellationToken.IsCancellationRequested && _done.TrySetCanceled(cancellationToken);

        public IReadOnlyList<(AuditEvent Event, byte[] Leaf)> Run()
        {
            // What a run before this one recorded was undone with it.
            takeEvents();
            _result = change();
            return takeEvents();
        }

        public void Answer() => _done.SetResult(_result);

        public void Fail(Exception exception) => _done.TrySetException(exception);
    }
}
