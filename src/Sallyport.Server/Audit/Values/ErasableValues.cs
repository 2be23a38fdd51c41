using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Audit.Values;

/// <summary>What of a kind may be stored, so that nobody fills the disk with what they call themselves.</summary>
/// <param name="NewPerSecond">So many values that are not remembered are looked up or stored.</param>
/// <param name="Stored">Beyond, no new one is: what a stranger sends must never push out what is there.</param>
internal sealed record ValueLimits(int NewPerSecond = 100, int Stored = 250_000);

/// <summary>A commitment that is good for new events until its day is over or values were erased.</summary>
internal sealed record KnownValue(string Commitment, long Day, int Generation);

/// <summary>The values could not be erased.</summary>
internal sealed class ValuesUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Gives the commitments that events carry in place of addresses and names, and keeps their values until they are erased. One value
/// has one commitment until then.
/// </summary>
/// <remarks>
/// Events do not wait for it: where a value can't be stored, or there are too many new ones, the member is left out.
/// </remarks>
internal sealed partial class ErasableValues(DataDirectory directory, ValueLimits limits, TimeProvider time, ILogger<ErasableValues> logger) : IDisposable
{
    /// <summary>Of two halves: when the newer one is full it becomes the older, and that one is forgotten.</summary>
    private const int RememberedHalf = 5_000;
    private const int ErasingSeconds = 30;
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(10);
    private static readonly ValueKind[] s_kinds = Enum.GetValues<ValueKind>();

    private readonly Lock _turn = new();
    private readonly SemaphoreSlim _erasure = new(1, 1);
    private readonly int[] _stored = new int[s_kinds.Length];
    private readonly (long Second, int Count)[] _new = new (long, int)[s_kinds.Length];
    private Dictionary<(ValueKind, string), KnownValue> _newer = [];
    private Dictionary<(ValueKind, string), KnownValue> _older = [];
    private SqliteConnection? _connection;
    private DateTimeOffset _closedUntil;
    private int _generation;
    private bool _erasing;
    private bool _ended;
    private bool _complained;
    private bool _complainedOfMany;

    /// <summary>Opens the store, so that what is wrong with it is told at the start. The caller holds the data directory's lock.</summary>
    public void Open()
    {
        lock (_turn)
            Try(static connection => Checkpoint(connection));
    }

    /// <summary>Whether a commitment may stand in further events without being looked up again.</summary>
    public bool IsCurrent(KnownValue known) => known.Generation == Volatile.Read(ref _generation) && known.Day == Today;

    /// <summary>The commitment to a value, which is stored when this returns; null where it can't be, or must not.</summary>
    public string? Commit(ValueKind kind, string value) => Find(kind, value)?.Commitment;

    /// <inheritdoc cref="Commit"/>
    public KnownValue? Find(ValueKind kind, string value)
    {
        var today = Today;
        lock (_turn)
        {
            var known = _newer.GetValueOrDefault((kind, value)) ?? _older.GetValueOrDefault((kind, value));
            if (known is not null && known.Day == today)
                return known with { Generation = _generation };
            if (_erasing || (known is null && !TakeOneOf(kind)))
                return known;
            Try(connection => known = Stored(connection, kind, value, today) ?? Store(connection, kind, value, today));
            if (known is not null)
                Remember(kind, value, known);
            return known;
        }
    }

    /// <summary>Erases values, and their bytes from the files. From then on the same values get other commitments.</summary>
    /// <param name="record">Told how many of each kind go, before they do; where it fails, they stay.</param>
    /// <returns>How many of each kind went.</returns>
    /// <exception cref="ValuesUnavailableException">They could not be erased, or not their last trace.</exception>
    public async Task<IReadOnlyList<ErasedCount>> EraseAsync(IReadOnlyCollection<string> commitments, Func<IReadOnlyList<ErasedCount>, Task> record)
    {
        await _erasure.WaitAsync();
        try
        {
            // 1. The connection is this erasure's alone: what is not remembered is left out of events meanwhile.
            var connection = BeginErasing();
            await using var transaction = (SqliteTransaction)await connection.BeginTransactionAsync();
            var counts = await DeleteAsync(connection, commitments);
            if (counts.Count == 0)
                return counts;

            // 2. Nothing is erased without its record.
            await record(counts);
            await transaction.CommitAsync();
            Forget(commitments, counts);

            // 3. The bytes. Deleted rows are overwritten already; copies of their pages stand in the write-ahead log.
            await using (var vacuum = connection.Statement("VACUUM"))
                await vacuum.ExecuteNonQueryAsync();
            return Checkpoint(connection)
                ? counts
                : throw new ValuesUnavailableException("they are deleted, but a process that reads values.db keeps their bytes in values.db-wal until the gate starts anew");
        }
        catch (SqliteException exception)
        {
            throw new ValuesUnavailableException(exception.Message, exception);
        }
        finally
        {
            EndErasing();
            _erasure.Release();
        }
    }

    /// <summary>Erases what was used last before a day: no event that has to be kept names it.</summary>
    public async Task ForgetUnusedSinceAsync(DateTimeOffset oldest)
    {
        try
        {
            IReadOnlyList<StoredValue> unused;
            using (var reader = new ValueReader(directory.Log))
                unused = reader.UsedLastBefore(oldest);
            if (unused.Count > 0)
                await EraseAsync([.. unused.Select(value => value.Commitment)], static _ => Task.CompletedTask);
        }
        catch (ValuesUnavailableException exception)
        {
            LogNotForgotten(logger, directory.Values, exception);
        }
    }

    public void Dispose()
    {
        lock (_turn)
        {
            _ended = true;
            Close();
        }
    }

    /// <summary>The number of a time's day.</summary>
    public static long DayOf(DateTimeOffset time) => time.UtcTicks / TimeSpan.TicksPerDay;

    private long Today => DayOf(time.GetUtcNow());

    private KnownValue? Stored(SqliteConnection connection, ValueKind kind, string value, long today)
    {
        using var command = connection.Statement("SELECT commitment, last_used FROM value WHERE kind = $1 AND value = $2", kind.Word(), Encoding.UTF8.GetBytes(value));
        using var row = command.ExecuteReader();
        if (!row.Read())
            return null;
        var known = new KnownValue(row.GetString(0), today, _generation);
        if (row.GetInt64(1) < today)
        {
            using var use = connection.Statement("UPDATE value SET last_used = $1 WHERE commitment = $2", today, known.Commitment);
            use.ExecuteNonQuery();
        }
        return known;
    }

    private KnownValue? Store(SqliteConnection connection, ValueKind kind, string value, long today)
    {
        if (_stored[(int)kind] >= limits.Stored)
        {
            ComplainOfMany(kind);
            return null;
        }
        var (bytes, salt) = (Encoding.UTF8.GetBytes(value), Commitment.NewSalt());
        var known = new KnownValue(Commitment.To(kind, bytes, salt), today, _generation);
        using var command = connection.Statement("INSERT INTO value(commitment, kind, salt, value, first_seen, last_used) VALUES ($1, $2, $3, $4, $5, $6)",
            known.Commitment, kind.Word(), salt, bytes, time.GetUtcNow().ToUnixTimeMilliseconds(), today);
        command.ExecuteNonQuery();
        _stored[(int)kind]++;
        return known;
    }

    private void Remember(ValueKind kind, string value, KnownValue known)
    {
        if (_newer.Count >= RememberedHalf)
            (_older, _newer) = (_newer, []);
        _newer[(kind, value)] = known;
    }

    private bool TakeOneOf(ValueKind kind)
    {
        ref var taken = ref _new[(int)kind];
        var second = time.GetUtcNow().ToUnixTimeSeconds();
        if (taken.Second != second)
            taken = (second, 0);
        if (taken.Count >= limits.NewPerSecond)
        {
            ComplainOfMany(kind);
            return false;
        }
        taken.Count++;
        return true;
    }

    /// <summary>Uses the store. What fails is told, once until it has succeeded again, and nothing is tried for a while.</summary>
    private void Try(Action<SqliteConnection> use)
    {
        if (_ended || (_connection is null && time.GetUtcNow() < _closedUntil))
            return;
        try
        {
            use(_connection ??= Connect());
            _complained = false;
        }
        catch (SqliteException exception)
        {
            if (!_complained)
                LogUnavailable(logger, directory.Values, exception);
            _complained = true;
            _closedUntil = time.GetUtcNow() + s_retry;
            Close();
        }
    }

    private SqliteConnection Connect()
    {
        var connection = ValuesFile.OpenToWrite(directory.Values);
        using var command = connection.Statement("SELECT kind, count(*) FROM value GROUP BY kind");
        using var row = command.ExecuteReader();
        Array.Clear(_stored);
        while (row.Read())
            _stored[Array.FindIndex(s_kinds, kind => kind.Word() == row.GetString(0))] = row.GetInt32(1);
        return connection;
    }

    private void Close()
    {
        _connection?.Dispose();
        _connection = null;
    }

    private SqliteConnection BeginErasing()
    {
        lock (_turn)
        {
            if (_ended)
                throw new ValuesUnavailableException("the gate is stopping");
            var connection = _connection ??= Connect();
            connection.DefaultTimeout = ErasingSeconds;
            _erasing = true;
            return connection;
        }
    }

    private void EndErasing()
    {
        lock (_turn)
        {
            _erasing = false;
            _connection?.DefaultTimeout = ValuesFile.BusySeconds;
        }
    }

    private static async Task<IReadOnlyList<ErasedCount>> DeleteAsync(SqliteConnection connection, IReadOnlyCollection<string> commitments)
    {
        var counts = new int[s_kinds.Length];
        foreach (var commitment in commitments)
        {
            await using var command = connection.Statement("DELETE FROM value WHERE commitment = $1 RETURNING kind", commitment);
            if (await command.ExecuteScalarAsync() is string word)
                counts[Array.FindIndex(s_kinds, kind => kind.Word() == word)]++;
        }
        return [.. s_kinds.Where(kind => counts[(int)kind] > 0).Select(kind => new ErasedCount(kind, counts[(int)kind]))];
    }

    private void Forget(IReadOnlyCollection<string> commitments, IReadOnlyList<ErasedCount> counts)
    {
        lock (_turn)
        {
            var gone = commitments.ToHashSet(StringComparer.Ordinal);
            foreach (var half in (ReadOnlySpan<Dictionary<(ValueKind, string), KnownValue>>)[_newer, _older])
            {
                foreach (var (key, _) in half.Where(known => gone.Contains(known.Value.Commitment)).ToList())
                    half.Remove(key);
            }
            foreach (var (kind, count) in counts)
                _stored[(int)kind] -= count;
            // Connections ask again.
            Volatile.Write(ref _generation, _generation + 1);
        }
    }

    /// <summary>Empties the write-ahead log; false when a reader kept it from that.</summary>
    private static bool Checkpoint(SqliteConnection connection)
    {
        // The pragma asks SQLite itself to wait, and gives an answer instead of an error where that was in vain.
        void Wait(int seconds)
        {
            using var wait = connection.Statement($"PRAGMA busy_timeout={seconds * 1000}");
            wait.ExecuteNonQuery();
        }
        Wait(connection.DefaultTimeout);
        using var command = connection.Statement("PRAGMA wal_checkpoint(TRUNCATE)");
        bool isEmpty;
        using (var row = command.ExecuteReader())
            isEmpty = row.Read() && row.GetInt32(0) == 0;
        Wait(0);
        return isEmpty;
    }

    private void ComplainOfMany(ValueKind kind)
    {
        if (!_complainedOfMany)
            LogMany(logger, kind.Word(), limits.NewPerSecond, limits.Stored);
        _complainedOfMany = true;
    }

    [LoggerMessage(LogLevel.Error, "The values in {Path} can't be used: events go without addresses, user agents and names until they can. Mend the disk (space, permissions), or move a file that is damaged away.")]
    private static partial void LogUnavailable(ILogger logger, string path, Exception exception);

    [LoggerMessage(LogLevel.Warning, "There are too many new values of the kind {Kind}: beyond {PerSecond} a second, and {Stored} in all, events go without. This is told once.")]
    private static partial void LogMany(ILogger logger, string kind, int perSecond, int stored);

    [LoggerMessage(LogLevel.Error, "The values in {Path} that are older than the retention could not be erased; it is tried again with the next snapshot.")]
    private static partial void LogNotForgotten(ILogger logger, string path, Exception exception);
}
