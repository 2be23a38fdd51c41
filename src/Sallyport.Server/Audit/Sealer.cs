using System.Text;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Audit;

/// <summary>How often the log's head is signed.</summary>
internal sealed record SealOptions(TimeSpan Interval)
{
    public static readonly SealOptions Default = new(TimeSpan.FromMinutes(1));
}

/// <summary>
/// Follows the journal with the tree, and signs its head now and then: a checkpoint, which is given to the anchors.
/// </summary>
/// <remarks>
///     journal ──▶ [1 sync] ▶ [2 leaves into the tree] ▶ [3 tiles, bundles] ▶ [4 sign, checkpoint] ▶ [5 anchors] ▶ [6 history, event]
///
/// A checkpoint signs leaves that are on the disk. Nobody waits for any of this: should it fail, the log goes on unsigned, and says so.
/// </remarks>
internal sealed partial class Sealer(
    AuditLog log, DataDirectory directory, SealOptions options, IEnumerable<IAnchor> anchors, TimeProvider time, ILogger<Sealer> logger) : IAsyncDisposable
{
    /// <summary>The tree is brought up to the journal so often, a little at a time, so that no request waits long for its processor; a head is signed less often.</summary>
    private static readonly TimeSpan s_follow = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly LogFiles _files = new(directory.Log);
    private readonly CheckpointHistory _history = new(new(directory.Log));
    private readonly IReadOnlyList<PatientAnchor> _anchors = [.. anchors.Select(anchor => new PatientAnchor(anchor))];
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private NoteKey? _key;
    private Checkpoint? _sealedHead;
    private LogTree? _tree;
    private JournalFollower? _follower;
    private Task _loop = Task.CompletedTask;
    private long _sealedSize;
    private long _followed;
    private bool _told;
    private bool _complained;

    /// <summary>The newest checkpoint, with the cosignatures that it got.</summary>
    public SignedNote? Newest { get; private set; }

    /// <summary>When the newest checkpoint was signed, by the wall clock.</summary>
    public DateTimeOffset? NewestAt { get; private set; }

    /// <summary>How many events are under the newest checkpoint.</summary>
    public long SealedSize => Volatile.Read(ref _sealedSize);

    /// <summary>The key that others verify the log with.</summary>
    public VerifierKey Verifier => Opened.Verifier;

    /// <summary>Reads what was signed last, before anything is done to the journal.</summary>
    /// <returns>How many events that are.</returns>
    /// <exception cref="DamagedLogException">Checkpoint, history and key do not belong together.</exception>
    public long OpenHead()
    {
        KeyChange.TakeUp(_files, directory);
        var newest = ReadNewest();
        if (newest is not null && !File.Exists(directory.LogKey))
            throw new DamagedLogException($"{directory.LogKey}, the key that signs it, is missing");
        _key = NoteKey.OpenOrCreate(directory.LogKey, NoteKey.NewLogName, SignatureType.Ed25519);
        var verifier = _files.PathOf(ILogStore.VerifierKey);
        if (!File.Exists(verifier))
            Disk.Replace(verifier, Encoding.UTF8.GetBytes(_key.Verifier + "\n"));
        var keys = LogKeys.Read(_files, _key.Verifier, NoteKey.Check, out var fault);
        if (fault is not null || keys.Newest != _key.Verifier)
            throw new DamagedLogException(fault ?? $"{directory.LogKey} is not its newest key, {keys.Newest}");
        Checkpoint? checkpoint = null;
        if (newest is not null && (!Checkpoint.TryParse(newest.Text, out checkpoint) || !newest.IsSignedBy(keys.For(checkpoint.Size), NoteKey.Check)))
            throw new DamagedLogException($"its checkpoint is not signed by {keys.For(checkpoint?.Size ?? 0)}");
        (Newest, _sealedHead, _sealedSize) = (newest, checkpoint, checkpoint?.Size ?? 0);
        NewestAt = newest is null ? null : File.GetLastWriteTimeUtc(_files.PathOf(ILogStore.Checkpoint));
        if (_history.Newest() is { } kept && Checkpoint.TryParse(kept.Text, out var last) && kept.IsSignedBy(keys.For(last.Size), NoteKey.Check) && last.Size > _sealedSize)
            throw new DamagedLogException($"a checkpoint of {last.Size} events was signed, but {ILogStore.Checkpoint} is {(checkpoint is null ? "missing" : $"of {_sealedSize}")}");
        // Whoever holds an early key could follow it no more, and audit verify refuses such a log.
        if (_history.Oldest() is { } first && Checkpoint.TryParse(first.Text, out var oldest) && !first.IsSignedBy(keys.For(oldest.Size), NoteKey.Check))
            throw new DamagedLogException($"its oldest checkpoint is not signed by {keys.For(oldest.Size)}; {ILogStore.VerifierKeys} may be missing");
        return _sealedSize;
    }

    /// <summary>Brings the tree up to the journal's end. The journal is open, and nothing has been appended yet.</summary>
    /// <returns>The log's head.</returns>
    /// <exception cref="DamagedLogException">Journal, tiles and checkpoint do not belong together.</exception>
    public Checkpoint Open()
    {
        _tree = LogTree.Open(_files, _sealedHead);
        _follower = new(directory.Log, _tree.Size);
        Follow(log.Length);
        return new(Opened.Verifier.Name, _tree.Size, _tree.Root());
    }

    /// <summary>Signs what is there, and then goes on until it is stopped.</summary>
    public void Start() => _loop = Task.Run(RunAsync, CancellationToken.None);

    /// <summary>Signs the log's head now, and not only when it is time.</summary>
    public Task SealAsync(CancellationToken cancellationToken) => InTurnAsync(() => SealAsync(last: false, null, cancellationToken), cancellationToken);

    /// <summary>Does what must not be done while a head is being signed: its files change then.</summary>
    public async Task BetweenSignaturesAsync(Action action, CancellationToken cancellationToken)
    {
        using var turn = await TakeTurnAsync(cancellationToken);
        action();
    }

    /// <summary>Another key signs from here on, introduced by the one so far, which is gone when this returns.</summary>
    /// <exception cref="AuditUnavailableException">The log is closed; the key is the same.</exception>
    /// <exception cref="IOException">The disk failed: which key it is, the next start finds out.</exception>
    public async Task<VerifierKey> RotateKeyAsync(CancellationToken cancellationToken)
    {
        using var turn = await TakeTurnAsync(cancellationToken);
        var next = NoteKey.Create(directory.NextLogKey, Verifier.Name, SignatureType.Ed25519);
        var index = await log.AppendInBackgroundAsync(new LogKeyRotated { Id = AuditLog.NewId(), Previous = Verifier.ToString(), Key = next.Verifier.ToString() });
        await SealAsync(last: false, (next, index), CancellationToken.None);
        return next.Verifier;
    }

    /// <summary>Appends nothing from here on.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
    }

    /// <summary>Signs the log's end, after its last event.</summary>
    public Task SealLastAsync(CancellationToken cancellationToken) => InTurnAsync(() => SealAsync(last: true, null, cancellationToken), cancellationToken);

    public ValueTask DisposeAsync()
    {
        _stopping.Dispose();
        _turn.Dispose();
        _key?.Dispose();
        return ValueTask.CompletedTask;
    }

    private NoteKey Opened => _key ?? throw new InvalidOperationException("The log is not open");

    private SignedNote? ReadNewest()
    {
        if (_files.Read(ILogStore.Checkpoint, SignedNote.MaxBytes) is not { } bytes)
            return null;
        return SignedNote.TryParse(bytes, out var note) ? note : throw new DamagedLogException($"{_files.PathOf(ILogStore.Checkpoint)} is no checkpoint");
    }

    private async Task RunAsync()
    {
        try
        {
            var sealedAt = time.GetTimestamp();
            await SealAsync(_stopping.Token);
            while (true)
            {
                await Task.Delay(s_follow, time, _stopping.Token);
                if (time.GetElapsedTime(sealedAt) < options.Interval)
                {
                    if (log.Length > _followed)
                        await InTurnAsync(() => FollowAsync(log.Length), _stopping.Token);
                    continue;
                }
                sealedAt = time.GetTimestamp();
                await SealAsync(_stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>One at a time; what fails is told, once until it has succeeded again.</summary>
    private async Task InTurnAsync(Func<Task> step, CancellationToken cancellationToken)
    {
        using var turn = await TakeTurnAsync(cancellationToken);
        try
        {
            await step();
            _complained = false;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            if (!_complained)
                LogNotSealed(logger, directory.Log, exception);
            _complained = true;
            // What is written from here on would stand behind what is gone.
            if (exception is DamagedLogException)
                log.Close(exception);
        }
    }

    private async Task<Turn> TakeTurnAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        return new(_turn);
    }

    private async Task SealAsync(bool last, (NoteKey Key, long Index)? next, CancellationToken cancellationToken)
    {
        // 1. Only what is on the disk is signed. The event of the last checkpoint alone is no reason for another one; a start alone is.
        if (log.Length <= _sealedSize + (_told ? 1 : 0) && !last && next is null && Newest is not null)
            return;
        var length = await log.SyncAsync();
        if (length == _sealedSize)
            return;

        // 2. and 3. The tree of those leaves, and its files.
        Follow(length);
        _tree!.Sync();

        // 4. The head.
        var head = new Checkpoint(Opened.Verifier.Name, _tree.Size, _tree.Root());
        var note = Opened.Sign(head);
        if (next is var (successor, index))
        {
            note = note with { Signatures = [.. note.Signatures, .. successor.Sign(head).Signatures] };
            Disk.Replace(_files.PathOf(ILogStore.Checkpoint), note.ToBytes());
            KeyChange.Introduce(_files, index, head, note);
            var old = Opened;
            _key = successor;
            old.Dispose();
            KeyChange.Finish(_files, directory, successor.Verifier);
        }
        else
        {
            Disk.Replace(_files.PathOf(ILogStore.Checkpoint), note.ToBytes());
        }
        (Newest, NewestAt, _sealedSize, _told) = (note, time.GetUtcNow(), head.Size, false);

        // 5. To where it cannot be taken back.
        var given = await GiveToAnchorsAsync(new(head, note, oldSize =>
            MerkleProof.Consistency(oldSize, head.Size, new TileTree(head.Size, path => _files.ReadOrGrown(path)?.Bytes).Subtree)), cancellationToken);
        var cosignatures = given.Select(one => one.Result.Cosignature).OfType<NoteSignature>().ToList();
        if (cosignatures.Count > 0)
        {
            Newest = note = note with { Signatures = [.. note.Signatures, .. cosignatures] };
            Disk.Replace(_files.PathOf(ILogStore.Checkpoint), note.ToBytes());
        }

        // 6. Where it is kept, and that it was: what is signed and given away is kept, whoever stops us meanwhile.
        await _history.AddAsync(note);
        if (!last)
        {
            await log.AppendInBackgroundAsync(new CheckpointSigned
            {
                Id = AuditLog.NewId(),
                Size = head.Size,
                Root = head.Root.ToString(),
                Anchors = [.. given.Where(one => one.Result.Fault is null).Select(one => one.Name)],
                Failures = [.. given.Where(one => one.Result.Fault is not null).Select(one => new AnchorFailure(one.Name, one.Result.Fault!.Value))],
            });
            _told = true;
        }
    }

    private Task FollowAsync(long length)
    {
        Follow(length);
        return Task.CompletedTask;
    }

    private void Follow(long length)
    {
        _follower!.ReadNew(length, (_, leaf) => _tree!.Append(leaf));
        Volatile.Write(ref _followed, _tree!.Size);
        if (_tree.Size < length)
            throw new DamagedLogException($"event {_tree.Size} was written, and cannot be read back");
    }

    private async Task<IReadOnlyList<(string Name, Anchored Result)>> GiveToAnchorsAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(s_patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        return await Task.WhenAll(_anchors.Select(async anchor =>
        {
            Anchored result;
            Exception? unexpected = null;
            try
            {
                result = await anchor.GiveAsync(checkpoint, either.Token);
            }
            catch (Exception exception)
            {
                // Whatever it is, it keeps the checkpoint neither from the other anchors nor from the history.
                result = new(null, Reason.AnchorUnreachable);
                unexpected = exception is OperationCanceledException ? null : exception;
            }
            if (result.Fault == Reason.AnchorRefused)
                LogAnchorRefused(logger, checkpoint.Head.Size, anchor.Name);
            else if (result.Fault is { } fault)
                LogNotAnchored(logger, checkpoint.Head.Size, anchor.Name, fault.Word(), unexpected);
            return (anchor.Name, result);
        }));
    }

    [LoggerMessage(LogLevel.Error, "The log in {Directory} could not be signed. What is recorded is safe, but nobody vouches for it yet; it is tried again.")]
    private static partial void LogNotSealed(ILogger logger, string directory, Exception exception);

    [LoggerMessage(LogLevel.Warning, "The checkpoint of {Size} events did not reach the anchor {Anchor}: {Reason}")]
    private static partial void LogNotAnchored(ILogger logger, long size, string anchor, string reason, Exception? exception);

    [LoggerMessage(LogLevel.Error, "The anchor {Anchor} refused the checkpoint of {Size} events. It may know this log as another one than it is: was the data directory set back to a copy, or changed?")]
    private static partial void LogAnchorRefused(ILogger logger, long size, string anchor);

    /// <summary>
    /// An anchor in a thread of its own: one that blocks, as a share that is gone or a pipe that nobody reads, is left behind when the
    /// time is up, and gets the next checkpoint when it has come back.
    /// </summary>
    private sealed class PatientAnchor(IAnchor anchor)
    {
        private Task _last = Task.CompletedTask;

        public string Name => anchor.Name;

        public async Task<Anchored> GiveAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken)
        {
            if (!_last.IsCompleted)
                return new(null, Reason.AnchorUnreachable);
            var giving = Task.Run(() => anchor.GiveAsync(checkpoint, cancellationToken), cancellationToken);
            _last = giving;
            return await giving.WaitAsync(cancellationToken);
        }
    }
}
