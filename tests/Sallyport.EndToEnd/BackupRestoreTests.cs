using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>What was backed up comes back, but for what may not: whatever was revoked stays revoked, and no log forks.</summary>
public sealed class BackupRestoreTests : IDisposable
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";
    private const string Passphrase = "a passphrase of some length";

    private readonly DirectoryInfo _place = Directory.CreateTempSubdirectory("sallyport-backup-");
    private readonly DataFolder _data = new();
    private readonly DataFolder _restored = new();

    private string File => Path.Combine(_place.FullName, "backup.tar.gz");
    private string KeyFile => Path.Combine(_place.FullName, "keys");

    public void Dispose()
    {
        _place.Delete(recursive: true);
        _data.Dispose();
        _restored.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_restored_has_users_and_clients_and_nothing_that_was_granted(bool withKeys)
    {
        await using var gate = await GateProcess.StartAsync(_data);
        await Executable.AddUserAsync(_data, UserName, Password);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        using var other = await GateClient.RegisterAsync(gate.Origin);
        var tokens = await client.SignInAsync(UserName, Password);
        var code = await other.AuthorizeAsync(UserName, Password);
        var lateCode = await client.AuthorizeAsync(UserName, Password);
        using var late = await client.RedeemAsync(lateCode!);
        var lateTokens = await GateClient.ReadTokensAsync(late);
        // The browser is signed in: no password is asked for.
        Assert.NotNull(await client.AuthorizeAsync(UserName, "not the password"));

        await BackupAsync(withKeys);
        using var reused = await client.RedeemAsync(lateCode!);
        Assert.False(await client.IsAcceptedAsync(lateTokens.AccessToken));
        await gate.StopAsync();
        await RestoreAsync(withKeys);

        AssertPrivate();
        await using var next = await GateProcess.StartAsync(_restored, gate.Port);
        Assert.False(await client.IsAcceptedAsync(tokens.AccessToken));
        Assert.False(await client.IsAcceptedAsync(lateTokens.AccessToken));
        using var refreshed = await client.RefreshAsync(tokens.RefreshToken);
        Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(refreshed));
        using var refreshedLate = await client.RefreshAsync(lateTokens.RefreshToken);
        Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(refreshedLate));
        using var redeemed = await other.RedeemAsync(code!);
        Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(redeemed));
        Assert.Null(await client.AuthorizeAsync(UserName, "not the password"));
        Assert.Equal("again", await client.EchoAsync((await client.SignInAsync(UserName, Password)).AccessToken, "again"));
        await next.StopAsync();

        // The log of before: whole, and nothing was appended to it.
        var old = Path.Combine(_restored.Path, "log-epoch-1");
        var (oldKey, oldLength) = await VerifyAsync(old);
        var (oldLog, newLog) = (await Recording.ReadAsync(_data.Path), await _restored.ReadLogAsync());
        // The new one: of another origin, and it says first what it follows.
        var (newKey, newLength) = await VerifyAsync(_restored.Path);
        Assert.NotEqual(oldKey, newKey);
        Assert.Equal(newLog.Events.Count, newLength);
        var start = Assert.IsType<Started>(newLog.Events[0]);
        Assert.Equal(("restore", 0L, 0), (start.Process, start.FollowsSize, start.Recovered));
        var restored = Assert.IsType<LogRestored>(newLog.Events[1]);
        Assert.Equal((1, oldKey.Split('+')[0], oldLength), (restored.Epoch, restored.PreviousOrigin, restored.PreviousSize));
        Assert.True(oldLength < oldLog.Events.Count);
        Assert.Equal(
            oldLog.Events.Take((int)oldLength).OfType<CodeIssued>().Select(issued => issued.Grant).Order(StringComparer.Ordinal),
            newLog.All<TokenRevoked>().Where(revoked => revoked.Reason == Reason.RevokedByRestore).Select(revoked => revoked.Grant).Order(StringComparer.Ordinal));
        var snapshot = newLog.Single<SnapshotBegun>(begun => newLog.NumberOf(begun) < newLog.NumberOf(newLog.All<Stopped>().First()));
        newLog.AssertInOrder([restored, newLog.All<TokenRevoked>().First(), snapshot, newLog.All<Stopped>().First()]);
        var parts = newLog.All<SnapshotPart>().Where(part => part.Snapshot == snapshot.Snapshot).ToList();
        Assert.Equal(2, parts.SelectMany(part => part.Clients ?? []).Count());
        Assert.Single(parts.SelectMany(part => part.Subjects ?? []));
        Assert.DoesNotContain(parts, part => part.Grants is not null || part.Tokens is not null || part.RefreshTokens is not null);
        // A token of before is known as one that was revoked, where the key that made it came along; else it is anybody's.
        Assert.Equal(
            Enumerable.Repeat(withKeys ? Reason.TokenRevoked : Reason.TokenForged, 2),
            newLog.All<AccessRefused>().Where(refused => refused.Status == (int)HttpStatusCode.Unauthorized).Select(refused => refused.Reason));
    }

    [Fact]
    public async Task A_backup_under_load_is_whole_and_can_be_restored()
    {
        const int Clients = 4;
        const int Backups = 3;

        await using var gate = await GateProcess.StartAsync(_data, "--checkpoint-seconds", "1");
        await Executable.AddUserAsync(_data, UserName, Password);
        var clients = new List<GateClient>();
        for (var i = 0; i < Clients; i++)
            clients.Add(await GateClient.RegisterAsync(gate.Origin));
        using var enough = new CancellationTokenSource();
        var rounds = clients.Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).ToList();
        var work = clients.Select((client, i) => Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                var tokens = await client.SignInAsync(UserName, Password);
                for (var call = 0; call < 10; call++)
                    await client.EchoAsync(tokens.AccessToken, "under load");
                using var refreshed = await client.RefreshAsync(tokens.RefreshToken);
                await GateClient.ReadTokensAsync(refreshed);
                rounds[i].TrySetResult();
            }
        })).ToList();
        // One that fails is told of at the end.
        await Task.WhenAny(Task.WhenAll(rounds.Select(round => round.Task)), Task.WhenAny(work));

        var sizes = new List<long>();
        for (var backup = 0; backup < Backups; backup++)
        {
            var file = Path.Combine(_place.FullName, $"{backup}.tar.gz");
            AssertSuccess(await Executable.RunAsync("backup", file, "--data", _data.Path));
            using var restored = new DataFolder();
            AssertSuccess(await Executable.RunAsync("restore", file, "--data", restored.Path));
            sizes.Add((await VerifyAsync(Path.Combine(restored.Path, "log-epoch-1"))).Length);
            await VerifyAsync(restored.Path);
            // What waited in the outbox is in the old log, and in no other.
            var log = await restored.ReadLogAsync();
            Assert.Equal(0, log.Single<Started>().Recovered);
            Assert.Empty(log.All<TokenIssued>());
        }
        await enough.CancelAsync();
        await Task.WhenAll(work);
        clients.ForEach(client => client.Dispose());
        await gate.StopAsync();

        // Each has more than the one before: the load was one.
        Assert.Equal(sizes.Distinct().Order(), sizes);
        await VerifyAsync(_data.Path);
    }

    [Fact]
    public async Task A_checkpoint_that_is_newer_than_the_backup_tells_that_its_log_is_shorter()
    {
        await Executable.AddUserAsync(_data, UserName, Password);
        var before = Path.Combine(_place.FullName, "before");
        System.IO.File.Copy(Path.Combine(_data.Path, "log", "checkpoint"), before);
        await BackupAsync(withKeys: false);
        await Executable.AddUserAsync(_data, "bob", Password);
        await RestoreAsync(withKeys: false);
        var old = Path.Combine(_restored.Path, "log-epoch-1");

        AssertSuccess(await Executable.RunAsync("audit", "verify", old, "--against", before));
        var verified = await Executable.RunAsync("audit", "verify", old, "--against", Path.Combine(_data.Path, "log", "checkpoint"));

        Assert.Equal((int)ExitCode.Tampered, verified.ExitCode);
        Assert.Contains("leaves, fewer than the checkpoint of", verified.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_checkpoint_of_before_a_restore_is_told_from_a_fault_of_the_log_of_after_it()
    {
        await Executable.AddUserAsync(_data, UserName, Password);
        await BackupAsync(withKeys: false);
        await RestoreAsync(withKeys: false);
        var (old, now) = (Path.Combine(_restored.Path, "log-epoch-1"), Path.Combine(_restored.Path, "log"));

        var before = await Executable.RunAsync("audit", "verify", _restored.Path, "--against", Path.Combine(old, "checkpoint"));
        var after = await Executable.RunAsync("audit", "verify", old, "--against", Path.Combine(now, "checkpoint"));
        var theirs = await ChildProcess.RunAsync("node", [Path.Combine(Repository.Root, "verifier", "verify.mjs"), now, "--against", Path.Combine(old, "checkpoint")]);

        Faults.Assert(before, ExitCode.RefusedInput);
        Assert.Contains("is of another log: sallyport/", before.Error, StringComparison.Ordinal);
        Assert.Contains($"from before restore 1: say 'sallyport audit verify {old}'", before.Error, StringComparison.Ordinal);
        Faults.Assert(after, ExitCode.RefusedInput);
        Assert.Contains($"from after the restore: say 'sallyport audit verify {now}'", after.Error, StringComparison.Ordinal);
        Assert.True(theirs.ExitCode == (int)ExitCode.RefusedInput, theirs.Output);
    }

    [Fact]
    public async Task A_gate_that_was_restored_is_backed_up_with_the_logs_of_all_its_epochs()
    {
        await Executable.AddUserAsync(_data, UserName, Password);
        await BackupAsync(withKeys: false);
        await RestoreAsync(withKeys: false);
        var (second, again) = (Path.Combine(_place.FullName, "second.tar.gz"), new DataFolder());
        using (again)
        {
            AssertSuccess(await Executable.RunAsync("backup", second, "--data", _restored.Path));
            AssertSuccess(await Executable.RunAsync("restore", second, "--data", again.Path));

            var keys = new HashSet<string>();
            foreach (var log in (string[])["log-epoch-1", "log-epoch-2", "log"])
                keys.Add((await VerifyAsync(Path.Combine(again.Path, log))).Key);
            Assert.Equal(3, keys.Count);
            Assert.Equal(2, (await again.ReadLogAsync()).Single<LogRestored>().Epoch);
        }
    }

    [Fact]
    public async Task No_key_is_in_a_backup_and_none_is_readable_in_the_key_file()
    {
        await using (var gate = await GateProcess.StartAsync(_data))
        {
            using var client = await GateClient.RegisterAsync(gate.Origin);
            await BackupAsync(withKeys: true);
            await gate.StopAsync();
        }

        var canaries = new Canaries();
        var raw = new List<byte[]>();
        foreach (var path in Directory.EnumerateFiles(Path.Combine(_data.Path, "keys")))
        {
            var bytes = await System.IO.File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
            if (Path.GetFileName(path) == "token-keys.json")
                raw.Add(bytes);
            else if (Path.GetFileName(path) == "log.key")
                canaries.Note("log.key", Encoding.ASCII.GetString(bytes).TrimEnd('\n').Split('+', 5)[^1]);
            else
                canaries.Note(Path.GetFileName(path), Encoding.UTF8.GetString(bytes).Split("<value>")[1].Split("</value>")[0]);
        }
        Assert.Single(raw);
        Assert.True(canaries.Count >= 2);
        foreach (var (name, bytes) in Unpacked(File).Append(("the key file", await System.IO.File.ReadAllBytesAsync(KeyFile, TestContext.Current.CancellationToken))))
        {
            Assert.Empty(canaries.FindIn(bytes).Select(found => $"{name}: {found}"));
            Assert.True(bytes.AsSpan().IndexOf(raw[0]) < 0, name);
            Assert.True(bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(Convert.ToBase64String(raw[0]))) < 0, name);
        }
        Assert.DoesNotContain(Unpacked(File), file => file.Name.Contains("key", StringComparison.Ordinal) && !file.Name.EndsWith("/verifier-key", StringComparison.Ordinal));
        foreach (var path in (string[])[File, KeyFile])
            AssertMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Equal([File, KeyFile], Directory.EnumerateFileSystemEntries(_place.FullName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_key_file_opens_with_its_passphrase_and_beside_its_backup_only()
    {
        await using (var gate = await GateProcess.StartAsync(_data))
            await gate.StopAsync();
        await BackupAsync(withKeys: true);

        Faults.Assert(await RestoreWithAsync(KeyFile, Passphrase + "x"), ExitCode.RefusedInput);
        Faults.Assert(await RestoreWithAsync(KeyFile, ""), ExitCode.RefusedInput);
        Faults.Assert(await RestoreWithAsync(File, Passphrase), ExitCode.RefusedInput);
        Faults.Assert(await RestoreWithAsync(Path.Combine(_place.FullName, "none"), Passphrase), ExitCode.Unavailable);
        var sealedKeys = await System.IO.File.ReadAllBytesAsync(KeyFile, TestContext.Current.CancellationToken);
        // In the magic, the memory, the passes, the salt, the nonce, and what is sealed.
        foreach (var at in (int[])[3, 17, 24, 30, 50, 100, sealedKeys.Length - 1])
        {
            var damaged = Path.Combine(_place.FullName, $"damaged-{at}");
            await System.IO.File.WriteAllBytesAsync(damaged, [.. sealedKeys[..at], (byte)(sealedKeys[at] ^ 1), .. sealedKeys[(at + 1)..]], TestContext.Current.CancellationToken);
            Faults.Assert(await RestoreWithAsync(damaged, Passphrase), ExitCode.RefusedInput);
        }
        using var stranger = new DataFolder();
        await Executable.AddUserAsync(stranger, UserName, Password);
        var strangersKeys = Path.Combine(_place.FullName, "strangers");
        AssertSuccess(await Executable.RunWithInputAsync(Passphrase, "backup", Path.Combine(_place.FullName, "strangers.tar.gz"), "--keys", strangersKeys, "--passphrase-stdin", "--data", stranger.Path));
        Faults.Assert(await RestoreWithAsync(strangersKeys, Passphrase), ExitCode.RefusedInput);
        Assert.False(Directory.Exists(_restored.Path));

        AssertSuccess(await RestoreWithAsync(KeyFile, Passphrase + "\n"));
        Assert.Equal(
            await System.IO.File.ReadAllBytesAsync(Path.Combine(_data.Path, "keys", "token-keys.json"), TestContext.Current.CancellationToken),
            await System.IO.File.ReadAllBytesAsync(Path.Combine(_restored.Path, "keys", "token-keys.json"), TestContext.Current.CancellationToken));
        Assert.Equal(["log.key", "token-keys.json"], Directory.EnumerateFiles(Path.Combine(_restored.Path, "keys")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Nothing_is_overwritten_and_a_passphrase_is_long_and_has_its_file()
    {
        Faults.Assert(await Executable.RunAsync("backup", File, "--data", _data.Path), ExitCode.Unavailable);
        Assert.False(Directory.Exists(_data.Path));
        await Executable.AddUserAsync(_data, UserName, Password);
        Faults.Assert(await Executable.RunWithInputAsync("too short", "backup", File, "--keys", KeyFile, "--passphrase-stdin", "--data", _data.Path), ExitCode.RefusedInput);
        Faults.Assert(await Executable.RunWithInputAsync(Passphrase, "backup", File, "--keys", KeyFile, "--data", _data.Path), ExitCode.Usage);
        Faults.Assert(await Executable.RunWithInputAsync(Passphrase, "backup", File, "--passphrase-stdin", "--data", _data.Path), ExitCode.Usage);
        Assert.Empty(_place.EnumerateFileSystemInfos());
        await BackupAsync(withKeys: false);
        var before = await System.IO.File.ReadAllBytesAsync(File, TestContext.Current.CancellationToken);
        Faults.Assert(await Executable.RunAsync("backup", File, "--data", _data.Path), ExitCode.Unavailable);
        Assert.Equal(before, await System.IO.File.ReadAllBytesAsync(File, TestContext.Current.CancellationToken));

        Directory.CreateDirectory(_restored.Path);
        var kept = Path.Combine(_restored.Path, "something");
        await System.IO.File.WriteAllTextAsync(kept, "of value", TestContext.Current.CancellationToken);
        Faults.Assert(await Executable.RunAsync("restore", File, "--data", _restored.Path), ExitCode.Unavailable);
        Assert.Equal([kept], Directory.EnumerateFileSystemEntries(_restored.Path));
        System.IO.File.Delete(kept);
        AssertSuccess(await Executable.RunAsync("restore", File, "--data", _restored.Path));
        Faults.Assert(await Executable.RunAsync("restore", File, "--data", _restored.Path), ExitCode.Unavailable);
    }

    [Fact]
    public async Task A_log_that_is_not_whole_is_not_backed_up()
    {
        await Executable.AddUserAsync(_data, UserName, Password);
        var journal = Directory.EnumerateFiles(Path.Combine(_data.Path, "log"), "journal-*").Single();
        var bytes = await System.IO.File.ReadAllBytesAsync(journal, TestContext.Current.CancellationToken);
        bytes[20] ^= 1;
        await System.IO.File.WriteAllBytesAsync(journal, bytes, TestContext.Current.CancellationToken);

        Faults.Assert(await Executable.RunAsync("backup", File, "--data", _data.Path), ExitCode.Unavailable);

        Assert.Empty(_place.EnumerateFileSystemInfos());
    }

    [Fact]
    public async Task No_gate_starts_over_a_restore_that_was_cut_short()
    {
        Directory.CreateDirectory(Path.Combine(_restored.Path, "restore-unfinished"));

        Faults.Assert(await Executable.RunAsync("serve", "--urls", GateProcess.OriginOf(Ports.Free()), "--data", _restored.Path), ExitCode.Unavailable);

        Assert.Single(Directory.EnumerateFileSystemEntries(_restored.Path));
    }

    [Fact]
    public async Task A_disk_that_is_too_small_is_left_as_it_was()
    {
        await Executable.AddUserAsync(_data, UserName, Password);
        await BackupAsync(withKeys: false);
        // Room for the files, not for the new log's; and not even for the files.
        foreach (var size in (string[])["4m", "200k"])
        {
            var (mounted, script) = (Path.Combine(_place.FullName, "disk"), """
                mkdir -p "$1" && mount -t tmpfs -o "size=$2" none "$1" && mkdir "$1/empty" || exit 99
                "${@:6}" backup "$1/copy.tar.gz" --data "$3/lib" >/dev/null 2>&1
                for target in data empty; do
                    "${@:6}" restore "$4" --data "$1/$target"; echo "ended with $?"
                done
                cd "$1" && find . | sort
                """);
            var finished = await ChildProcess.RunAsync("unshare", ["--user", "--map-root-user", "--mount", "bash", "-c", script, "bash", mounted, size, _data.Path, File, "-", "dotnet", Executable.Path]);

            Assert.True(finished.ExitCode == 0, finished.Error);
            Assert.Equal("ended with 69\nended with 69\n.\n./empty\n", finished.Output);
            Assert.Equal(2, finished.Error.Split('\n').Count(line => line.StartsWith("  ", StringComparison.Ordinal)));
        }
    }

    private async Task BackupAsync(bool withKeys)
    {
        var finished = withKeys
            ? await Executable.RunWithInputAsync(Passphrase + "\n", "backup", File, "--keys", KeyFile, "--passphrase-stdin", "--data", _data.Path)
            : await Executable.RunAsync("backup", File, "--data", _data.Path);
        AssertSuccess(finished);
    }

    private async Task RestoreAsync(bool withKeys) => AssertSuccess(withKeys
        ? await RestoreWithAsync(KeyFile, Passphrase)
        : await Executable.RunAsync("restore", File, "--data", _restored.Path));

    private Task<Finished> RestoreWithAsync(string keyFile, string passphrase) =>
        Executable.RunWithInputAsync(passphrase, "restore", File, "--keys", keyFile, "--passphrase-stdin", "--data", _restored.Path);

    private static void AssertSuccess(Finished finished) => Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error + finished.Output);

    /// <summary>The log is whole and signed to its end; gives its key and its length.</summary>
    private static async Task<(string Key, long Length)> VerifyAsync(string directory)
    {
        var finished = await Executable.RunAsync("audit", "verify", directory, "--json");
        AssertSuccess(finished);
        using var verdict = JsonDocument.Parse(finished.Output);
        return (verdict.RootElement.GetProperty("key").GetString()!, verdict.RootElement.GetProperty("length").GetInt64());
    }

    private void AssertPrivate()
    {
        AssertMode(_restored.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var path in Directory.EnumerateDirectories(_restored.Path, "*", SearchOption.AllDirectories))
            AssertMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var path in Directory.EnumerateFiles(_restored.Path, "*", SearchOption.AllDirectories))
            AssertMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private static void AssertMode(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
            Assert.True(System.IO.File.GetUnixFileMode(path) == mode, $"{path} has the mode {System.IO.File.GetUnixFileMode(path)}");
    }

    private static List<(string Name, byte[] Bytes)> Unpacked(string file)
    {
        var files = new List<(string, byte[])>();
        using var archive = System.IO.File.OpenRead(file);
        using var gzip = new GZipStream(archive, CompressionMode.Decompress);
        using var tar = new TarReader(gzip);
        while (tar.GetNextEntry() is { } entry)
        {
            using var content = new MemoryStream();
            entry.DataStream?.CopyTo(content);
            files.Add((entry.Name, content.ToArray()));
        }
        return files;
    }
}
