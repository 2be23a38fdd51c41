using Microsoft.Data.Sqlite;

namespace Sallyport.Server.Audit.Values;

/// <summary>The file that values lie in: SQLite, by itself, so that the database and its copies never have them.</summary>
internal static class ValuesFile
{
    public const string Name = "values.db";

    /// <summary>Seconds that a statement waits for another process; requests wait behind it.</summary>
    public const int BusySeconds = 1;

    /// <summary>
    /// Opens it for the one who holds the data directory. What is deleted is overwritten, and no temporary file gets what is in it. A
    /// value survives the death of the process, as most events do, not always a loss of power.
    /// </summary>
    /// <exception cref="SqliteException">It can't be made, or is no database.</exception>
    public static SqliteConnection OpenToWrite(string path) => Open(path, SqliteOpenMode.ReadWriteCreate, """
        PRAGMA journal_mode=WAL;
        PRAGMA synchronous=NORMAL;
        PRAGMA secure_delete=ON;
        PRAGMA temp_store=MEMORY;
        CREATE TABLE IF NOT EXISTS value(
            commitment TEXT PRIMARY KEY,
            kind TEXT NOT NULL,
            salt BLOB NOT NULL,
            value BLOB NOT NULL,
            first_seen INTEGER NOT NULL,
            last_used INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX IF NOT EXISTS value_by_kind ON value(kind, value);
        """);

    /// <exception cref="SqliteException">There is none, or it can't be read.</exception>
    public static SqliteConnection OpenToRead(string path) => Open(path, SqliteOpenMode.ReadOnly, "PRAGMA temp_store=MEMORY");

    private static SqliteConnection Open(string path, SqliteOpenMode mode, string first)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false, DefaultTimeout = BusySeconds }.ToString());
        try
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = first;
            command.ExecuteNonQuery();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>A statement with its parameters, named $1, $2 and so on.</summary>
    public static SqliteCommand Statement(this SqliteConnection connection, string text, params ReadOnlySpan<object> values)
    {
        var command = connection.CreateCommand();
        command.CommandText = text;
        for (var i = 0; i < values.Length; i++)
            command.Parameters.AddWithValue($"${i + 1}", values[i]);
        return command;
    }
}
