using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace Sallyport.Server.Storage;

/// <summary>The SQLite engine: one file, write-ahead log, synced at every commit.</summary>
internal static class SqliteDatabase
{
    /// <summary>Seconds that a statement waits for another process's lock before it fails.</summary>
    private const int BusySeconds = 5;

    public static void Configure(DbContextOptionsBuilder options, string path) =>
        options
            .UseSqlite(new SqliteConnectionStringBuilder { DataSource = path, DefaultTimeout = BusySeconds }.ToString())
            .AddInterceptors(FullSync.Instance);

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

    private sealed class FullSync : DbConnectionInterceptor
    {
        public static readonly FullSync Instance = new();

        public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => Apply(connection);

        public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            Apply(connection);
            return Task.CompletedTask;
        }

        private static void Apply(DbConnection connection)
        {
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA synchronous=FULL";
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
