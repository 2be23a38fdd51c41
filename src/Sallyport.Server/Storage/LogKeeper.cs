using System.Data.Common;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Storage;

/// <summary>Takes a snapshot every day, and prunes what the operator's retention lets go.</summary>
internal sealed partial class LogKeeper(
    GateConfiguration configuration, DataDirectory directory, AuditLog log, Sealer sealer, Snapshots snapshots, ErasableValues values, TimeProvider time, ILogger<LogKeeper> logger) : IHostedService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromDays(1);
    private static readonly TimeSpan s_retry = TimeSpan.FromMinutes(10);

    private readonly Retention _retention = new(new LogFiles(directory.Log));
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // A log that has just begun needs no snapshot of what came before.
        if (_retention.Snapshots().Count == 0 && log.Length <= 1)
            _retention.Add(new("", 0, time.GetUtcNow()));
        _loop = Task.Run(RunAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _loop;
    }

    /// <summary>Takes a snapshot, then prunes.</summary>
    public async Task KeepAsync(CancellationToken cancellationToken)
    {
        var taken = await snapshots.TakeAsync(cancellationToken);
        // The list must not outlive what it lists.
        await log.SyncAsync();
        _retention.Add(taken);
        if (configuration.LogRetention is not { } age)
            return;
        var oldest = time.GetUtcNow() - age;
        await values.ForgetUnusedSinceAsync(oldest);
        if (_retention.NewestAt(oldest) is not { } before || _retention.Before(before) is not { } pruned)
            return;
        // First the log says so, under a signature; then it is done.
        var index = await log.AppendInBackgroundAsync(pruned);
        await sealer.SealAsync(cancellationToken);
        if (sealer.SealedSize > index)
            await sealer.BetweenSignaturesAsync(() => _retention.Prune(pruned), cancellationToken);
    }

    private async Task RunAsync()
    {
        try
        {
            // Where the list cannot be read, it is what was taken here.
            var last = DateTimeOffset.MinValue;
            while (true)
            {
                if (_retention.Snapshots() is { Count: > 0 } all)
                    last = all[^1].Time;
                var since = time.GetUtcNow() - last;
                // One of the future tells nothing: the clock was set back, or the list is damaged.
                if (since >= TimeSpan.Zero && since < s_interval)
                    await Task.Delay(s_interval - since, time, _stopping.Token);
                else if (await TryKeepAsync())
                    last = time.GetUtcNow();
                else
                    await Task.Delay(s_retry, time, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private async Task<bool> TryKeepAsync()
    {
        try
        {
            await KeepAsync(_stopping.Token);
            return true;
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException or UnauthorizedAccessException or DbException or AuditUnavailableException)
        {
            LogNotKept(logger, directory.Log, exception);
            return false;
        }
    }

    [LoggerMessage(LogLevel.Error, "The daily snapshot of the log in {Directory} could not be taken; it is tried again.")]
    private static partial void LogNotKept(ILogger logger, string directory, Exception exception);
}
