using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary><c>audit rotate-key</c> beside a running gate and without one (AUD-15).</summary>
public sealed class AuditRotateKeyTests
{
    [Fact]
    public async Task AUD_15_Whoever_has_the_first_key_follows_through_every_change_of_it_and_a_backup()
    {
        using var data = new DataFolder();
        await Executable.AddUserAsync(data, "alice", "correct horse battery");
        var first = File.ReadAllText(Path.Combine(data.Log, "verifier-key")).TrimEnd('\n');
        string second;
        await using (var gate = await GateProcess.StartAsync(data))
        {
            second = await RotateAsync(data);
            await AuditCommandTests.RefusedAsync(gate.Origin);
            // Beside the gate, right after it.
            await VerifyAsync(data.Path, first, second);
            await gate.StopAsync();
        }
        var third = await RotateAsync(data);

        await VerifyAsync(data.Path, first, third);
        await VerifyAsync(data.Path, second, third);
        Assert.Equal(2, (await data.ReadLogAsync()).All<LogKeyRotated>().Count());
        var theirs = await ChildProcess.RunAsync("node", [Path.Combine(Repository.Root, "verifier", "verify.mjs"), data.Log, "--key", first]);
        Assert.True(theirs.ExitCode == 0, theirs.Output + theirs.Error);

        using var place = new DataFolder();
        using var restored = new DataFolder();
        Directory.CreateDirectory(place.Path);
        var file = Path.Combine(place.Path, "backup.tar.gz");
        Assert.Equal(0, (await Executable.RunAsync("backup", file, "--data", data.Path)).ExitCode);
        Assert.Equal(0, (await Executable.RunAsync("restore", file, "--data", restored.Path)).ExitCode);
        await VerifyAsync(Path.Combine(restored.Path, "log-epoch-1"), first, third);

        // A key that nothing introduced.
        File.Delete(Path.Combine(data.Log, "verifier-keys"));
        var alone = await Executable.RunAsync("audit", "verify", data.Path, "--key", first);
        var theirsAlone = await ChildProcess.RunAsync("node", [Path.Combine(Repository.Root, "verifier", "verify.mjs"), data.Log, "--key", first]);
        Assert.Equal(((int)ExitCode.Tampered, (int)ExitCode.Tampered), (alone.ExitCode, theirsAlone.ExitCode));
        Faults.Assert(await Executable.RunAsync("serve", "--urls", GateProcess.OriginOf(Ports.Free()), "--data", data.Path), ExitCode.Unavailable);
    }

    [Fact]
    public async Task Where_there_is_no_log_there_is_no_key_to_change()
    {
        using var nothing = new DataFolder();

        Faults.Assert(await Executable.RunAsync("audit", "rotate-key", "--data", nothing.Path), ExitCode.Unavailable);
    }

    private static async Task<string> RotateAsync(DataFolder data)
    {
        var rotated = await Executable.RunAsync("audit", "rotate-key", "--data", data.Path);
        Assert.True(rotated.ExitCode == (int)ExitCode.Success, rotated.Error);
        Assert.Equal(rotated.Output, File.ReadAllText(Path.Combine(data.Log, "verifier-key")));
        return rotated.Output.TrimEnd('\n');
    }

    private static async Task VerifyAsync(string directory, string key, string newest)
    {
        var verified = await Executable.RunAsync("audit", "verify", directory, "--key", key);
        Assert.True(verified.ExitCode == (int)ExitCode.Success, verified.Output + verified.Error);
        Assert.Contains($"{key}; changed since, now {newest}", verified.Output, StringComparison.Ordinal);
    }
}
