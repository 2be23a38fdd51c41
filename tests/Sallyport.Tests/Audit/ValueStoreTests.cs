using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;

namespace Sallyport.Tests.Audit;

/// <summary>The store of values by itself.</summary>
public sealed class ValueStoreTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("sallyport-values-");
    private readonly DataDirectory _directory;
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly LogLines _log = new();
    private readonly ILoggerFactory _loggers;
    private readonly List<ErasableValues> _opened = [];

    public ValueStoreTests()
    {
        _directory = new(_root.FullName);
        _directory.Create();
        _loggers = LoggerFactory.Create(logging => logging.AddProvider(_log));
    }

    public void Dispose()
    {
        foreach (var values in _opened)
            values.Dispose();
        _loggers.Dispose();
        _root.Delete(recursive: true);
    }

    [Fact]
    public void One_value_has_one_commitment_also_after_a_restart()
    {
        var first = Open();
        var commitment = first.Commit(ValueKind.Address, "203.0.113.7");
        Assert.Equal(commitment, first.Commit(ValueKind.Address, "203.0.113.7"));
        first.Dispose();

        var second = Open();

        Assert.Equal(commitment, second.Commit(ValueKind.Address, "203.0.113.7"));
        Assert.NotEqual(commitment, second.Commit(ValueKind.Address, "203.0.113.8"));
        Assert.NotEqual(commitment, second.Commit(ValueKind.UserAgent, "203.0.113.7"));
        Assert.Equal(43, commitment!.Length);
    }

    [Fact]
    public void Each_value_has_a_salt_of_its_own_so_that_nobody_can_try_all_addresses()
    {
        var values = Open();
        for (var i = 0; i < 50; i++)
            Assert.NotNull(values.Commit(ValueKind.Address, $"203.0.113.{i}"));

        var salts = Rows("SELECT hex(salt) FROM value");

        Assert.Equal(50, salts.Distinct().Count());
        Assert.All(salts, salt => Assert.Equal(2 * 32, salt.Length));
        // Whoever has the log and one salt, but not this one, tries in vain.
        var committed = values.Commit(ValueKind.Address, "203.0.113.49");
        Assert.DoesNotContain(committed, Enumerable.Range(0, 256).Select(i => Commitment.To(ValueKind.Address, Encoding.UTF8.GetBytes($"203.0.113.{i}"), new byte[32])));
    }

    [Fact]
    public void A_value_that_was_exchanged_in_the_store_is_not_believed()
    {
        var commitment = Open().Commit(ValueKind.Address, "203.0.113.7")!;
        using var reader = new ValueReader(_directory.Log);
        Assert.Equal((ValueState.Open, "203.0.113.7"), reader.Open(ValueKind.Address, commitment));
        // Nor is one that stands in an event as something else.
        Assert.Equal((ValueState.Unmatched, null), reader.Open(ValueKind.UserAgent, commitment));

        Execute("UPDATE value SET value = CAST('198.51.100.66' AS BLOB)");

        Assert.Equal((ValueState.Unmatched, null), reader.Open(ValueKind.Address, commitment));
    }

    [Fact]
    public async Task What_is_erased_is_nowhere_in_the_files_and_gets_another_commitment()
    {
        var values = Open();
        var before = Enumerable.Range(0, 90).Select(i => values.Commit(ValueKind.UserAgent, $"Marked-Agent/{i}")!).ToList();
        Assert.Contains("Marked-Agent/7", Bytes(), StringComparison.Ordinal);

        var counts = await values.EraseAsync([before[7], before[8], "of nothing"], counted =>
        {
            // Not before it is recorded.
            Assert.Equal([new(ValueKind.UserAgent, 2)], counted);
            using var early = new ValueReader(_directory.Log);
            Assert.Equal(ValueState.Open, early.Open(ValueKind.UserAgent, before[7]).State);
            return Task.CompletedTask;
        });

        Assert.Equal([new(ValueKind.UserAgent, 2)], counts);
        var bytes = Bytes();
        Assert.DoesNotContain("Marked-Agent/7\0", bytes + "\0", StringComparison.Ordinal);
        Assert.DoesNotMatch("Marked-Agent/[78][^0-9]", bytes);
        Assert.Contains("Marked-Agent/70", bytes, StringComparison.Ordinal);
        Assert.Equal(0, new FileInfo(_directory.Values + "-wal").Length);
        using var reader = new ValueReader(_directory.Log);
        Assert.Equal((ValueState.Erased, null), reader.Open(ValueKind.UserAgent, before[7]));
        var after = values.Commit(ValueKind.UserAgent, "Marked-Agent/7")!;
        Assert.NotEqual(before[7], after);
        Assert.Equal(before[70], values.Commit(ValueKind.UserAgent, "Marked-Agent/70"));
    }

    [Fact]
    public async Task What_could_not_be_recorded_is_not_erased()
    {
        var values = Open();
        var commitment = values.Commit(ValueKind.UserName, "alice")!;

        await Assert.ThrowsAsync<InvalidOperationException>(() => values.EraseAsync([commitment], _ => throw new InvalidOperationException()));

        using var reader = new ValueReader(_directory.Log);
        Assert.Equal((ValueState.Open, "alice"), reader.Open(ValueKind.UserName, commitment));
        Assert.Equal(commitment, values.Commit(ValueKind.UserName, "alice"));
        Assert.NotNull(values.Commit(ValueKind.UserName, "bob"));
    }

    [Fact]
    public void A_flood_of_new_values_is_left_out_and_what_is_known_is_not()
    {
        var values = Open(new(NewPerSecond: 10));
        var known = values.Commit(ValueKind.UserAgent, "known");
        for (var i = 0; i < 9; i++)
            Assert.NotNull(values.Commit(ValueKind.UserAgent, $"flood {i}"));

        Assert.Null(values.Commit(ValueKind.UserAgent, "flood 9"));
        Assert.Null(values.Commit(ValueKind.UserAgent, "flood 10"));

        Assert.Equal(known, values.Commit(ValueKind.UserAgent, "known"));
        // Another kind has its own rate.
        Assert.NotNull(values.Commit(ValueKind.Address, "203.0.113.7"));
        Assert.Single(_log.Lines, line => line.Contains("too many new values", StringComparison.Ordinal));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.NotNull(values.Commit(ValueKind.UserAgent, "flood 10"));
    }

    [Fact]
    public void So_many_are_stored_and_a_stranger_pushes_none_of_them_out()
    {
        var values = Open(new(Stored: 3));
        var stored = Enumerable.Range(0, 3).Select(i => values.Commit(ValueKind.UserAgent, $"early {i}")).ToList();

        Assert.Null(values.Commit(ValueKind.UserAgent, "late"));
        values.Dispose();
        var again = Open(new(Stored: 3));

        Assert.Null(again.Commit(ValueKind.UserAgent, "late"));
        Assert.Equal(stored, Enumerable.Range(0, 3).Select(i => again.Commit(ValueKind.UserAgent, $"early {i}")));
        Assert.NotNull(again.Commit(ValueKind.ClientName, "of another kind"));
    }

    [Fact]
    public async Task Room_that_was_made_by_erasing_can_be_used()
    {
        var values = Open(new(Stored: 1));
        var first = values.Commit(ValueKind.UserAgent, "first")!;
        Assert.Null(values.Commit(ValueKind.UserAgent, "second"));

        await values.EraseAsync([first], _ => Task.CompletedTask);

        Assert.NotNull(values.Commit(ValueKind.UserAgent, "second"));
    }

    [Fact]
    public async Task What_was_used_on_a_day_that_is_kept_stays()
    {
        var values = Open();
        var used = values.Commit(ValueKind.Address, "203.0.113.7");
        var unused = values.Commit(ValueKind.Address, "203.0.113.8")!;
        _time.Advance(TimeSpan.FromDays(5));
        Assert.Equal(used, values.Commit(ValueKind.Address, "203.0.113.7"));
        _time.Advance(TimeSpan.FromDays(5));

        await values.ForgetUnusedSinceAsync(_time.GetUtcNow() - TimeSpan.FromDays(7));

        using var reader = new ValueReader(_directory.Log);
        Assert.Equal(ValueState.Erased, reader.Open(ValueKind.Address, unused).State);
        Assert.Equal(used, values.Commit(ValueKind.Address, "203.0.113.7"));
        Assert.NotEqual(unused, values.Commit(ValueKind.Address, "203.0.113.8"));
    }

    [Fact]
    public void A_store_that_is_no_database_is_told_once_and_leaves_its_members_out()
    {
        File.WriteAllText(_directory.Values, new string('x', 8192));
        var values = Open();

        for (var i = 0; i < 20; i++)
        {
            Assert.Null(values.Commit(ValueKind.UserName, "alice"));
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Single(_log.Lines, line => line.Contains("values.db can't be used", StringComparison.Ordinal));
        Assert.Equal(new string('x', 8192), File.ReadAllText(_directory.Values));
        using var reader = new ValueReader(_directory.Log);
        Assert.Equal(ValueState.Unknown, reader.Open(ValueKind.UserName, "whatever").State);
    }

    [Fact]
    public void A_store_that_was_mended_is_used_again_by_itself()
    {
        Directory.CreateDirectory(_directory.Values);
        var values = Open();
        Assert.Null(values.Commit(ValueKind.UserName, "alice"));
        Directory.Delete(_directory.Values);
        Assert.Null(values.Commit(ValueKind.UserName, "alice"));

        _time.Advance(TimeSpan.FromSeconds(11));

        Assert.NotNull(values.Commit(ValueKind.UserName, "alice"));
    }

    [Fact]
    public void A_store_that_fails_while_it_is_used_leaves_out_only_what_is_new()
    {
        var values = Open();
        var known = values.Commit(ValueKind.UserName, "alice");
        Execute("DROP TABLE value");

        Assert.Null(values.Commit(ValueKind.UserName, "bob"));
        Assert.Equal(known, values.Commit(ValueKind.UserName, "alice"));

        Assert.Single(_log.Lines, line => line.Contains("can't be used", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("\0\u0001\u001b[2J\r\n\t")]
    [InlineData("\u202eevil\u2066 \u2028")]
    [InlineData("'; DROP TABLE value; --")]
    [InlineData("\U0001F600 ünïcode %s {0} $1")]
    [InlineData("")]
    public void Whatever_a_value_is_it_opens_as_it_was(string value)
    {
        var commitment = Open().Commit(ValueKind.UserAgent, value)!;

        using var reader = new ValueReader(_directory.Log);

        Assert.Equal((ValueState.Open, value), reader.Open(ValueKind.UserAgent, commitment));
    }

    [Fact]
    public void Only_the_gates_account_can_read_the_store()
    {
        if (OperatingSystem.IsWindows())
            return;
        Open().Commit(ValueKind.UserName, "alice");

        foreach (var file in Directory.GetFiles(_directory.Log, "values.db*"))
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }

    [Fact]
    public void A_log_without_a_store_beside_it_says_nothing_of_its_values()
    {
        using var reader = new ValueReader(_directory.Log);

        Assert.Equal((ValueState.Unknown, null), reader.Open(ValueKind.Address, "whatever"));
        Assert.Empty(reader.Of(ValueKind.Address, "203.0.113.7"));
    }

    private ErasableValues Open(ValueLimits? limits = null)
    {
        var values = new ErasableValues(_directory, limits ?? new(), _time, _loggers.CreateLogger<ErasableValues>());
        values.Open();
        _opened.Add(values);
        return values;
    }

    /// <summary>All that the store's files have.</summary>
    private string Bytes() => string.Concat(Directory.GetFiles(_directory.Log, "values.db*").Order().Select(path =>
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return Encoding.Latin1.GetString(bytes);
    }));

    private List<string> Rows(string query)
    {
        using var connection = Connect();
        using var command = connection.Statement(query);
        using var row = command.ExecuteReader();
        var rows = new List<string>();
        while (row.Read())
            rows.Add(row.GetString(0));
        return rows;
    }

    private void Execute(string text)
    {
        using var connection = Connect();
        using var command = connection.Statement(text);
        command.ExecuteNonQuery();
    }

    private SqliteConnection Connect()
    {
        var connection = new SqliteConnection($"Data Source={_directory.Values};Pooling=False");
        connection.Open();
        return connection;
    }
}
