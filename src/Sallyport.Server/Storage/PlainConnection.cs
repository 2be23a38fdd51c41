using Microsoft.Data.Sqlite;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Storage;

/// <summary>A connection whose statements are prepared once and kept. One caller at a time.</summary>
internal class PlainConnection(DataDirectory directory) : IDisposable
{
    private readonly Dictionary<string, SqliteCommand> _prepared = new(StringComparer.Ordinal);
    private SqliteConnection? _connection;

    /// <summary>Takes SQLite's write lock; what is changed from here on is undone unless it is committed.</summary>
    public Change Begin()
    {
        Execute("BEGIN IMMEDIATE");
        return new(this);
    }

    /// <summary>Runs a statement whose parameters are <c>@0</c>, <c>@1</c>…; gives how many rows it changed.</summary>
    public int Execute(string sql, params ReadOnlySpan<object?> values) => Prepare(sql, values).ExecuteNonQuery();

    /// <summary>The one row that a query finds, or null.</summary>
    public T? Find<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> values) where T : class
    {
        using var reader = Prepare(sql, values).ExecuteReader();
        return reader.Read() ? read(reader) : null;
    }

    public void Dispose()
    {
        foreach (var command in _prepared.Values)
            command.Dispose();
        _prepared.Clear();
        _connection?.Dispose();
        _connection = null;
    }

    private SqliteCommand Prepare(string sql, ReadOnlySpan<object?> values)
    {
        if (!_prepared.TryGetValue(sql, out var command))
        {
            _connection ??= SqliteDatabase.OpenForState(directory.Database);
            command = _connection.CreateCommand();
            command.CommandText = sql;
            for (var i = 0; i < values.Length; i++)
                command.Parameters.Add(new SqliteParameter { ParameterName = $"@{i}" });
            _prepared.Add(sql, command);
        }
        for (var i = 0; i < values.Length; i++)
            command.Parameters[i].Value = values[i] ?? DBNull.Value;
        return command;
    }

    /// <summary>A change that has begun.</summary>
    public sealed class Change(PlainConnection connection) : IDisposable
    {
        private bool _ended;

        public void Commit()
        {
            connection.Execute("COMMIT");
            _ended = true;
        }

        public void Dispose()
        {
            if (_ended)
                return;
            _ended = true;
            try
            {
                connection.Execute("ROLLBACK");
            }
            catch (SqliteException)
            {
                // SQLite has rolled back by itself, or cannot: closing ends the transaction either way.
                connection.Dispose();
            }
        }
    }
}
