using System.Data.Common;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Operation;

/// <summary>A restore needs a directory in which nothing is.</summary>
internal sealed class DataDirectoryNotEmptyException(string path) : Exception($"{path} is not empty");

/// <summary>What a restore came to.</summary>
/// <param name="Manifest">What the backup said of itself.</param>
/// <param name="Epoch">Counts restores.</param>
/// <param name="OldLog">Where the log of before is now.</param>
/// <param name="Origin">The new log's.</param>
/// <param name="Revoked">How many grants ended.</param>
/// <param name="Users">How many can sign in again.</param>
/// <param name="Clients">How many are registered again.</param>
internal sealed record RestoreReport(BackupManifest Manifest, int Epoch, string OldLog, string Origin, int Revoked, int Users, int Clients);

/// <summary>
/// Makes a data directory out of a backup, in a new epoch: the backup does not know what happened after it, so nothing that was granted
/// before holds any longer, and what is recorded from now on is a log of its own.
/// </summary>
/// <remarks>
///     [1 empty?] ▶ [2 unpack] ▶ [3 judge log and database] ▶ [4 the old log aside] ▶ [5 keys] ▶ [6 the new log: start, log.restored] ▶
///     [7 revoke] ▶ [8 snapshot, stop] ▶ [9 into place]
///
/// All of it happens in a folder of its own. Up to 9 a failure leaves the directory as it was; a crash leaves the folder, which no gate
/// starts over.
/// </remarks>
internal sealed class Restore(DataDirectory directory, TimeProvider time)
{
    private const int GrantsAtOnce = 500;

    public async Task<RestoreReport> RunAsync(Stream archive, KeyFile? keys, CancellationToken cancellationToken)
    {
        // 1. Nothing is overwritten.
        var existed = Directory.Exists(directory.Root);
        if (existed && Directory.EnumerateFileSystemEntries(directory.Root).Any(path => Path.GetFileName(path) != "lost+found"))
            throw new DataDirectoryNotEmptyException(directory.Root);
        DataDirectory.KeepPrivate();
        Directory.CreateDirectory(directory.Root);
        var hold = directory.TryLock() ?? throw new DataDirectoryInUseException(directory.Root);
        var staging = new DataDirectory(directory.UnfinishedRestore);
        var moved = new List<string>();
        try
        {
            Directory.CreateDirectory(staging.Root);
            var report = await BuildAsync(staging, archive, keys, cancellationToken);

            // 9. It is on the disk before it is in place, and the folder goes last.
            Disk.SyncFileSystem(staging.Root);
            foreach (var path in Directory.EnumerateFileSystemEntries(staging.Root).Where(path => Path.GetFileName(path) != DataDirectory.LockName))
            {
                moved.Add(Path.Combine(directory.Root, Path.GetFileName(path)));
                Directory.Move(path, moved[^1]);
            }
            Disk.SyncDirectory(directory.Root);
            Directory.Delete(staging.Root, recursive: true);
            Disk.SyncDirectory(directory.Root);
            hold.Dispose();
            return report with { OldLog = directory.LogOfEpoch(report.Epoch) };
        }
        catch (Exception exception)
        {
            hold.Dispose();
            Undo(moved, existed);
            if (exception is DbException or DbUpdateException)
                throw new IOException($"The database could not be restored: {(exception.InnerException ?? exception).Message}", exception);
            throw;
        }
    }

    private async Task<RestoreReport> BuildAsync(DataDirectory staging, Stream archive, KeyFile? keys, CancellationToken cancellationToken)
    {
        // 2. Nothing in it is trusted.
        var manifest = BackupArchive.Read(archive, staging.Root, new DriveInfo(staging.Root).AvailableFreeSpace);

        // 3. Only what is whole can be vouched for.
        var head = JudgeLogs(staging, manifest);
        if (keys is not null && keys.Origin != head.Origin)
            throw new UnusableBackupException("The key file is of another gate than the backup", "Nothing was changed. Give the two files that were made together");
        await JudgeDatabaseAsync(staging, cancellationToken);

        // 4. Not a leaf is appended to it any more: what its gate recorded after the backup may be known elsewhere, and no log has two ends.
        var epoch = Math.Max(staging.Epochs().DefaultIfEmpty().Max(), EpochOf(staging.Log)) + 1;
        Directory.Move(staging.Log, staging.LogOfEpoch(epoch));

        // 5. What is not restored is made anew.
        staging.Create();
        keys?.WriteTo(staging);

        // 6. A log that is new gets a new key, and with it a new origin.
        var tenure = new Tenure("restore", Product.Version, Configuration: null)
        {
            Second = new LogRestored { Id = AuditLog.NewId(), Epoch = epoch, PreviousOrigin = head.Origin, PreviousSize = head.Size, PreviousRoot = head.Root.ToString() },
        };
        await using var services = new ServiceCollection()
            .AddLogging()
            .AddSingleton(time)
            .AddSingleton<Snapshots>()
            .AddSallyportState(staging, tenure)
            .BuildServiceProvider();
        var state = services.GetServices<IHostedService>().OfType<GateState>().Single();
        RestoreReport report;
        try
        {
            await state.StartAsync(cancellationToken);

            // 7. What was revoked after the backup stays revoked, because everything is.
            var revoked = await RevokeAllAsync(services, cancellationToken);

            // 8. From here on the new log can be judged by itself.
            new Retention(new(staging.Log)).Add(await services.GetRequiredService<Snapshots>().TakeAsync(cancellationToken));
            await using var db = await services.GetRequiredService<IDbContextFactory<SallyportDb>>().CreateDbContextAsync(cancellationToken);
            report = new(
                manifest, epoch, staging.LogOfEpoch(epoch), services.GetRequiredService<Sealer>().Verifier.Name, revoked,
                await db.Users.CountAsync(cancellationToken), await db.Clients.CountAsync(cancellationToken));
        }
        catch
        {
            // Nothing of it is kept; what still runs is to be gone before its files are.
            try
            {
                await state.StopAsync(CancellationToken.None);
            }
            catch (Exception exception) when (exception is IOException or AuditUnavailableException)
            {
            }
            throw;
        }
        await state.StopAsync(CancellationToken.None);
        await services.DisposeAsync();
        SqliteConnection.ClearAllPools();

        // Only what verifies is put into place.
        return Backup.FaultOf(new(staging.Log)) is { } fault ? throw new DamagedLogException(fault) : report;
    }

    private static Checkpoint JudgeLogs(DataDirectory staging, BackupManifest manifest)
    {
        foreach (var log in (IEnumerable<string>)[staging.Log, .. staging.Epochs().Select(staging.LogOfEpoch)])
        {
            var files = new LogFiles(log);
            if (files.Segments().Count == 0)
                throw Unusable("its log has no journal");
            if (Backup.FaultOf(files) is { } fault)
                throw Unusable($"its log is not whole: {fault}");
        }
        var head = LogCopy.HeadOf(new(staging.Log));
        return head.Size > 0 && (head.Origin, head.Size, head.Root.ToString()) == (manifest.Origin, manifest.Size, manifest.Root)
            ? head
            : throw Unusable("its log is not the one that its manifest names");
    }

    /// <summary>It is one of a gate's, of this release or an older one, and its events are in the log. They are taken out of it: they belong to the old log.</summary>
    private static async Task JudgeDatabaseAsync(DataDirectory staging, CancellationToken cancellationToken)
    {
        if (!File.Exists(staging.Database))
            throw Unusable("it has no database");
        try
        {
            var options = new DbContextOptionsBuilder<SallyportDb>();
            SqliteDatabase.Configure(options, staging.Database);
            await using (var db = new SallyportDb(options.Options))
            {
                var known = db.Database.GetMigrations().ToHashSet(StringComparer.Ordinal);
                var applied = (await db.Database.GetAppliedMigrationsAsync(cancellationToken)).ToList();
                if (applied.Count == 0)
                    throw Unusable("its database is not one of a gate");
                if (!applied.All(known.Contains))
                    throw new UnusableBackupException("The backup was made by a newer release", "Nothing was changed. Restore it with that release, or a newer one");
            }
            using (var connection = SqliteDatabase.Open(staging.Database, SqliteOpenMode.ReadWrite))
            {
                if (Ask(connection, "PRAGMA quick_check(1)") is not "ok" || Ask(connection, "SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')") is not "0")
                    throw Unusable("its database is damaged");
                if (Backup.MissingEvents(staging.Database, staging.Log) is { Count: > 0 and var missing })
                    throw Unusable(string.Create(CultureInfo.InvariantCulture, $"{missing} changes of its database are not in its log"));
                Ask(connection, "DELETE FROM Outbox");
            }
            SqliteConnection.ClearAllPools();
        }
        catch (SqliteException exception) when (exception.SqliteErrorCode is not (SQLitePCL.raw.SQLITE_FULL or SQLitePCL.raw.SQLITE_IOERR))
        {
            throw Unusable("its database cannot be read");
        }
    }

    private async Task<int> RevokeAllAsync(ServiceProvider services, CancellationToken cancellationToken)
    {
        for (var revoked = 0; ;)
        {
            await using var scope = services.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<SallyportDb>();
            var grants = scope.ServiceProvider.GetRequiredService<GrantStore>();
            var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
            var count = await state.RunAsync(async () =>
            {
                var now = time.GetUtcNow();
                var living = await db.Grants.Where(grant => grant.RevokedAt == null).OrderBy(grant => grant.Id).Select(grant => grant.Id).Take(GrantsAtOnce).ToListAsync(cancellationToken);
                foreach (var grant in living)
                {
                    await grants.RevokeAsync(grant, now, cancellationToken);
                    state.Record(new TokenRevoked { Id = AuditLog.NewId(), Reason = Reason.RevokedByRestore, Grant = grant });
                }
                await grants.DropSealedSuccessorsAsync(DateTimeOffset.MaxValue, cancellationToken);
                return living.Count;
            }, cancellationToken);
            if (count == 0)
                return revoked;
            revoked += count;
        }
    }

    /// <summary>The epoch that a log says it began; 0 where it does not say.</summary>
    private static int EpochOf(string log)
    {
        using var reader = new JournalReader(new LogFiles(log));
        for (var leaves = 0; leaves < 2 && reader.NextIndex < 2 && reader.Read() == JournalItem.Leaf; leaves++)
        {
            if (AuditEventJson.Read(reader.Leaf) is LogRestored restored)
                return restored.Epoch;
        }
        return 0;
    }

    /// <summary>The directory is as it was. What somebody else has put there meanwhile stays.</summary>
    private void Undo(IEnumerable<string> moved, bool existed)
    {
        foreach (var path in moved.Append(Path.Combine(directory.Root, DataDirectory.LockName)).Append(directory.UnfinishedRestore))
        {
            if (Directory.Exists(path))
                Directory.Delete(path, recursive: true);
            else
                File.Delete(path);
        }
        if (!existed && !Directory.EnumerateFileSystemEntries(directory.Root).Any())
            Directory.Delete(directory.Root);
    }

    private static string? Ask(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToString(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }

    private static UnusableBackupException Unusable(string why) => new($"That is no backup that can be restored: {why}", "Nothing was changed. Give a file that 'sallyport backup' made");
}
