using Microsoft.Data.Sqlite;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Operation;

/// <summary>The log did not get the events of changes that the database has.</summary>
internal sealed class BehindLogException(int missing) : Exception($"{missing} changes of the database are not in the log yet");

/// <summary>What a backup came to.</summary>
internal sealed record BackupReport(BackupManifest Manifest, long Bytes);

/// <summary>
/// Copies database and log into one file, while a gate may be writing both. It takes no lock and changes nothing.
/// </summary>
/// <remarks>
///     [1 database] ▶ [2 wait until the log has what the database has] ▶ [3 log] ▶ [4 verify the copy] ▶ [5 pack] ▶ [6 into place]
///
/// The log is copied after the database: it may know more, never less.
/// </remarks>
internal sealed class Backup(DataDirectory directory, TimeProvider time)
{
    /// <summary>What was committed is in the log within moments, where a gate runs.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(50);

    /// <summary>A log that is pruned while it is copied is copied again.</summary>
    private const int Attempts = 3;

    /// <exception cref="BehindLogException">A gate was killed, and has to start once before.</exception>
    /// <exception cref="DamagedLogException">The log is not whole.</exception>
    public async Task<BackupReport> WriteAsync(string file, CancellationToken cancellationToken)
    {
        DataDirectory.KeepPrivate();
        var path = Path.GetFullPath(file);
        if (Path.Exists(path))
            throw new IOException($"{file} exists already, and no backup is overwritten");
        var staging = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.{RandomId.NewHex()}");
        try
        {
            var content = Directory.CreateDirectory(Path.Combine(staging, "content")).FullName;

            // 1. The database.
            var database = Path.Combine(content, BackupArchive.Database);
            SqliteDatabase.Copy(directory.Database, database);

            // 2. Its changes have their events.
            await WaitForEventsAsync(database, cancellationToken);

            // 3. and 4. The logs of earlier epochs do not change any more.
            var head = CopyLog(directory.Log, Path.Combine(content, BackupArchive.Log));
            foreach (var log in directory.Epochs().Select(directory.LogOfEpoch))
                CopyLog(log, Path.Combine(content, Path.GetFileName(log)));

            // 5. and 6. Under its name there is a whole one or none.
            var partial = Path.Combine(staging, "archive");
            BackupManifest manifest;
            long bytes;
            await using (var archive = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                manifest = BackupArchive.Write(content, archive, head, time.GetUtcNow());
                archive.Flush(flushToDisk: true);
                bytes = archive.Length;
            }
            File.Move(partial, path);
            Disk.SyncDirectory(Path.GetDirectoryName(path)!);
            return new(manifest, bytes);
        }
        catch (SqliteException exception)
        {
            throw new IOException($"The database could not be copied: {exception.Message}", exception);
        }
        finally
        {
            if (Directory.Exists(staging))
                Directory.Delete(staging, recursive: true);
        }
    }

    /// <summary>The keys of the gate whose log has this origin, sealed.</summary>
    public void WriteKeys(string file, string passphrase, string origin)
    {
        DataDirectory.KeepPrivate();
        if (Path.Exists(file))
            throw new IOException($"{file} exists already, and no key file is overwritten");
        Disk.Replace(Path.GetFullPath(file), KeyFile.Read(directory, origin).Seal(passphrase));
    }

    /// <summary>The changes in a copy of the database whose events a log lacks, by the ids of the events.</summary>
    public static IReadOnlyCollection<string> MissingEvents(string database, string log)
    {
        var rows = new List<(string EventId, long LogLength)>();
        using (var connection = SqliteDatabase.Open(database, SqliteOpenMode.ReadWrite))
        using (var command = connection.CreateCommand())
        {
            command.CommandText = "SELECT EventId, LogLength FROM Outbox";
            using var row = command.ExecuteReader();
            while (row.Read())
                rows.Add((row.GetString(0), row.GetInt64(1)));
        }
        return Outbox.MissingEvents(rows, log);
    }

    private async Task WaitForEventsAsync(string database, CancellationToken cancellationToken)
    {
        for (var begun = time.GetTimestamp(); MissingEvents(database, directory.Log) is { Count: > 0 and var missing };)
        {
            if (time.GetElapsedTime(begun) > s_patience)
                throw new BehindLogException(missing);
            await Task.Delay(s_interval, time, cancellationToken);
        }
    }

    private static Checkpoint CopyLog(string log, string to)
    {
        for (var attempt = 1; ; attempt++)
        {
            LogCopy.Take(new(log), to);
            var copy = new LogFiles(to);
            var fault = FaultOf(copy);
            if (fault is null)
                return LogCopy.HeadOf(copy);
            if (attempt == Attempts)
                throw new DamagedLogException(fault);
            Directory.Delete(to, recursive: true);
        }
    }

    /// <summary>Why a log is not whole; null where it is.</summary>
    public static string? FaultOf(LogFiles files)
    {
        try
        {
            var report = LogVerifier.Verify(files, NoteKey.Check);
            return report.IsWhole ? null : report.Faults[0].Text;
        }
        catch (InvalidDataException exception)
        {
            return exception.Message;
        }
    }
}
