using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Audit.Index;

/// <summary>
/// Follows the journal with the index. Nobody waits for it, and nothing depends on it: should it fail, searches read the journal.
/// </summary>
/// <remarks>
/// The newest segment comes first. Older ones are looked at one after the other at the start, and those whose index is gone every
/// minute; whose segment was pruned, that index goes too.
/// </remarks>
internal sealed partial class EventIndexer(AuditLog log, DataDirectory directory, TimeProvider time, ILogger<EventIndexer> logger) : IHostedService
{
    private static readonly TimeSpan s_follow = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_round = TimeSpan.FromMinutes(1);

    private readonly LogFiles _files = new(directory.Log);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Queue<(long FirstIndex, string Name)> _older = new();
    private SegmentIndexer? _newest;
    private Task? _loop;
    private long? _round;
    private bool _complained;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _loop = Task.Run(RunAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // Where the log could not be opened, there is nothing to index.
        if (_loop is null)
            return;
        await _stopping.CancelAsync();
        await _loop;
        Try(Follow);
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                Try(FollowOn);
                await Task.Delay(s_follow, time, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void FollowOn()
    {
        if (_round is null || time.GetElapsedTime(_round.Value) >= s_round)
            GoRound(all: _round is null);
        Follow();
        // One at a time, so that no request waits long for its processor.
        if (_older.TryDequeue(out var segment))
            new SegmentIndexer(_files, segment.FirstIndex, segment.Name).Advance();
    }

    private void Follow()
    {
        if (_newest is not null && _newest.Next >= log.Length)
            return;
        foreach (var (firstIndex, path) in JournalFiles.SegmentsFrom(directory.Log, _newest?.Next ?? log.Length))
        {
            if (_newest?.FirstIndex != firstIndex)
                _newest = new(_files, firstIndex, Path.GetFileName(path));
            _newest.Advance();
        }
    }

    private void GoRound(bool all)
    {
        var segments = _files.Segments();
        var folder = _files.PathOf(SegmentIndex.Folder);
        var indexes = Directory.Exists(folder) ? Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)!).ToHashSet() : [];
        foreach (var gone in indexes.Except(segments.Select(segment => segment.Name)))
            File.Delete(_files.PathOf(SegmentIndex.NameOf(gone)));
        foreach (var segment in segments.SkipLast(1).Reverse().Where(segment => all || !indexes.Contains(segment.Name)))
            _older.Enqueue(segment);
        // Its indexer finds out only when there is more to write.
        if (segments.Count > 0 && !indexes.Contains(segments[^1].Name))
            _newest = null;
        _round = time.GetTimestamp();
    }

    /// <summary>What fails is told, once until it has succeeded again.</summary>
    private void Try(Action step)
    {
        try
        {
            step();
            _complained = false;
        }
        catch (Exception exception)
        {
            if (!_complained)
                LogNotIndexed(logger, directory.Log, exception);
            _complained = true;
        }
    }

    [LoggerMessage(LogLevel.Warning, "The index of the log in {Directory} could not be written. Searches read the log itself meanwhile, which takes longer; it is tried again.")]
    private static partial void LogNotIndexed(ILogger logger, string directory, Exception exception);
}
