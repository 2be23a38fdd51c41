using System.Buffers;
using System.Threading.Tasks.Sources;
using Sallyport.Proof.Journal;

namespace Sallyport.Server.Audit;

/// <summary>
/// The append-only file behind the log. What has been asked for meanwhile is taken, written in one go, and then all of its callers
/// are let on: a group commit.
/// </summary>
/// <remarks>
///     callers ── Append ──▶ gathered ──▶ [1 take all] ──▶ [2 write] ──▶ [3 apply, in order] ──▶ [4 release the callers] ──▶ again, while there are more
///
/// Whoever comes first has a turn of writing queued, behind what the pool is to do already: of that, what appends joins the group. Nothing waits
/// for a group to grow; where nothing else is to be done, its turn comes at once.
///
/// A write that fails closes the journal for good: what the file then holds is for the next start to find out. Nothing is ever
/// released that was not written. A disk that is full does not get that far: each segment's room is reserved before it is used,
/// and without room for the next one <see cref="HasRoom"/> says so while there is still some left. A write that hangs releases
/// nobody either; <see cref="FailLate"/> lets callers go without their records.
/// </remarks>
internal sealed class Journal : IThreadPoolWorkItem, IAsyncDisposable
{
    /// <summary>A segment that is larger is followed by another.</summary>
    public const long MaxSegmentBytes = 16 * 1024 * 1024;
    private const int WriteBytes = 1024 * 1024;

    /// <summary>What is kept for events that have to be written when there is no room for another segment.</summary>
    private const long LastBytes = 3 * 1024 * 1024;

    /// <summary>Reserved for each segment.</summary>
    public const long ReservedBytes = MaxSegmentBytes + (4 * 1024 * 1024);

    private readonly string _directory;
    private readonly JournalOptions _options;
    private readonly TimeProvider _time;
    private readonly Action<Exception> _onClosed;
    private readonly ArrayBufferWriter<byte> _buffer = new(64 * 1024);
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private List<Entry> _gathered = [];
    private List<Entry> _writing = [];
    private Stream _stream;
    private long _offset;
    private long _nextIndex;
    private long _syncedLength;
    private int _waiting;
    private bool _queued;
    private bool _ending;
    private Exception? _closed;

    /// <param name="onClosed">Told what closed it, once, before anybody is.</param>
    public Journal(string directory, JournalEnd end, JournalOptions options, TimeProvider time, Action<Exception> onClosed)
    {
        (_directory, _options, _time, _onClosed) = (directory, options, time, onClosed);
        (_stream, _offset, _nextIndex) = (end.Stream, end.Offset, end.NextIndex);
    }

    public bool IsOpen => Volatile.Read(ref _closed) is null;

    /// <summary>Why there is no other segment yet.</summary>
    public IOException? NoRoom { get; private set; }

    public long Length => Volatile.Read(ref _nextIndex);

    /// <summary>False while the disk has no room for another segment, and this one has room for the last words only.</summary>
    public bool HasRoom => Volatile.Read(ref _offset) < ReservedBytes - LastBytes;

    /// <summary>How many appends wait for the disk.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>
    /// Appends a leaf; ends once it is committed, with its index. Leaves of calls that do not overlap keep their order.
    /// <paramref name="apply"/> runs after the write and before anybody is released, in the order of the log.
    /// </summary>
    /// <param name="patient">Whether its caller waits as long as it takes.</param>
    /// <exception cref="AuditUnavailableException">It was not, or not wholly, written, and the journal is closed; or it is late.</exception>
    public ValueTask<long> AppendAsync(byte[] leaf, Action<long>? apply = null, bool patient = false) =>
        Enqueue(new(leaf, apply, patient ? null : _time.GetTimestamp()));

    /// <summary>Ends once everything appended before is on the disk itself; gives how many leaves those are.</summary>
    public async Task<long> SyncAsync()
    {
        var mark = new Entry(null, null, null);
        var length = await Enqueue(mark);
        if (length <= Volatile.Read(ref _syncedLength))
            return length;
        // Not in the loop: appends go on while the disk works. What a segment before this one held was synced when it ended.
        if (mark.Stream is FileStream file)
            await Task.Run(() => Sync(file));
        Volatile.Write(ref _syncedLength, length);
        return length;
    }

    /// <summary>Lets those go who have waited since before a time: their records may still come, and they were told otherwise.</summary>
    /// <returns>How many there were.</returns>
    public int FailLate(TimeSpan limit)
    {
        var late = 0;
        lock (_gate)
        {
            foreach (var entry in _writing.Concat(_gathered))
            {
                if (entry.Since is { } since && _time.GetElapsedTime(since) >= limit && entry.TryFail(new AuditUnavailableException("The log did not take an event in time") { IsLate = true }))
                    late++;
            }
        }
        return late;
    }

    /// <summary>Nothing is appended from here on.</summary>
    public void Close(Exception exception)
    {
        if (Interlocked.CompareExchange(ref _closed, exception, null) is null)
            _onClosed(exception);
        End();
    }

    public async ValueTask DisposeAsync()
    {
        End();
        if (_closed is null)
            await _ended.Task;
        _closed ??= new ObjectDisposedException(nameof(Journal));
        await _stream.DisposeAsync();
    }

    /// <summary>A turn of writing.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        Entry? last;
        try
        {
            // 1. Take what has been asked for meanwhile.
            lock (_gate)
                (_gathered, _writing) = (_writing, _gathered);

            // 2. Write it in one go.
            var marked = WriteGroup();
            if (_options.Strict && _stream is FileStream file)
                Sync(file);

            // 3. Apply, in the order of the log. 4. Release.
            last = ReleaseGroup(marked);
        }
        catch (Exception exception)
        {
            Fail(exception);
            return;
        }
        // The turn is over, so that one of them can go on right here.
        last?.GoOn(elsewhere: false);
    }

    private ValueTask<long> Enqueue(Entry entry)
    {
        lock (_gate)
        {
            if (_ending)
                return ValueTask.FromException<long>(new AuditUnavailableException("The log is closed", _closed));
            _gathered.Add(entry);
            _waiting++;
            QueueTurn();
        }
        return entry.Written;
    }

    /// <summary>Has the gate.</summary>
    private void QueueTurn()
    {
        if (_queued)
            return;
        _queued = true;
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>What was gathered is still written.</summary>
    private void End()
    {
        lock (_gate)
        {
            _ending = true;
            if (!_queued)
                _ended.TrySetResult();
        }
    }

    private void Fail(Exception exception)
    {
        Close(exception);
        var failure = new AuditUnavailableException("The log could not be written", exception);
        lock (_gate)
        {
            foreach (var entry in _writing.Concat(_gathered))
                entry.TryFail(failure);
            _writing.Clear();
            _gathered.Clear();
            _ended.TrySetResult();
        }
    }

    /// <returns>Whether somebody waits for a sync.</returns>
    private bool WriteGroup()
    {
        if (_closed is not null)
            throw new IOException("The log is closed", _closed);
        var marked = _writing.Exists(static entry => entry.Leaf is null);
        if (_offset >= _options.SegmentBytes && (marked || HasRoom))
            TryRoll();
        foreach (var entry in _writing)
        {
            if (entry.Leaf is not { } leaf)
                continue;
            JournalRecord.Write(leaf, _buffer.GetSpan(JournalRecord.SizeOf(leaf.Length)));
            _buffer.Advance(JournalRecord.SizeOf(leaf.Length));
            if (_buffer.WrittenCount >= WriteBytes)
                WriteBuffer();
        }
        if (_buffer.WrittenCount > 0)
            WriteBuffer();
        return marked;
    }

    private void WriteBuffer()
    {
        _stream.Write(_buffer.WrittenSpan);
        Volatile.Write(ref _offset, _offset + _buffer.WrittenCount);
        _buffer.ResetWrittenCount();
    }

    /// <returns>The one of them that is still to be let on.</returns>
    private Entry? ReleaseGroup(bool marked)
    {
        Entry? last = null;
        foreach (var entry in _writing)
        {
            if (entry.Leaf is null)
                continue;
            entry.Index = _nextIndex;
            Volatile.Write(ref _nextIndex, _nextIndex + 1);
            entry.Apply?.Invoke(entry.Index);
        }
        lock (_gate)
        {
            foreach (var entry in _writing)
            {
                if (marked && entry.Leaf is null)
                    (entry.Index, entry.Stream) = (_nextIndex, _stream);
                if (!entry.TryRelease())
                    continue;
                last?.GoOn(elsewhere: true);
                last = entry;
            }
            _waiting -= _writing.Count;
            _writing.Clear();
            _queued = false;
            if (_gathered.Count > 0)
                QueueTurn();
            else if (_ending)
                _ended.TrySetResult();
        }
        return last;
    }

    /// <summary>Goes on in another segment; without room for one, in this one, whose own room is reserved.</summary>
    private void TryRoll()
    {
        // Only the last segment may have what is not on the disk.
        if (_stream is FileStream file)
            file.Flush(flushToDisk: true);
        Stream next;
        try
        {
            next = _options.Open(JournalFiles.PathOf(_directory, _nextIndex));
        }
        catch (IOException exception) when (_offset + (2 * WriteBytes) < ReservedBytes)
        {
            NoRoom = exception;
            return;
        }
        NoRoom = null;
        // The next one first: whoever syncs the old one meanwhile finds that it has ended.
        var (ended, length) = (_stream, _offset);
        _stream = next;
        Volatile.Write(ref _offset, 0);
        // Gives back what was reserved and not needed.
        ended.SetLength(length);
        ended.Dispose();
    }

    private void Sync(FileStream file)
    {
        try
        {
            RandomAccess.FlushToDisk(file.SafeFileHandle);
        }
        catch (ObjectDisposedException) when (file != _stream)
        {
            // The segment has ended meanwhile, and was synced then.
        }
        catch (IOException exception)
        {
            // Nobody knows what the disk holds.
            Close(exception);
            throw new AuditUnavailableException("The log could not be written", exception);
        }
    }

    /// <summary>One who waits. Released once: when the record is written, or without it.</summary>
    private sealed class Entry(byte[]? leaf, Action<long>? apply, long? since) : IValueTaskSource<long>
    {
        private ManualResetValueTaskSourceCore<long> _core = new() { RunContinuationsAsynchronously = true };
        private int _released;

        /// <summary>Null for a mark, at which nothing is written.</summary>
        public byte[]? Leaf { get; } = leaf;
        public Action<long>? Apply { get; } = apply;
        /// <summary>Null for one who is patient.</summary>
        public long? Since { get; } = since;
        public long Index { get; set; }
        /// <summary>What was being written to when the mark was passed.</summary>
        public Stream? Stream { get; set; }
        public ValueTask<long> Written => new(this, _core.Version);

        /// <summary>It is written: <see cref="GoOn"/> follows.</summary>
        public bool TryRelease() => Interlocked.Exchange(ref _released, 1) == 0;

        /// <param name="elsewhere">Whether its caller goes on on another thread, and not within this call.</param>
        public void GoOn(bool elsewhere)
        {
            _core.RunContinuationsAsynchronously = elsewhere;
            _core.SetResult(Index);
        }

        public bool TryFail(Exception exception)
        {
            if (Interlocked.Exchange(ref _released, 1) != 0)
                return false;
            _core.SetException(exception);
            return true;
        }

        public long GetResult(short token) => _core.GetResult(token);

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags);
    }
}
