using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace Sallyport.Server.Storage;

/// <summary>
/// The SQLite engine: one file and its write-ahead log. A commit is not synced by itself; <see cref="Sync"/> syncs all there are
/// before anybody is told of one.
/// </summary>
internal static class SqliteDatabase
{
    /// <summary>Seconds that a statement waits for another process's lock before it fails.</summary>
    private const int BusySeconds = 5;

    public static void Configure(DbContextOptionsBuilder options, string path) =>
        options
            .UseSqlite(ConnectionString(path))
            .AddInterceptors(Pragmas.Instance);

    /// <summary>
    /// Mends what a process that was killed in its first start can leave, before migrations run: a lock on them, for which they would
    /// wait without end, and a file that never was given its write-ahead log. The caller is alone with the database.
    /// </summary>
    public static Task TakeUpAsync(SallyportDb db, CancellationToken cancellationToken) =>
        db.Database.ExecuteSqlRawAsync("PRAGMA journal_mode = 'wal'; DROP TABLE IF EXISTS \"__EFMigrationsLock\"", cancellationToken);

    /// <summary>Begins to read: what is committed from now on is not seen. Writers do not wait for it.</summary>
    public static async Task<IDbContextTransaction> BeginReadAsync(SallyportDb db, CancellationToken cancellationToken)
    {
        await db.Database.OpenConnectionAsync(cancellationToken);
        var transaction = ((SqliteConnection)db.Database.GetDbConnection()).BeginTransaction(deferred: true);
        var reading = (await db.Database.UseTransactionAsync(transaction, cancellationToken))!;
        // The first read is what begins it.
        await db.Outbox.AnyAsync(cancellationToken);
        return reading;
    }

    /// <summary>Copies a database, as it is at one moment, while others write to it. The copy is one file.</summary>
    public static void Copy(string path, string copy)
    {
        using var source = Open(path, SqliteOpenMode.ReadWrite);
        using var destination = Open(copy, SqliteOpenMode.ReadWriteCreate);
        source.BackupDatabase(destination);
        // Into the one file, whatever the source's journal was.
        using var command = destination.CreateCommand();
        command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
        command.ExecuteNonQuery();
    }

    /// <summary>A connection of its own, for what has no model: copies, and files that may be anybody's.</summary>
    public static SqliteConnection Open(string path, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, DefaultTimeout = BusySeconds, Pooling = false }.ToString());
        connection.Open();
        return connection;
    }

    /// <summary>A connection with the pragmas of those that the model opens.</summary>
    public static SqliteConnection OpenForState(string path)
    {
        var connection = new SqliteConnection(ConnectionString(path));
        connection.Open();
        Pragmas.Apply(connection);
        return connection;
    }

    /// <summary>Ends once all that was committed is on the disk: the write-ahead log has it, or the database itself.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public static void Sync(string path)
    {
        try
        {
            using var file = File.OpenHandle(path + "-wal", FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            RandomAccess.FlushToDisk(file);
        }
        catch (FileNotFoundException)
        {
            // It goes when the last connection closes, after its content was moved and synced.
        }
    }

    private static string ConnectionString(string path) => new SqliteConnectionStringBuilder { DataSource = path, DefaultTimeout = BusySeconds }.ToString();

    private sealed class Pragmas : DbConnectionInterceptor
    {
        public static readonly Pragmas Instance = new();

        public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => Apply(connection);

        public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            Apply(connection);
            return Task.CompletedTask;
        }

        public static void Apply(DbConnection connection)
        {
            using var command = connection.CreateCommand();
            // NORMAL syncs what keeps the file whole. Checkpoints come less often than by default, as each one is two syncs.
            command.CommandText = "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000";
            command.ExecuteNonQuery();
        }
    }
}

/// <summary>For <c>dotnet ef migrations add</c> only.</summary>
internal sealed class DesignTimeFactory : IDesignTimeDbContextFactory<SallyportDb>
{
    public SallyportDb CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<SallyportDb>();
        SqliteDatabase.Configure(options, "design-time.db");
        return new(options.Options);
    }
}
