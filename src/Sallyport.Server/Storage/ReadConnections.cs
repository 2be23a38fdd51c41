using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Storage;

/// <summary>
/// Connections to read in plain SQL, outside of the turn: what was committed last is seen. There are as many as ever read at once.
/// </summary>
internal sealed class ReadConnections(DataDirectory directory) : IDisposable
{
    private readonly ConcurrentBag<PlainConnection> _idle = [];

    /// <summary>The one row that a query finds, or null.</summary>
    public T? Find<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<object?> values) where T : class
    {
        if (!_idle.TryTake(out var connection))
            connection = new(directory);
        try
        {
            var found = connection.Find(sql, read, values);
            _idle.Add(connection);
            return found;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        while (_idle.TryTake(out var connection))
            connection.Dispose();
    }
}
