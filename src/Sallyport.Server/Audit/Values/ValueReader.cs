using System.Text;
using Microsoft.Data.Sqlite;
using Sallyport.Proof.Events;

namespace Sallyport.Server.Audit.Values;

/// <summary>A value that is stored.</summary>
internal sealed record StoredValue(string Commitment, string Kind, string Text);

/// <summary>What became of a commitment.</summary>
internal enum ValueState
{
    /// <summary>Its value is there.</summary>
    Open,

    /// <summary>Its value is there no more: erased, or never on the disk.</summary>
    Erased,

    /// <summary>What is stored for it is not what was committed to.</summary>
    Unmatched,

    /// <summary>There is no store beside this log that can be read.</summary>
    Unknown,
}

/// <summary>
/// Opens the commitments of a log's events, and finds stored values. It takes no lock, works beside a running gate and on a copy of a
/// log, and believes no value that does not match.
/// </summary>
internal sealed class ValueReader(string logDirectory) : IDisposable
{
    private readonly string _path = Path.Combine(logDirectory, ValuesFile.Name);
    private SqliteConnection? _connection;
    private bool _unreadable;

    /// <summary>The value behind a commitment that stands in an event as one of this kind; the text is null unless it is open.</summary>
    public (ValueState State, string? Text) Open(ValueKind kind, string commitment)
    {
        try
        {
            if (Connection() is not { } connection)
                return (ValueState.Unknown, null);
            using var command = connection.Statement("SELECT salt, value FROM value WHERE commitment = $1", commitment);
            using var row = command.ExecuteReader();
            if (!row.Read())
                return (ValueState.Erased, null);
            var value = row.GetFieldValue<byte[]>(1);
            return Commitment.To(kind, value, row.GetFieldValue<byte[]>(0)) == commitment
                ? (ValueState.Open, Encoding.UTF8.GetString(value))
                : (ValueState.Unmatched, null);
        }
        catch (Exception exception) when (exception is SqliteException or InvalidCastException or InvalidOperationException)
        {
            _unreadable = true;
            return (ValueState.Unknown, null);
        }
    }

    /// <exception cref="ValuesUnavailableException">The store can't be read.</exception>
    public IReadOnlyList<StoredValue> Of(ValueKind kind, string text) => Find("kind = $1 AND value = $2", kind.Word(), Encoding.UTF8.GetBytes(text));

    /// <inheritdoc cref="Of"/>
    public IReadOnlyList<StoredValue> Behind(IEnumerable<string> commitments) => [.. commitments.SelectMany(commitment => Find("commitment = $1", commitment))];

    /// <summary>Those that no event names from the day of this time on.</summary>
    /// <inheritdoc cref="Of"/>
    public IReadOnlyList<StoredValue> UsedLastBefore(DateTimeOffset time) => Find("last_used < $1", ErasableValues.DayOf(time));

    public void Dispose() => _connection?.Dispose();

    private List<StoredValue> Find(string condition, params ReadOnlySpan<object> values)
    {
        try
        {
            var found = new List<StoredValue>();
            if (Connection() is not { } connection)
                return found;
            using var command = connection.Statement($"SELECT commitment, kind, value FROM value WHERE {condition} ORDER BY kind, value", values);
            using var row = command.ExecuteReader();
            while (row.Read())
                found.Add(new(row.GetString(0), row.GetString(1), Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(2))));
            return found;
        }
        catch (SqliteException exception)
        {
            throw new ValuesUnavailableException(exception.Message, exception);
        }
    }

    /// <summary>Whoever follows a log may have come before its values.</summary>
    private SqliteConnection? Connection() =>
        _unreadable ? null : _connection ??= File.Exists(_path) ? ValuesFile.OpenToRead(_path) : null;
}
