using System.Buffers;
using System.Threading.Channels;
using Sallyport.Proof.Journal;

namespace Sallyport.Server.Audit;

/// <summary>
/// The append-only file behind the log. One loop takes what has been asked for meanwhile, writes it in one go, and then lets
/// all of its callers on: a group commit.
/// </summary>
/// <remarks>
///     callers ── Append ──▶ queue ──▶ [1 gather] ──▶ [2 write] ──▶ [3 apply, in order] ──▶ [4 release the callers]
///
/// A write that fails closes the journal for good: what the file then holds is for the next start to find out. Nothing is ever
/// released that was not written. A disk that is full does not get that far: each segment's room is reserved before it is used,
/// and without room for the next one <see cref="HasRoom"/> says so while there is still some left.
/// </remarks>
internal sealed class Journal : IAsyncDisposable
{
    /// <summary>A segment that is larger is followed by another.</summary>
    public const long MaxSegmentBytes = 16 * 1024 * 1024;
    private const int GroupBytes = 1024 * 1024;

    /// <summary>What is kept for events that have to be written when there is no room for another segment.</summary>
    private const long LastBytes = 3 * 1024 * 1024;

    /// <summary>Reserved for each segment.</summary>
    public const long ReservedBytes = MaxSegmentBytes + (4 * 1024 * 1024);

    private readonly string _directory;
    private readonly JournalOptions _options;
    private readonly Channel<Entry> _queue = Channel.CreateUnbounded<Entry>(new() { SingleReader = true });
    private readonly Task _loop;
    private Stream _stream;
    private long _offset;
    private long _nextIndex;
    private int _waiting;
    private volatile Exception? _closed;

    public Journal(string directory, JournalEnd end, JournalOptions options)
    {
        (_directory, _options) = (directory, options);
        (_stream, _offset, _nextIndex) = (end.Stream, end.Offset, end.NextIndex);
        _loop = Task.Run(WriteGroupsAsync);
    }

    public bool IsOpen => _closed is null;

    /// <summary>Why there is no other segment yet.</summary>
    public IOException? NoRoom { get; private set; }

    public long Length => Volatile.Read(ref _nextIndex);

    /// <summary>False while the disk has no room for another segment, and this one has room for the last words only.</summary>
    public bool HasRoom => Volatile.Read(ref _offset) < ReservedBytes - LastBytes;

    /// <summary>How many appends wait for the disk.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>
    /// Appends a leaf; the task ends once it is committed, with its index. Leaves of calls that do not overlap keep their order.
    /// <paramref name="apply"/> runs after the write and before anybody is released, in the order of the log.
    /// </summary>
    /// <exception cref="AuditUnavailableException">It was not, or not wholly, written; the journal is closed.</exception>
    public Task<long> AppendAsync(byte[] leaf, Action<long>? apply = null) => EnqueueAsync(new(leaf, apply));

    /// <summary>Ends once everything appended before is on the disk itself; gives how many leaves those are.</summary>
    public Task<long> SyncAsync() => EnqueueAsync(new(null, null));

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        if (_closed is null)
            await _loop;
        _closed ??= new ObjectDisposedException(nameof(Journal));
        await _stream.DisposeAsync();
    }

    private async Task<long> EnqueueAsync(Entry entry)
    {
        Interlocked.Increment(ref _waiting);
        try
        {
            if (!_queue.Writer.TryWrite(entry))
                throw new AuditUnavailableException("The log is closed", _closed);
            return await entry.Written.Task;
        }
        catch (IOException exception)
        {
            throw new AuditUnavailableException("The log could not be written", exception);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private async Task WriteGroupsAsync()
    {
        var group = new List<Entry>();
        var buffer = new ArrayBufferWriter<byte>(64 * 1024);
        try
        {
            while (await _queue.Reader.WaitToReadAsync())
            {
                // 1. Gather what has been asked for meanwhile.
                var sync = _options.Strict;
                var asked = false;
                while (buffer.WrittenCount < GroupBytes && _queue.Reader.TryRead(out var entry))
                {
                    group.Add(entry);
                    asked |= entry.Leaf is null;
                    if (entry.Leaf is { } leaf)
                    {
                        JournalRecord.Write(leaf, buffer.GetSpan(JournalRecord.SizeOf(leaf.Length)));
                        buffer.Advance(JournalRecord.SizeOf(leaf.Length));
                    }
                }

                // 2. Write it in one go.
                if (_offset >= _options.SegmentBytes && (asked || HasRoom))
                    await TryRollAsync();
                if (buffer.WrittenCount > 0)
                {
                    await _stream.WriteAsync(buffer.WrittenMemory);
                    await _stream.FlushAsync();
                    Volatile.Write(ref _offset, _offset + buffer.WrittenCount);
                }
                if ((sync || asked) && _stream is FileStream file)
                    file.Flush(flushToDisk: true);

                // 3. Apply, in the order of the log. 4. Release.
                foreach (var entry in group)
                {
                    if (entry.Leaf is null)
                    {
                        entry.Written.SetResult(_nextIndex);
                        continue;
                    }
                    var index = _nextIndex;
                    Volatile.Write(ref _nextIndex, index + 1);
                    entry.Apply?.Invoke(index);
                    entry.Written.SetResult(index);
                }
                group.Clear();
                buffer.ResetWrittenCount();
            }
        }
        catch (Exception exception)
        {
            Close(exception);
            var failure = exception as IOException ?? new IOException("The log could not be written", exception);
            foreach (var entry in group)
                entry.Written.TrySetException(failure);
            while (_queue.Reader.TryRead(out var entry))
                entry.Written.TrySetException(failure);
        }
    }

    /// <summary>Goes on in another segment; without room for one, in this one, whose own room is reserved.</summary>
    private async Task TryRollAsync()
    {
        Stream next;
        try
        {
            next = _options.Open(JournalFiles.PathOf(_directory, _nextIndex));
        }
        catch (IOException exception) when (_offset + GroupBytes < ReservedBytes)
        {
            NoRoom = exception;
            return;
        }
        NoRoom = null;
        // Gives back what was reserved and not needed.
        _stream.SetLength(_offset);
        if (_stream is FileStream file)
            file.Flush(flushToDisk: true);
        await _stream.DisposeAsync();
        _stream = next;
        Volatile.Write(ref _offset, 0);
    }

    /// <summary>Nothing is appended from here on.</summary>
    public void Close(Exception exception)
    {
        _closed ??= exception;
        _queue.Writer.TryComplete();
    }

    private sealed record Entry(byte[]? Leaf, Action<long>? Apply)
    {
        public TaskCompletionSource<long> Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
