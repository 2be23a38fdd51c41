using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using Sallyport.Server;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;
using Sallyport.Server.Storage;

namespace Sallyport.Tests.Operation;

/// <summary>Whatever is given as a backup: it is restored whole, or refused, and then nothing of it is left anywhere.</summary>
public sealed class HostileBackupTests : IDisposable
{
    private const int SizeAt = 124;
    private const int SumAt = 148;
    private const int Block = 512;

    private readonly DirectoryInfo _place = Directory.CreateTempSubdirectory("sallyport-hostile-");
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));

    /// <summary>Where an archive must not be able to write, though anybody may.</summary>
    private static readonly string s_outside = Path.Combine(Path.GetTempPath(), "sallyport-escaped");

    private string Target => Path.Combine(_place.FullName, "restored");

    public void Dispose() => _place.Delete(recursive: true);

    /// <summary>What is done to a good archive.</summary>
    private static readonly Dictionary<string, Action<List<Entry>>> s_mutations = new()
    {
        ["an absolute name"] = entries => Add(entries, new(s_outside, [1])),
        ["a name that climbs"] = entries => Add(entries, new("../escaped", [1])),
        ["a name that climbs within"] = entries => Add(entries, new("log/../../escaped", [1])),
        ["a name that climbs from a tile"] = entries => Add(entries, new("log/tile/0/../../../../escaped", [1])),
        ["a name with a dot"] = entries => Add(entries, new("./sallyport.db", [1])),
        ["a key"] = entries => Add(entries, new("keys/access-token.key", new byte[32])),
        ["a lock"] = entries => Add(entries, new("lock", [])),
        ["a journal of the database"] = entries => Add(entries, new("sallyport.db-wal", [1])),
        ["a log of no epoch"] = entries => Add(entries, new("log-epoch-0/checkpoint", [1])),
        ["a log that climbs"] = entries => Add(entries, new("log-epoch-1/../../escaped", [1])),
        ["a segment of another name"] = entries => Add(entries, new("log/journal-1", [1])),
        ["a very long name"] = entries => Add(entries, new("log/" + new string('a', 100_000), [1])),
        ["a symbolic link"] = entries => Add(entries, new("log/journal-00000000000000000009", [], TarEntryType.SymbolicLink, "/etc/passwd")),
        ["a link instead of the database"] = entries => Replace(entries, "sallyport.db", entry => entry with { Bytes = [], Type = TarEntryType.SymbolicLink, Link = "/etc/passwd" }),
        ["a hard link"] = entries => Add(entries, new("log/snapshots", [], TarEntryType.HardLink, "manifest.json")),
        ["a directory"] = entries => Add(entries, new("log/tile/0", [], TarEntryType.Directory)),
        ["a device"] = entries => Add(entries, new("log/snapshots", [], TarEntryType.CharacterDevice)),
        ["a file twice"] = entries => Add(entries, entries.Single(entry => entry.Name == "log/checkpoint")),
        ["two manifests"] = entries => Add(entries, entries[0]),
        ["no manifest"] = entries => entries.RemoveAt(0),
        ["a manifest of nothing"] = entries => entries[0] = entries[0] with { Bytes = "{}"u8.ToArray() },
        ["a manifest that is no JSON"] = entries => entries[0] = entries[0] with { Bytes = [0] },
        ["a manifest of another format"] = entries => Manifest(entries, manifest => manifest with { Format = 2 }),
        ["a manifest of another log"] = entries => Manifest(entries, manifest => manifest with { Root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }),
        ["a manifest of a longer log"] = entries => Manifest(entries, manifest => manifest with { Size = manifest.Size + 1 }),
        ["a manifest of less"] = entries => Manifest(entries, manifest => manifest with { Bytes = manifest.Bytes - 1 }),
        ["a manifest of more"] = entries => Manifest(entries, manifest => manifest with { Bytes = manifest.Bytes + 1 }),
        ["a manifest of fewer files"] = entries => Manifest(entries, manifest => manifest with { Files = manifest.Files - 1 }),
        ["no database"] = entries => Remove(entries, "sallyport.db"),
        ["no log"] = entries => Remove(entries, "log/"),
        ["no journal"] = entries => Remove(entries, "log/journal"),
        ["a database that is none"] = entries => Edit(entries, "sallyport.db", bytes => Encoding.UTF8.GetBytes(new string('x', bytes.Length))),
        ["a database of something else"] = entries => Sql(entries, "DROP TABLE __EFMigrationsHistory"),
        ["a database of a newer release"] = entries => Sql(entries, "INSERT INTO __EFMigrationsHistory VALUES ('29990101000000_Later', '99')"),
        ["a database with a trigger"] = entries => Sql(entries, "CREATE TRIGGER t AFTER UPDATE ON Grants BEGIN UPDATE Grants SET RevokedAt = NULL; END"),
        ["a change that is not in the log"] = entries => Sql(entries, $"INSERT INTO Outbox (EventId, Leaf, LogLength) VALUES ('x', x'00', 0)"),
        ["a changed leaf"] = entries => Edit(entries, "log/journal-", bytes => [.. bytes[..30], (byte)(bytes[30] ^ 1), .. bytes[31..]]),
        ["a cut journal"] = entries => Edit(entries, "log/journal-", bytes => bytes[..^1]),
        ["another key"] = entries => Edit(entries, "log/verifier-key", bytes => [.. bytes[..20], (byte)(bytes[20] ^ 1), .. bytes[21..]]),
        ["a damaged log of an earlier epoch"] = entries => Add(entries, new("log-epoch-1/checkpoint", "nothing"u8.ToArray())),
    };

    public static TheoryData<string> Mutations => [.. s_mutations.Keys];

    [Fact]
    public async Task A_good_backup_is_restored_however_it_was_packed()
    {
        var entries = await GoodAsync();

        var report = await RestoreAsync(Gzip(Tar(entries)));

        Assert.Equal(1, report.Epoch);
        Assert.True(File.Exists(Path.Combine(Target, "sallyport.db")));
        Assert.False(Directory.Exists(Path.Combine(Target, "restore-unfinished")));
        Assert.Equal("restore", ((Started)JournalFiles.ReadAll(Path.Combine(Target, "log")).First().Event).Process);
    }

    [Theory]
    [MemberData(nameof(Mutations))]
    public async Task A_hostile_backup_is_refused_and_leaves_nothing(string mutation)
    {
        var entries = await GoodAsync();
        s_mutations[mutation](entries);

        await AssertRefusedAsync(Gzip(Tar(entries)));
    }

    [Theory]
    [InlineData("sallyport.db", 10L * 1024 * 1024 * 1024)]
    [InlineData("sallyport.db", 7L * 1024 * 1024 * 1024)]
    [InlineData("log/checkpoint", 1024 * 1024)]
    [InlineData("log/journal-00000000000000000000", 64 * 1024 * 1024)]
    [InlineData("manifest.json", 1024 * 1024)]
    public async Task An_entry_that_claims_to_be_larger_than_it_may_be_is_refused_unread(string name, long claimed)
    {
        var tar = Tar(await GoodAsync());
        Claim(tar, name, claimed);

        await AssertRefusedAsync(Gzip(tar));
    }

    [Fact]
    public async Task An_archive_that_is_cut_anywhere_is_refused()
    {
        var good = Gzip(Tar(await GoodAsync()));

        foreach (var length in Enumerable.Range(0, 20).Select(part => good.Length * part / 20).Append(good.Length - 20))
            await AssertRefusedAsync(good[..length]);
    }

    [Fact]
    public async Task What_is_no_archive_is_refused()
    {
        await AssertRefusedAsync([]);
        await AssertRefusedAsync("not gzipped"u8.ToArray());
        await AssertRefusedAsync(Gzip([]));
        await AssertRefusedAsync(Gzip(new byte[100_000]));
        await AssertRefusedAsync(Gzip(Encoding.ASCII.GetBytes(new string('7', 100_000))));
    }

    [Fact]
    public async Task A_backup_for_which_there_is_no_room_is_not_unpacked()
    {
        var entries = await GoodAsync();
        Manifest(entries, manifest => manifest with { Bytes = long.MaxValue });

        await Assert.ThrowsAsync<IOException>(() => RestoreAsync(Gzip(Tar(entries))));

        Assert.False(Directory.Exists(Target));
    }

    /// <summary>The entries of a backup of a gate that has begun and ended.</summary>
    private async Task<List<Entry>> GoodAsync()
    {
        var directory = new DataDirectory(Path.Combine(_place.FullName, "data"));
        await using (var services = new ServiceCollection()
            .AddLogging()
            .AddSingleton<TimeProvider>(_time)
            .AddSallyportState(directory, new("serve", "0.1.0", null))
            .BuildServiceProvider())
        {
            var state = services.GetServices<IHostedService>().OfType<GateState>().Single();
            await state.StartAsync(TestContext.Current.CancellationToken);
            await state.StopAsync(TestContext.Current.CancellationToken);
        }
        SqliteConnection.ClearAllPools();
        var file = Path.Combine(_place.FullName, "backup.tar.gz");
        await new Backup(directory, _time).WriteAsync(file, TestContext.Current.CancellationToken);
        var entries = new List<Entry>();
        await using (var archive = File.OpenRead(file))
        await using (var gzip = new GZipStream(archive, CompressionMode.Decompress))
        await using (var tar = new TarReader(gzip))
        {
            while (await tar.GetNextEntryAsync(cancellationToken: TestContext.Current.CancellationToken) is { } entry)
            {
                using var content = new MemoryStream();
                entry.DataStream?.CopyTo(content);
                entries.Add(new(entry.Name, content.ToArray()));
            }
        }
        File.Delete(file);
        Directory.Delete(directory.Root, recursive: true);
        return entries;
    }

    private async Task<RestoreReport> RestoreAsync(byte[] archive)
    {
        using var stream = new MemoryStream(archive);
        return await new Restore(new(Target), _time).RunAsync(stream, keys: null, TestContext.Current.CancellationToken);
    }

    private async Task AssertRefusedAsync(byte[] archive)
    {
        var refused = await Assert.ThrowsAsync<UnusableBackupException>(() => RestoreAsync(archive));

        Assert.NotEmpty(refused.Hint);
        Assert.Empty(_place.EnumerateFileSystemInfos());
        Assert.False(File.Exists(s_outside));
    }

    private static byte[] Gzip(byte[] bytes)
    {
        using var archive = new MemoryStream();
        using (var gzip = new GZipStream(archive, CompressionLevel.Fastest))
            gzip.Write(bytes);
        return archive.ToArray();
    }

    private static byte[] Tar(List<Entry> entries)
    {
        using var archive = new MemoryStream();
        using (var tar = new TarWriter(archive, leaveOpen: true))
        {
            foreach (var entry in entries)
            {
                // The old form has no room for a long name.
                TarEntry written = entry.Name.Length > 100 ? new PaxTarEntry(entry.Type, entry.Name) : new UstarTarEntry(entry.Type, entry.Name);
                if (entry.Link is not null)
                    written.LinkName = entry.Link;
                if (entry.Type == TarEntryType.RegularFile)
                    written.DataStream = new MemoryStream(entry.Bytes);
                tar.WriteEntry(written);
            }
        }
        return archive.ToArray();
    }

    /// <summary>Writes another size into an entry's header, with a checksum that holds.</summary>
    private static void Claim(byte[] tar, string name, long size)
    {
        var header = tar.AsSpan().IndexOf(Encoding.ASCII.GetBytes(name + "\0"));
        Assert.Equal(0, header % Block);
        var block = tar.AsSpan(header, Block);
        Encoding.ASCII.GetBytes(Convert.ToString(size, 8).PadLeft(11, '0') is { Length: 11 } octal ? octal : "").CopyTo(block[SizeAt..]);
        // Eight gigabytes and more are written in base 256.
        if (size >= 1L << 33)
        {
            block.Slice(SizeAt, 12).Clear();
            block[SizeAt] = 0x80;
            System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(block[(SizeAt + 4)..], size);
        }
        block.Slice(SumAt, 8).Fill((byte)' ');
        var sum = 0;
        foreach (var value in block)
            sum += value;
        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(block[SumAt..]);
    }

    private static void Replace(List<Entry> entries, string prefix, Func<Entry, Entry> change)
    {
        var at = entries.FindIndex(entry => entry.Name.StartsWith(prefix, StringComparison.Ordinal));
        Assert.True(at >= 0, string.Create(CultureInfo.InvariantCulture, $"{prefix} is not in it"));
        entries[at] = change(entries[at]);
    }

    /// <summary>Changes contents, so that only they are wrong: the manifest counts them as they are.</summary>
    private static void Edit(List<Entry> entries, string prefix, Func<byte[], byte[]> change)
    {
        Replace(entries, prefix, entry => entry with { Bytes = change(entry.Bytes) });
        Recount(entries);
    }

    private static void Add(List<Entry> entries, Entry entry)
    {
        entries.Add(entry);
        Recount(entries);
    }

    private static void Remove(List<Entry> entries, string prefix)
    {
        Assert.NotEqual(0, entries.RemoveAll(entry => entry.Name.StartsWith(prefix, StringComparison.Ordinal)));
        Recount(entries);
    }

    private static void Recount(List<Entry> entries) =>
        Manifest(entries, manifest => manifest with { Files = entries.Count - 1, Bytes = entries.Skip(1).Sum(entry => (long)entry.Bytes.Length) });

    private static void Manifest(List<Entry> entries, Func<BackupManifest, BackupManifest> change) =>
        Replace(entries, "manifest.json", entry => entry with
        {
            Bytes = JsonSerializer.SerializeToUtf8Bytes(change(JsonSerializer.Deserialize(entry.Bytes, BackupJson.Default.BackupManifest)!), BackupJson.Default.BackupManifest),
        });

    private static void Sql(List<Entry> entries, string sql) => Edit(entries, "sallyport.db", bytes =>
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, bytes);
            using (var connection = new SqliteConnection($"Data Source={path};Pooling=False"))
            {
                connection.Open();
                using var command = connection.CreateCommand();
                command.CommandText = sql;
                command.ExecuteNonQuery();
            }
            return File.ReadAllBytes(path);
        }
        finally
        {
            File.Delete(path);
        }
    });

    private sealed record Entry(string Name, byte[] Bytes, TarEntryType Type = TarEntryType.RegularFile, string? Link = null);
}
