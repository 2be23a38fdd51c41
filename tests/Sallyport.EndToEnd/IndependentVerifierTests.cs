using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;

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

    private static async Task<Verdict> AuditVerifyAsync(string directory)
    {
        var finished = await Executable.RunAsync("audit", "verify", directory, "--json");
        Assert.True(finished.Output.Length > 0, finished.Error);
        var verdict = JsonElement.Parse(finished.Output);
        var root = verdict.TryGetProperty("checkpoint", out var checkpoint) && checkpoint.ValueKind == JsonValueKind.String ? checkpoint.GetString()!.Split('\n')[2] : null;
        return new(
            (ExitCode)finished.ExitCode, verdict.GetProperty("length").GetInt64(), verdict.GetProperty("signed_length").GetInt64(), root, FaultsIn(verdict));
    }

    private static string FaultsIn(JsonElement verdict) =>
        string.Join(' ', verdict.GetProperty("faults").EnumerateArray().Select(fault => fault.GetProperty("kind").GetString()).Distinct().Order(StringComparer.Ordinal));

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
