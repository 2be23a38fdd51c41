using System.Security.Cryptography;
using System.Text;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;

namespace Sallyport.EndToEnd;

/// <summary>Two gates, one of which is a witness for the other, as docs/witness.md sets them up.</summary>
public sealed class WitnessTests : IDisposable
{
    private readonly DataFolder _log = new();
    private readonly DataFolder _copy = new();
    private readonly DataFolder _other = new();

    public void Dispose()
    {
        _log.Dispose();
        _copy.Dispose();
        _other.Dispose();
    }

    [Theory]
    // What was set back stays shorter than what the witness has seen, or grows past it again with other events.
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_log_that_was_set_back_to_a_copy_is_found_out_by_its_witness(bool grownPast)
    {
        // 1. The log's key, which the witness needs; the witness's key, which the log needs.
        await using (var first = await GateProcess.StartAsync(_log))
            await first.StopAsync();
        Assert.True(VerifierKey.TryParse(File.ReadAllText(Path.Combine(_log.Path, "log", ILogStore.VerifierKey)).TrimEnd('\n'), out var log));
        await using var witness = await GateProcess.StartAsync(_other, "--witness-for", log.ToString());
        Assert.True(VerifierKey.TryParse(InBanner(witness, "Witness key"), out var witnessKey), witness.Error);
        string[] options = ["--witnesses", $"{witnessKey} {witness.Origin}/witness", "--checkpoint-seconds", "1"];

        // 2. The log grows, and is cosigned; somebody keeps a copy, and it grows on.
        await using var gate = await GateProcess.StartAsync(_log, options);
        Assert.Equal(log.ToString(), InBanner(gate, "Log key"));
        await CosignedAsync(gate, _log, witnessKey);
        await gate.StopAsync();
        CopyDirectory(_log.Path, _copy.Path);
        await using var second = await GateProcess.StartAsync(_log, gate.Port, options);
        for (var i = 0; i < 20; i++)
            await KnockAsync(second);
        await CosignedAsync(second, _log, witnessKey);
        await second.StopAsync();
        var seen = await ReadFromWitnessAsync(witness, log);
        Assert.Empty(LogVerifier.Verify(new LogFiles(Path.Combine(_log.Path, "log")), NoteKey.Check, given: [seen]).Faults);

        // 3. The copy takes the log's place.
        Directory.Delete(_log.Path, recursive: true);
        CopyDirectory(_copy.Path, _log.Path);
        await using var back = await GateProcess.StartAsync(_log, gate.Port, options);
        for (var i = 0; grownPast && i < 40; i++)
            await KnockAsync(back);
        var alarm = grownPast ? "was not shown to go on" : "fewer than";
        Assert.True(await witness.Process.WritesAsync(() => witness.Error.Contains(alarm)), $"The witness says nothing: {witness.Error}\n{back.Error}");
        await back.StopAsync();
        await witness.StopAsync();

        // 4. The gate's own log has the failure, the witness's log the evidence, and the verifier finds it with the witness's checkpoint.
        Assert.Contains("refused the checkpoint", back.Error);
        var signed = (await _log.ReadLogAsync()).All<CheckpointSigned>().Last(e => e.Failures.Count > 0);
        Assert.Equal([new(witnessKey.Name, Reason.AnchorRefused)], signed.Failures);
        Assert.DoesNotContain(witnessKey.Name, signed.Anchors);
        var refused = (await _other.ReadLogAsync()).All<WitnessRefused>().Last(e => e.Reason != Reason.CheckpointStale || !grownPast);
        Assert.Equal((grownPast ? Reason.CheckpointInconsistent : Reason.CheckpointStale, grownPast ? 422 : 409, log.Name), (refused.Reason, refused.Status, refused.Origin));
        Assert.Equal(grownPast, refused.Note is not null);
        Assert.Empty(LogVerifier.Verify(new LogFiles(Path.Combine(_log.Path, "log")), NoteKey.Check).Faults);
        var faults = LogVerifier.Verify(new LogFiles(Path.Combine(_log.Path, "log")), NoteKey.Check, given: [seen]).Faults;
        Assert.Contains(faults, fault => fault.Kind == (grownPast ? LogFaultKind.Root : LogFaultKind.Shorter));
    }

    private static string InBanner(GateProcess gate, string label) =>
        gate.Error.Split('\n').Single(line => line.TrimStart().StartsWith(label + "  ", StringComparison.Ordinal)).Split(' ')[^1];

    /// <summary>A request that is refused, which is an event.</summary>
    private static async Task KnockAsync(GateProcess gate)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync(gate.Origin + "/mcp", TestContext.Current.CancellationToken);
    }

    /// <summary>Waits for a checkpoint of all that happened until now, with the witness's signature under it.</summary>
    private static async Task CosignedAsync(GateProcess gate, DataFolder data, VerifierKey witness)
    {
        await KnockAsync(gate);
        await KnockAsync(gate);
        var log = Path.Combine(data.Path, "log");
        var length = JournalFiles.ReadAll(log).LongCount();
        await FileChanges.UntilAsync(
            log,
            () => SignedNote.TryParse(File.ReadAllBytes(Path.Combine(log, ILogStore.Checkpoint)), out var note)
                && Checkpoint.TryParse(note.Text, out var checkpoint) && checkpoint.Size >= length
                && note.IsSignedBy(witness, NoteKey.Check),
            () => $"No checkpoint of {length} events is cosigned: {gate.Error}");
    }

    private static async Task<SignedNote> ReadFromWitnessAsync(GateProcess witness, VerifierKey log)
    {
        using var client = new HttpClient();
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(log.Name)));
        var bytes = await client.GetByteArrayAsync($"{witness.Origin}/witness/{hash}/checkpoint", TestContext.Current.CancellationToken);
        Assert.True(SignedNote.TryParse(bytes, out var note));
        return note;
    }

    private static void CopyDirectory(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, directory)));
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
    }
}
