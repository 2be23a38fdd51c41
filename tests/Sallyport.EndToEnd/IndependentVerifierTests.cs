using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.EndToEnd;

/// <summary>
/// verifier/verify.mjs was written from docs/audit-format.md and shares nothing with our code: where it and <c>audit verify</c> differ,
/// the format is not what its document says.
/// </summary>
public sealed class IndependentVerifierTests(RestartedLog log) : IClassFixture<RestartedLog>
{
    [Fact]
    public async Task Both_find_the_log_of_a_gate_whole_with_one_length_and_root()
    {
        var key = File.ReadAllText(log.PathOf(ILogStore.VerifierKey)).TrimEnd('\n');

        var theirs = await VerifyAsync(log.Data.Log, "--key", key, "--against", log.PathOf(ILogStore.Checkpoint));
        var ours = await AuditVerifyAsync(log.Data.Log);

        Assert.Empty(theirs.Faults);
        Assert.Equal(ours, theirs);
        Assert.True(theirs.Length > RestartedLog.Knocks, $"The log has {theirs.Length} leaves");
        var starts = (await log.Data.ReadLogAsync()).All<Started>();
        Assert.Equal([true, true, false], starts.Select(start => start.AfterCleanStop));
    }

    [Fact]
    public async Task Both_find_the_vectors_whole()
    {
        var vectors = Path.Combine(Repository.Root, "vectors", "log");

        var theirs = await VerifyAsync(vectors);
        var ours = await AuditVerifyAsync(vectors);
        var proof = await NodeAsync(
            "--proof", Path.Combine(vectors, "leaf.tlog-proof"), "--leaf", Path.Combine(vectors, "leaf.json"), "--key", File.ReadAllText(Path.Combine(vectors, ILogStore.VerifierKey)));

        Assert.Equal(new(ExitCode.Success, 260, 260, "ZYHZ+lZulNPhiNoIFmmc3wQ8ayw1zroYfsNOKGzibEE=", ""), theirs);
        Assert.Equal(ours, theirs);
        Assert.Equal(0, proof.ExitCode);
    }

    [Fact]
    public async Task A_proof_of_ours_holds_by_the_other_one_and_not_with_another_leaf()
    {
        var key = File.ReadAllText(log.PathOf(ILogStore.VerifierKey)).TrimEnd('\n');
        using var files = new DataFolder();
        Directory.CreateDirectory(files.Path);
        var (good, forged) = (Path.Combine(files.Path, "good"), Path.Combine(files.Path, "forged"));
        var proved = await Executable.RunAsync("audit", "prove", "200", "--data", log.Data.Path);
        Assert.True(proved.ExitCode == (int)ExitCode.Success, proved.Error);
        File.WriteAllText(good, proved.Output);
        var lines = proved.Output.Split('\n');
        lines[1] = "extra " + Convert.ToBase64String("""{"type":"stop"}"""u8);
        File.WriteAllText(forged, string.Join('\n', lines));

        var accepted = await NodeAsync("--proof", good, "--key", key);
        var refused = await NodeAsync("--proof", forged, "--key", key);

        Assert.True(accepted.ExitCode == 0, accepted.Output + accepted.Error);
        Assert.True(refused.ExitCode == (int)ExitCode.Tampered, refused.Output + refused.Error);
    }

    [Theory]
    [InlineData("whole.json")]
    [InlineData("tampered.json")]
    public async Task Both_find_in_each_log_of_the_vectors_what_has_to_be_found_and_where(string expectations)
    {
        var vectors = Path.Combine(Repository.Root, "vectors");
        foreach (var vector in LogVector.ReadAll(Path.Combine(vectors, "logs", expectations)))
        {
            using var copy = new DataFolder();
            WrittenLog.CopyDirectory(Path.Combine(vectors, vector.Log), copy.Path);
            foreach (var change in vector.Changes ?? [])
                change.ApplyTo(copy.Path);
            string[] options = [];
            if (vector.Against is { } head)
            {
                options = ["--against", copy.Path + ".head"];
                File.WriteAllText(options[1], head);
            }

            var theirs = await VerifyAsync(copy.Path, options);
            var ours = await AuditVerifyAsync(copy.Path, options);

            var expected = (vector.Name, vector.Faults.Count == 0 ? ExitCode.Success : ExitCode.Tampered,
                string.Join(' ', vector.Faults.Select(fault => fault.Index is { } index ? $"{fault.Kind}@{index}" : fault.Kind).Order(StringComparer.Ordinal)));
            Assert.Equal(expected, (vector.Name, theirs.ExitCode, theirs.Faults));
            Assert.Equal(expected, (vector.Name, ours.ExitCode, ours.Faults));
            if (vector.Faults.Count == 0)
                Assert.Equal(ours, theirs);
            if (vector.Root is not null)
                Assert.Equal((vector.Name, vector.Length, vector.Signed, vector.Root), (vector.Name, theirs.Length, theirs.Signed, theirs.Root));
        }
    }

    [Theory]
    [InlineData("journal-00000000000000000000")]
    [InlineData("tile/entries/000")]
    [InlineData("tile/0/000")]
    [InlineData(ILogStore.Checkpoint)]
    public async Task Both_find_one_byte_that_was_changed(string name)
    {
        using var copy = new DataFolder();
        WrittenLog.CopyDirectory(log.Data.Path, copy.Path);
        var path = Path.Combine(copy.Log, name);
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(path, bytes);

        var theirs = await VerifyAsync(copy.Log);
        var ours = await AuditVerifyAsync(copy.Log);

        Assert.Equal(ExitCode.Tampered, theirs.ExitCode);
        Assert.Equal((ours.ExitCode, ours.Faults), (theirs.ExitCode, theirs.Faults));
    }

    [Theory]
    [InlineData(0, ExitCode.Success)]
    [InlineData(1, ExitCode.Tampered)]
    public async Task Both_tell_a_hole_behind_what_is_signed_from_one_within_it(int signed, ExitCode expected)
    {
        using var copy = new DataFolder();
        WrittenLog.CopyDirectory(log.Data.Path, copy.Path);
        var (_, path) = JournalFiles.Segments(copy.Log)[^1];
        var record = new byte[JournalRecord.SizeOf(JournalFiles.ReadAll(copy.Log).Last().Bytes.Length)];
        JournalRecord.Write(JournalFiles.ReadAll(copy.Log).Last().Bytes, record);
        var bytes = File.ReadAllBytes(path);
        bytes.AsSpan(bytes.Length - (signed * record.Length)).Clear();
        File.WriteAllBytes(path, [.. bytes, .. new byte[500], .. record]);

        var theirs = await VerifyAsync(copy.Log);
        var ours = await AuditVerifyAsync(copy.Log);

        Assert.Equal(expected, theirs.ExitCode);
        Assert.Equal(ours, theirs);
    }

    /// <summary>What somebody found who wrote a verifier from the documentation and held it against ours.</summary>
    [Theory]
    [InlineData("a segment far away", "gap@260")]
    [InlineData("the first segment far away", "bundle@0 gap@1000000000000")]
    [InlineData("a segment that cannot be", "file")]
    [InlineData("a folder for the checkpoint", "checkpoint@260")]
    [InlineData("a folder for a bundle", "bundle@0")]
    [InlineData("no UTF-8 in the history", "checkpoint")]
    [InlineData("bundles alone", "checkpoint")]
    public async Task Both_say_the_same_of_files_that_no_gate_makes(string which, string faults)
    {
        using var copy = new DataFolder();
        WrittenLog.CopyDirectory(Path.Combine(Repository.Root, "vectors", "log"), copy.Path);
        string At(string name) => Path.Combine(copy.Path, name);
        switch (which)
        {
            case "a segment far away":
                File.Copy(At("journal-00000000000000000130"), At("journal-00000001000000000000"));
                break;
            case "the first segment far away":
                File.Delete(At("journal-00000000000000000130"));
                File.Move(At("journal-00000000000000000000"), At("journal-00000001000000000000"));
                Directory.Delete(At("tile/entries"), recursive: true);
                break;
            case "a segment that cannot be":
                File.Copy(At("journal-00000000000000000130"), At("journal-99999999999999999999"));
                break;
            case "a folder for the checkpoint":
                File.Delete(At("checkpoint"));
                Directory.CreateDirectory(At("checkpoint"));
                break;
            case "a folder for a bundle":
                File.Delete(At("tile/entries/000"));
                Directory.CreateDirectory(At("tile/entries/000"));
                break;
            case "no UTF-8 in the history":
                File.WriteAllBytes(At("checkpoints"), [.. "{\"other\":\""u8, 0xff, .. "\","u8, .. File.ReadAllBytes(At("checkpoints"))[1..]]);
                break;
            default:
                foreach (var name in (string[])["checkpoint", "checkpoints", "journal-00000000000000000000", "journal-00000000000000000130"])
                    File.Delete(At(name));
                break;
        }

        var (theirs, ours) = (await VerifyAsync(copy.Path), await AuditVerifyAsync(copy.Path));

        Assert.Equal((ExitCode.Tampered, faults), (ours.ExitCode, ours.Faults));
        // What follows from a fault may be told in more words, or in fewer.
        Assert.Equal((ExitCode.Tampered, faults.Split(' ')[0]), (theirs.ExitCode, theirs.Faults.Split(' ')[0]));
    }

    private static Task<Finished> NodeAsync(params IEnumerable<string> arguments) =>
        ChildProcess.RunAsync("node", [Path.Combine(Repository.Root, "verifier", "verify.mjs"), .. arguments]);

    private static async Task<Verdict> VerifyAsync(string directory, params IEnumerable<string> options)
    {
        var finished = await NodeAsync([directory, .. options]);
        Assert.True(finished.Output.Length > 0, finished.Error);
        var verdict = JsonElement.Parse(finished.Output);
        return new(
            (ExitCode)finished.ExitCode, verdict.GetProperty("length").GetInt64(), verdict.GetProperty("signed").GetInt64(),
            verdict.GetProperty("root").GetString(), FaultsIn(verdict));
    }

    private static async Task<Verdict> AuditVerifyAsync(string directory, params IEnumerable<string> options)
    {
        var finished = await Executable.RunAsync(["audit", "verify", directory, "--json", .. options]);
        Assert.True(finished.Output.Length > 0, finished.Error);
        var verdict = JsonElement.Parse(finished.Output);
        var root = verdict.TryGetProperty("checkpoint", out var checkpoint) && checkpoint.ValueKind == JsonValueKind.String ? checkpoint.GetString()!.Split('\n')[2] : null;
        return new(
            (ExitCode)finished.ExitCode, verdict.GetProperty("length").GetInt64(), verdict.GetProperty("signed_length").GetInt64(), root, FaultsIn(verdict));
    }

    /// <summary>The kinds, each with the first leaf or size that it is about, where all faults of that kind are about one.</summary>
    private static string FaultsIn(JsonElement verdict) =>
        string.Join(' ', verdict.GetProperty("faults").EnumerateArray().GroupBy(fault => fault.GetProperty("kind").GetString()!, IndexOf).OrderBy(kind => kind.Key, StringComparer.Ordinal)
            .Select(kind => kind.All(index => index is not null) ? $"{kind.Key}@{kind.Min()}" : kind.Key));

    /// <summary>Ours says 0 where there is none.</summary>
    private static long? IndexOf(JsonElement fault) =>
        fault.TryGetProperty("index", out var index) && (index.GetInt64() > 0 || fault.GetProperty("kind").GetString() is not ("checkpoint" or "signature" or "file")) ? index.GetInt64() : null;

    /// <summary>What a verifier says; <c>Faults</c> are the kinds of them, each once.</summary>
    private sealed record Verdict(ExitCode ExitCode, long Length, long Signed, string? Root, string Faults);
}

/// <summary>The log of a gate that was restarted once in order and once after it was killed.</summary>
public sealed class RestartedLog : IAsyncLifetime
{
    internal const int Knocks = 300;

    internal DataFolder Data { get; } = new();

    internal string PathOf(string name) => Path.Combine(Data.Log, name);

    public async ValueTask InitializeAsync()
    {
        string[] options = ["--checkpoint-seconds", "1"];
        await using (var first = await GateProcess.StartAsync(Data, options))
        {
            await Executable.AddUserAsync(Data, "alice", "correct horse");
            using var client = await GateClient.RegisterAsync(first.Origin);
            var tokens = await client.SignInAsync("alice", "correct horse");
            await client.EchoAsync(tokens.AccessToken, "hello");
            await first.StopAsync();
        }
        await using (var second = await GateProcess.StartAsync(Data, options))
        {
            for (var i = 0; i < Knocks; i++)
                await AuditCommandTests.RefusedAsync(second.Origin);
            await second.KillAsync();
        }
        await using var third = await GateProcess.StartAsync(Data, options);
        await AuditCommandTests.RefusedAsync(third.Origin);
        await third.StopAsync();
    }

    public ValueTask DisposeAsync()
    {
        Data.Dispose();
        return ValueTask.CompletedTask;
    }
}
