using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Audit;

/// <summary>How the log reaches its files; tests put a failing disk here.</summary>
internal sealed record JournalOptions
{
    public Func<string, Stream> Open { get; init; } = JournalFiles.OpenFile;

    /// <summary>A caller whose record takes longer gets 503; the record may still come, the access does not.</summary>
    public TimeSpan AppendLimit { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether an access event is synced to the disk before its access goes on; otherwise it survives a kill, not always a power loss.</summary>
    public bool Strict { get; init; }

    /// <summary>A segment that is larger is followed by another; 16 MiB at most.</summary>
    public long SegmentBytes { get; init; } = Journal.MaxSegmentBytes;

    /// <summary>So many appends may wait for the disk; beyond, callers get 503 until it has caught up.</summary>
    public int MostWaiting { get; init; } = 16_384;
}

/// <summary>
/// The one door to the log. Whatever happens is recorded here before anybody is told of it; when it cannot be, the callers get
/// <see cref="AuditUnavailableException"/>, and what they were about to do does not happen.
/// </summary>
internal sealed partial class AuditLog(DataDirectory directory, JournalOptions options, TimeProvider time, ILogger<AuditLog> logger) : IAsyncDisposable
{
    /// <summary>How long a change waits for those before it.</summary>
    private static readonly TimeSpan s_turnLimit = TimeSpan.FromSeconds(10);

    /// <summary>How often it is looked whether somebody waits too long.</summary>
    private static readonly TimeSpan s_watch = TimeSpan.FromSeconds(1);

    /// <summary>Clocks are set right by less than this all the time.</summary>
    private static readonly TimeSpan s_clockNoise = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _stateTurn = new(1, 1);
    private readonly long _startedAt = time.GetTimestamp();
    private Journal? _journal;
    private ITimer? _watch;
    private long _asOf = -1;
    /// <summary>Touched by the journal's loop only.</summary>
    private readonly Dictionary<string, SessionOpened> _openSessions = new(StringComparer.Ordinal);
    private long _openedLength;
    private long _newestTicks;
    private int _shoutedRoom;

    /// <summary>Runs for each state event once it is committed, in order, before <see cref="AsOf"/> rises to it.</summary>
    public event Action<AuditEvent>? StateSequenced;

    /// <summary>Told of each event once it is committed, in the order of the log, by the journal's own loop: it has to be quick, and must not throw.</summary>
    public event Action<AuditEvent>? Committed;

    /// <summary>The index of the newest state event that a decision made now may rely on. Read it before looking anything up.</summary>
    public long AsOf => Volatile.Read(ref _asOf);

    /// <summary>How many events the log holds; what is appended after this was read gets this index or a later one.</summary>
    public long Length => Opened.Length;

    /// <summary>
    /// False once an append failed, until the next start, and while the disk has no room for more: nothing is allowed, issued or
    /// changed.
    /// </summary>
    public bool IsOpen => _journal is { IsOpen: true, HasRoom: true };

    /// <summary>Whether the last words can still be written: outcomes, and the stop.</summary>
    public bool CanEnd => _journal is { IsOpen: true };

    /// <summary>How many events wait for the disk.</summary>
    public int Waiting => _journal?.Waiting ?? 0;

    /// <summary>Whether it has been opened.</summary>
    public bool IsBegun => _journal is not null;

    /// <summary>What a committed access event survives.</summary>
    public string Durability => options.Strict ? Started.SurvivesPowerLoss : Started.SurvivesProcess;

    /// <summary>Opens the journal's end. The caller holds the data directory's lock.</summary>
    /// <param name="signed">How many events are signed, none of which is ever cut off.</param>
    public LogOpening Open(long signed)
    {
        var end = JournalFiles.OpenEnd(directory.Log, signed, options.Open);
        var last = end.LastLeaf is null ? null : ReadLast(end.LastLeaf);
        _journal = new(directory.Log, end, options, time, exception => LogClosed(logger, directory.Log, exception));
        _watch = time.CreateTimer(_ => Watch(), null, s_watch, s_watch);
        _openedLength = end.NextIndex;
        _asOf = end.NextIndex - 1;
        _newestTicks = last?.Time.UtcTicks ?? 0;
        return new(end.BytesCut, AfterCleanStop: end.BytesCut == 0 && last is null or Stopped);
    }

    /// <summary>A new event id.</summary>
    public static string NewId() => RandomId.New();

    /// <summary>Sets the time of an event that is about to be recorded.</summary>
    public T Stamp<T>(T auditEvent) where T : AuditEvent => auditEvent with
    {
        Time = WallTime(),
        Elapsed = (long)time.GetElapsedTime(_startedAt).TotalMilliseconds,
    };

    /// <summary>Records what changes no stored state; done when committed. Returns the event's number.</summary>
    /// <exception cref="AuditUnavailableException">There is no record, so what needed it must not happen.</exception>
    public ValueTask<long> AppendAsync(AuditEvent auditEvent)
    {
        if (!Opened.HasRoom)
            throw WithoutRoom();
        if (Opened.Waiting >= options.MostWaiting)
            throw new AuditUnavailableException("The disk does not keep up with the log");
        return Opened.AppendAsync(AuditEventJson.Write(Stamp(auditEvent)), OnAppended(auditEvent));
    }

    /// <summary>Records what nobody waits for: what became of an access, the end of a session. It takes as long as it takes.</summary>
    /// <exception cref="AuditUnavailableException">The log is closed.</exception>
    public async Task<long> AppendInBackgroundAsync(AuditEvent auditEvent) =>
        await Opened.AppendAsync(AuditEventJson.Write(Stamp(auditEvent)), OnAppended(auditEvent), patient: true);

    /// <summary>
    /// Begins a snapshot of the state, within the turn: its event stands behind those of every change that was committed, and before
    /// those of all that are not yet.
    /// </summary>
    /// <returns>The index of the event, and the sessions that were open there.</returns>
    public async Task<(long Index, IReadOnlyList<SessionOpened> Sessions)> BeginSnapshotAsync(SnapshotBegun begun)
    {
        IReadOnlyList<SessionOpened> sessions = [];
        var index = await Opened.AppendAsync(AuditEventJson.Write(Stamp(begun)), _ =>
        {
            sessions = [.. _openSessions.Values];
            Committed?.Invoke(begun);
        }, patient: true);
        return (index, sessions);
    }

    /// <summary>
    /// The turn to change state: one at a time, so that the order of the commits is the order of the log. Keep it from the
    /// transaction's begin until its events were given to be sequenced.
    /// </summary>
    public async Task<IDisposable> TakeStateTurnAsync(CancellationToken cancellationToken)
    {
        // Behind a database that is locked, changes would queue up without end.
        if (!await _stateTurn.WaitAsync(s_turnLimit, cancellationToken))
            throw new AuditUnavailableException("Too many changes wait for the database");
        try
        {
            DemandOpen();
        }
        catch
        {
            _stateTurn.Release();
            throw;
        }
        return new Turn(_stateTurn);
    }

    /// <exception cref="AuditUnavailableException">Not <see cref="IsOpen"/>, and why.</exception>
    public void DemandOpen()
    {
        if (!IsOpen)
            throw Opened.IsOpen ? WithoutRoom() : new AuditUnavailableException("The log is closed");
    }

    /// <summary>Appends the events of a committed change that is on the disk, in the order of the calls.</summary>
    /// <exception cref="AuditUnavailableException">The change has happened, and its record is late or waits in the outbox.</exception>
    public Task SequenceAsync(IReadOnlyList<(AuditEvent Event, byte[] Leaf)> events) =>
        Task.WhenAll([.. events.Select(e => Opened.AppendAsync(e.Leaf, index => Apply(e.Event, index)).AsTask())]);

    /// <summary>Done once everything recorded so far would survive a power loss; gives how many events those are.</summary>
    public Task<long> SyncAsync() => Opened.SyncAsync();

    /// <summary>Closes the log until the next start: what is on the disk is not known.</summary>
    public void Close(Exception why) => Opened.Close(why);

    /// <summary>Tries for room again where there was none, and tells when there is some. Others who sync may have found it before.</summary>
    public async Task MakeRoomAsync()
    {
        if (!Opened.HasRoom)
            await SyncAsync();
        if (Opened.HasRoom && Interlocked.Exchange(ref _shoutedRoom, 0) == 1)
            LogRoom(logger, directory.Log);
    }

    public async ValueTask DisposeAsync()
    {
        if (_watch is not null)
            await _watch.DisposeAsync();
        if (_journal is not null)
            await _journal.DisposeAsync();
        _stateTurn.Dispose();
    }

    private static AuditEvent ReadLast(byte[] leaf)
    {
        try
        {
            return AuditEventJson.Read(leaf);
        }
        catch (System.Text.Json.JsonException)
        {
            throw new DamagedLogException("its last leaf is no event");
        }
    }

    /// <summary>The wall clock's time. Where it has gone back, that is an event of its own.</summary>
    private DateTimeOffset WallTime()
    {
        var now = time.GetUtcNow();
        var newest = Volatile.Read(ref _newestTicks);
        var back = newest - now.UtcTicks;
        if (back <= 0)
            Volatile.Write(ref _newestTicks, now.UtcTicks);
        // The start event is the first of its process.
        else if (back > s_clockNoise.Ticks && Length > _openedLength && Interlocked.CompareExchange(ref _newestTicks, now.UtcTicks, newest) == newest)
            _ = AppendInBackgroundAsync(new ClockWentBack { Id = NewId(), Milliseconds = back / TimeSpan.TicksPerMillisecond });
        return now;
    }

    private AuditUnavailableException WithoutRoom()
    {
        if (Interlocked.Exchange(ref _shoutedRoom, 1) == 0)
            LogNoRoom(logger, directory.Log, Opened.NoRoom);
        return new("The disk has no room for the log", Opened.NoRoom);
    }

    private Journal Opened => _journal ?? throw new AuditUnavailableException("The log is not open");

    private void Apply(AuditEvent auditEvent, long index)
    {
        StateSequenced?.Invoke(auditEvent);
        Volatile.Write(ref _asOf, index);
        Committed?.Invoke(auditEvent);
    }

    /// <summary>Which sessions are open is kept in the order of the log.</summary>
    private Action<long>? OnAppended(AuditEvent auditEvent) =>
        Committed is null && auditEvent is not (SessionOpened or SessionClosed) ? null : _ => Note(auditEvent);

    private void Note(AuditEvent auditEvent)
    {
        if (auditEvent is SessionOpened opened)
            _openSessions[opened.Session] = opened;
        else if (auditEvent is SessionClosed closed)
            _openSessions.Remove(closed.Session);
        Committed?.Invoke(auditEvent);
    }

    /// <summary>Whoever waits too long goes without a record.</summary>
    private void Watch()
    {
        if (Opened.FailLate(options.AppendLimit) > 0)
            LogLate(logger, directory.Log, options.AppendLimit.TotalSeconds);
    }

    [LoggerMessage(LogLevel.Error, "The log in {Directory} did not take an event within {Seconds} s: its callers got 503.")]
    private static partial void LogLate(ILogger logger, string directory, double seconds);

    [LoggerMessage(LogLevel.Critical, "The log in {Directory} cannot be written: the gate is closed and answers 503. Mend the disk (space, permissions), then restart.")]
    private static partial void LogClosed(ILogger logger, string directory, Exception exception);

    [LoggerMessage(LogLevel.Critical, "The disk of {Directory} has no room for another segment of the log: the gate answers 503 until there is some.")]
    private static partial void LogNoRoom(ILogger logger, string directory, Exception? exception);

    [LoggerMessage(LogLevel.Warning, "The disk of {Directory} has room again, and the gate is open.")]
    private static partial void LogRoom(ILogger logger, string directory);
}

/// <summary>What was found when the log was opened.</summary>
internal sealed record LogOpening(long BytesCut, bool AfterCleanStop);
