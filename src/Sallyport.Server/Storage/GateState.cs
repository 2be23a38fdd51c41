using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Storage;

/// <summary>Another process holds this data directory.</summary>
internal sealed class DataDirectoryInUseException(string path) : Exception($"Another process is using {path}")
{
    public string Path { get; } = path;
}

/// <summary>A restore into this data directory was cut short.</summary>
internal sealed class UnfinishedRestoreException(string path) : Exception($"A restore into {path} was cut short");

/// <summary>There is a log, and not the state that it tells of: a gate that began anew would have forgotten every revocation.</summary>
internal sealed class MissingDatabaseException(DataDirectory directory) : Exception($"{directory.Log} tells of changes to {directory.Database}, which is missing");

/// <summary>What the holder of a data directory is about to do with it.</summary>
/// <param name="Process">For the start event: <c>serve</c>, or the command's name.</param>
/// <param name="Configuration">The fingerprint in force; null where no gate is served.</param>
internal sealed record Tenure(string Process, string Version, string? Configuration)
{
    /// <summary>What the log says right after the start, where there is anything.</summary>
    public AuditEvent? Second { get; init; }
}

/// <summary>Takes the data directory, brings database and log into agreement, and gives both back in order.</summary>
internal sealed partial class GateState(
    Tenure tenure,
    DataDirectory directory,
    IDbContextFactory<SallyportDb> databases,
    AuditLog log,
    Sealer sealer,
    Outbox outbox,
    ErasableValues values,
    TimeProvider time,
    ILogger<GateState> logger) : IHostedService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopping = new();
    private IDisposable? _lock;
    private Task _loops = Task.CompletedTask;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (Directory.Exists(directory.UnfinishedRestore))
            throw new UnfinishedRestoreException(directory.Root);
        directory.Create();
        _lock = directory.TryLock() ?? throw new DataDirectoryInUseException(directory.Root);
        // The database is made before the first event is written.
        if (new FileInfo(directory.Database) is not { Exists: true, Length: > 0 } && JournalFiles.HasBegun(directory.Log))
            throw new MissingDatabaseException(directory);
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            await SqliteDatabase.TakeUpAsync(db, cancellationToken);
            await db.Database.MigrateAsync(cancellationToken);
        }
        values.Open();
        var opening = log.Open(sealer.OpenHead());
        var head = sealer.Open();
        await outbox.RecoverAsync(recovered => new Started
        {
            Id = AuditLog.NewId(),
            Process = tenure.Process,
            Version = tenure.Version,
            AfterCleanStop = opening.AfterCleanStop,
            BytesCut = opening.BytesCut,
            Recovered = recovered,
            Configuration = tenure.Configuration,
            Durability = log.Durability,
            FollowsSize = head.Size,
            FollowsRoot = head.Root.ToString(),
        }, cancellationToken);
        if (tenure.Second is { } second)
            await log.AppendAsync(second);
        sealer.Start();
        // Apart from each other: a database that is locked must not keep the journal from the disk.
        _loops = Task.WhenAll(Task.Run(() => RepeatAsync(TrySweepAsync), CancellationToken.None), Task.Run(() => RepeatAsync(_ => log.SyncAsync()), CancellationToken.None));
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _loops;
        await sealer.StopAsync();
        if (log.CanEnd)
        {
            await log.AppendInBackgroundAsync(new Stopped { Id = AuditLog.NewId() }).WaitAsync(cancellationToken);
            await log.SyncAsync().WaitAsync(cancellationToken);
            await sealer.SealLastAsync(cancellationToken);
            await TrySweepAsync(cancellationToken);
        }
        await sealer.DisposeAsync();
        await log.DisposeAsync();
        values.Dispose();
        _lock?.Dispose();
    }

    /// <summary>Once a second, until the gate stops or its log closes.</summary>
    private async Task RepeatAsync(Func<CancellationToken, Task> step)
    {
        try
        {
            while (true)
            {
                await Task.Delay(s_interval, time, _stopping.Token);
                await step(_stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
        catch (AuditUnavailableException)
        {
            // The log has closed and said so; the rows of the outbox stay for the next start.
        }
    }

    /// <summary>A database that is locked for long keeps its rows until a later sweep, or the next start, which copes with them.</summary>
    private async Task TrySweepAsync(CancellationToken cancellationToken)
    {
        try
        {
            await log.MakeRoomAsync();
            await outbox.SweepAsync(cancellationToken);
        }
        catch (AuditUnavailableException) when (log.CanEnd)
        {
            // The disk is full, which the log has said. The rows stay.
        }
        catch (DbException exception)
        {
            LogSweepFailed(logger, exception.Message);
        }
    }

    [LoggerMessage(LogLevel.Error, "Rows of the outbox could not be deleted; they are tried again: {Why}")]
    private static partial void LogSweepFailed(ILogger logger, string why);
}
