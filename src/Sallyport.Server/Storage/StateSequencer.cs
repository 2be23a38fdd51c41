using System.Threading.Channels;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Storage;

/// <summary>
/// Brings the events of committed changes into the log, in the order of their commits, once the changes are on the disk. One sync
/// serves all that were committed while the one before it ran.
/// </summary>
/// <remarks>
///     commit, within the turn ──▶ queue ──▶ [1 gather] ──▶ [2 sync the database] ──▶ [3 journal, memory, asOf] ──▶ callers answer
///
/// The log must not be ahead of the database: what a power loss could take back is not in it yet.
/// </remarks>
internal sealed class StateSequencer : IAsyncDisposable
{
    private readonly Channel<Committed> _queue = Channel.CreateUnbounded<Committed>(new() { SingleReader = true });
    private readonly DataDirectory _directory;
    private readonly AuditLog _log;
    private readonly Task _loop;

    public StateSequencer(DataDirectory directory, AuditLog log)
    {
        (_directory, _log) = (directory, log);
        _loop = Task.Run(SequenceAsync);
    }

    /// <summary>Ends when the change is on the disk and its events are in the log. Called within the turn; awaited outside of it.</summary>
    /// <exception cref="AuditUnavailableException">The change has happened, and its record is late or waits in the outbox.</exception>
    public Task SequenceAsync(IReadOnlyList<(AuditEvent Event, byte[] Leaf)> events)
    {
        var committed = new Committed(events);
        if (!_queue.Writer.TryWrite(committed))
            throw new AuditUnavailableException("The gate is stopping");
        return committed.Sequenced.Task;
    }

    /// <summary>Ends when everything that was committed before is in the journal's queue, or further.</summary>
    public Task DrainAsync() => SequenceAsync([]);

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _loop;
    }

    private async Task SequenceAsync()
    {
        var group = new List<Committed>();
        while (await _queue.Reader.WaitToReadAsync())
        {
            // 1. Gather what has been committed meanwhile.
            while (_queue.Reader.TryRead(out var committed))
                group.Add(committed);
            try
            {
                // 2. One sync for all of it.
                if (group.Any(committed => committed.Events.Count > 0))
                    SqliteDatabase.Sync(_directory.Database);
            }
            catch (IOException exception)
            {
                // Nobody knows what the disk holds: as with a write of the journal that failed.
                _log.Close(exception);
            }

            // 3. Into the log, in order. Nobody waits here: the next sync may go on meanwhile.
            foreach (var committed in group)
                _ = CompleteAsync(committed, _log.SequenceAsync(committed.Events));
            group.Clear();
        }
    }

    private static async Task CompleteAsync(Committed committed, Task sequenced)
    {
        try
        {
            await sequenced;
            committed.Sequenced.SetResult();
        }
        catch (Exception exception)
        {
            committed.Sequenced.SetException(exception);
        }
    }

    private sealed record Committed(IReadOnlyList<(AuditEvent Event, byte[] Leaf)> Events)
    {
        public TaskCompletionSource Sequenced { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
