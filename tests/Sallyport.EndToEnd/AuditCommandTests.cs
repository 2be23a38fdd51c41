using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.EndToEnd;

/// <summary>The commands over a log that a gate has written.</summary>
public sealed class AuditCommandTests(WrittenLog log) : IClassFixture<WrittenLog>
{
    [Fact]
    public async Task A_log_is_whole_and_what_its_gate_printed_says_so_too()
    {
        var printed = log.FileWith(log.Printed);

        var finished = await AuditAsync("verify", log.Data.Path, "--against", printed, "--against", log.PathOf("checkpoint"), "--key", log.PathOf("verifier-key"));

        Assert.Equal(ExitCode.Success, finished.ExitCode);
        Assert.Equal($"whole: {log.Length} events, signed up to {log.Length}", finished.Output.Split('\n')[0]);
        Assert.DoesNotContain("Not shown", finished.Output, StringComparison.Ordinal);
        Assert.Empty(finished.Error);
    }

    [Fact]
    public async Task A_proof_that_somebody_kept_is_a_checkpoint_to_hold_the_log_against_and_another_note_is_none()
    {
        var proof = log.FileWith((await AuditAsync("prove", "1", "--data", log.Data.Path)).Output);

        var whole = await AuditAsync("verify", log.Data.Path, "--against", proof);
        var cut = await AuditAsync("verify", log.Earlier.Path, "--against", proof);

        Assert.Equal((ExitCode.Success, ExitCode.Tampered), (whole.ExitCode, cut.ExitCode));
        Assert.Contains("1 given with --against", whole.Output, StringComparison.Ordinal);
        var signatures = File.ReadAllText(log.PathOf("checkpoint")).Split("\n\n")[1];
        Faults.Assert(await Executable.RunAsync("audit", "verify", log.Data.Path, "--against", log.FileWith("no checkpoint\n\n" + signatures)), ExitCode.RefusedInput);
    }

    [Theory]
    [InlineData("checkpoint")]
    [InlineData("tile/entries/000")]
    [InlineData("journal-00000001000000000000")]
    [InlineData("journal-99999999999999999999")]
    public async Task A_name_that_somebody_else_took_is_told_of_the_log_and_stops_nobody(string name)
    {
        using var copy = log.Copy();
        var path = Path.Combine(copy.Log, name);
        if (name.StartsWith("journal", StringComparison.Ordinal))
        {
            File.Copy(Path.Combine(copy.Log, new LogFiles(copy.Log).Segments()[0].Name), path);
        }
        else
        {
            File.Delete(path);
            Directory.CreateDirectory(path);
        }

        var verified = await AuditAsync("verify", copy.Path);

        Assert.Equal(ExitCode.Tampered, verified.ExitCode);
    }

    [Fact]
    public async Task Without_a_checkpoint_from_elsewhere_it_says_what_it_cannot_show()
    {
        var finished = await AuditAsync("verify", "--data", log.Data.Path);

        Assert.Equal(ExitCode.Success, finished.ExitCode);
        Assert.Contains("--against", finished.Output, StringComparison.Ordinal);
        Assert.Contains("2, 1 of them after a process that was killed", finished.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_JSON_is_one_object_that_names_the_verdict()
    {
        var finished = await AuditAsync("verify", log.Data.Path, "--json");

        var verdict = JsonElement.Parse(Assert.Single(finished.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
        Assert.True(verdict.GetProperty("whole").GetBoolean());
        Assert.Equal((log.Length, log.Length, 2, 1, 0), (
            verdict.GetProperty("length").GetInt64(), verdict.GetProperty("signed_length").GetInt64(), verdict.GetProperty("starts").GetInt32(),
            verdict.GetProperty("unclean_starts").GetInt32(), verdict.GetProperty("faults").GetArrayLength()));
        Assert.Equal(File.ReadAllText(log.PathOf("checkpoint")), verdict.GetProperty("checkpoint").GetString());
        Assert.Equal(File.ReadAllText(log.PathOf("verifier-key")), verdict.GetProperty("key").GetString() + "\n");
    }

    [Fact]
    public async Task Whatever_reads_a_log_says_beside_it_how_many_events_are_not_signed_yet()
    {
        var unsigned = LogVector.ReadAll(Path.Combine(Repository.Root, "vectors", "logs", "whole.json")).Single(vector => vector.Name == "unsigned");
        using var copy = new DataFolder();
        WrittenLog.CopyDirectory(Path.Combine(Repository.Root, "vectors", unsigned.Log), copy.Path);
        var said = $"The log's last {unsigned.Length - unsigned.Signed} events are not signed yet\n";

        foreach (var command in new string[][] { ["tail", "--json"], ["export"], ["report"], ["explain", "2"] })
        {
            var ofUnsigned = await AuditAsync([.. command, "--data", copy.Path]);
            var ofSigned = await AuditAsync([.. command, "--data", log.Data.Path]);

            Assert.Equal((command[0], said, ""), (command[0], ofUnsigned.Error, ofSigned.Error));
        }
    }

    [Fact]
    public async Task A_copy_without_its_journal_is_verified_too()
    {
        using var copy = log.Copy();
        Directory.Delete(copy.Path, recursive: true);
        WrittenLog.CopyDirectory(log.Data.Path + "/log", copy.Path);
        foreach (var (_, path) in JournalFiles.Segments(copy.Path))
            File.Delete(path);
        File.Delete(Path.Combine(copy.Path, "checkpoints"));

        var finished = await AuditAsync("verify", copy.Path);

        Assert.Equal(ExitCode.Success, finished.ExitCode);
        Assert.StartsWith($"whole: {log.Length} events", finished.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_in_which_a_byte_was_changed_is_tampered_with()
    {
        using var copy = log.Copy();
        var (_, journal) = JournalFiles.Segments(copy.Path + "/log")[0];
        var bytes = File.ReadAllBytes(journal);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(journal, bytes);

        var finished = await AuditAsync("verify", copy.Path);
        var json = await AuditAsync("verify", copy.Path, "--json");

        Assert.Equal((ExitCode.Tampered, ExitCode.Tampered), (finished.ExitCode, json.ExitCode));
        Assert.StartsWith("TAMPERED: ", finished.Output, StringComparison.Ordinal);
        Assert.Contains("\n    1. leaf ", finished.Output, StringComparison.Ordinal);
        Assert.Equal("checksum", JsonElement.Parse(json.Output).GetProperty("faults")[0].GetProperty("kind").GetString());
    }

    [Fact]
    public async Task A_tail_that_was_cut_shows_against_a_checkpoint_that_was_kept_elsewhere_and_only_then()
    {
        // As it was at the first start: a log that was whole once.
        using var copy = log.CopyOf(log.Earlier);
        var alone = await AuditAsync("verify", copy.Path);

        var against = await ChildProcess.RunAsync("dotnet", [Executable.Path, "audit", "verify", copy.Path, "--against", "-"], File.ReadAllText(log.PathOf("checkpoint")));

        Assert.Equal(ExitCode.Success, alone.ExitCode);
        Assert.Equal((int)ExitCode.Tampered, against.ExitCode);
        Assert.Contains($"fewer than the checkpoint of {log.Length}", against.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_index_that_is_missing_or_damaged_changes_no_answer_and_no_verdict()
    {
        using var copy = log.Copy();
        var index = Directory.GetFiles(Path.Combine(copy.Path, "log", "index")).Single();
        var client = (await copy.ReadLogAsync()).All<ClientRegistered>().Single().Client;
        string[][] commands =
        [
            ["tail", "--json", "--type", "access.refused", "--count", "50"],
            ["tail", "--json", "--client", client],
            ["export", "--client", client, "--until", "0s"],
            ["prove", log.Refused.Id],
            ["verify"],
        ];
        var answers = await AnswersAsync();
        Assert.All(answers[..^1], answer => Assert.NotEmpty(answer));

        var bytes = File.ReadAllBytes(index);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(index, bytes);
        Assert.Equal(answers, await AnswersAsync());

        Directory.Delete(Path.GetDirectoryName(index)!, recursive: true);
        Assert.Equal(answers, await AnswersAsync());

        async Task<string[]> AnswersAsync()
        {
            var given = new List<string>();
            foreach (var command in commands)
            {
                var finished = await AuditAsync([.. command, "--data", copy.Path]);
                Assert.Equal(ExitCode.Success, finished.ExitCode);
                // What is on the disk differs.
                given.Add(command[0] == "verify" ? finished.Output.Split('\n')[0] : finished.Output);
            }
            return [.. given];
        }
    }

    [Fact]
    public async Task A_file_that_no_gate_writes_is_tampering()
    {
        using var copy = log.Copy();
        using (var file = File.OpenWrite(JournalFiles.PathOf(copy.Path + "/log", 0)))
            file.SetLength(JournalReader.MaxSegmentBytes + 1);

        var finished = await AuditAsync("verify", copy.Path);

        Assert.Equal(ExitCode.Tampered, finished.ExitCode);
        Assert.StartsWith("TAMPERED: journal-", finished.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_somebody_wrote_into_the_files_reaches_no_terminal_as_it_is()
    {
        using var copy = log.Copy();
        var (_, journal) = JournalFiles.Segments(copy.Path + "/log")[^1];
        var leaf = Encoding.UTF8.GetBytes("\u001b[2J\u009b31m\r\nalles in Ordnung ‮");
        var record = new byte[JournalRecord.SizeOf(leaf.Length)];
        JournalRecord.Write(leaf, record);
        await using (var file = new FileStream(journal, FileMode.Append))
            await file.WriteAsync(record, TestContext.Current.CancellationToken);
        var checkpoint = File.ReadAllText(copy.Path + "/log/checkpoint");
        File.WriteAllText(copy.Path + "/log/checkpoint", "\u009b2J‮ " + checkpoint);

        var verified = await AuditAsync("verify", copy.Path);
        var tail = await AuditAsync("tail", "--data", copy.Path, "-n", "2");

        Assert.Equal((ExitCode.Tampered, ExitCode.Success), (verified.ExitCode, tail.ExitCode));
        Assert.All(verified.Output + tail.Output, c => Assert.True(c is '\n' or (>= ' ' and <= '~'), $"U+{(int)c:x4}"));
        Assert.Contains("\\u001b[2J\\u009b31m\\u000d\\u000a", tail.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_verified_is_told_with_a_hint()
    {
        using var nothing = new DataFolder();
        var noCheckpoint = log.FileWith("no checkpoint\n");

        Faults.Assert(await Executable.RunAsync("audit", "verify", nothing.Path), ExitCode.Unavailable);
        Faults.Assert(await Executable.RunAsync("audit", "verify", log.Data.Path, "--data", log.Data.Path), ExitCode.Usage);
        Faults.Assert(await Executable.RunAsync("audit", "verify", log.Data.Path, "--against", noCheckpoint), ExitCode.RefusedInput);
        Faults.Assert(await Executable.RunAsync("audit", "verify", log.Data.Path, "--against", Path.Combine(Repository.Root, "vectors", "log", "checkpoint")), ExitCode.RefusedInput);
        Faults.Assert(await Executable.RunAsync("audit", "verify", log.Data.Path, "--key", noCheckpoint), ExitCode.RefusedInput);
        Faults.Assert(await Executable.RunAsync("audit", "prove", "no-such-event", "--data", log.Data.Path), ExitCode.RefusedInput);
        Faults.Assert(await Executable.RunAsync("audit", "prove", "1000000", "--data", log.Data.Path), ExitCode.RefusedInput);
        Faults.Assert(await Executable.RunAsync("audit", "prove", "--data", log.Data.Path), ExitCode.Usage);
        Faults.Assert(await Executable.RunAsync("audit", "prove", "--check", noCheckpoint, "--key", log.PathOf("verifier-key")), ExitCode.RefusedInput);
        Faults.Assert(await Executable.RunAsync("audit", "tail", "--type", "access.forged", "--data", log.Data.Path), ExitCode.Usage);
        Faults.Assert(await Executable.RunAsync("audit", "export", "--since", "yesterday", "--data", log.Data.Path), ExitCode.Usage);
    }

    [Fact]
    public async Task A_segment_that_cannot_be_is_told_by_whatever_comes_upon_it()
    {
        using var copy = log.Copy();
        File.Copy(Path.Combine(copy.Log, new LogFiles(copy.Log).Segments()[0].Name), Path.Combine(copy.Log, "journal-99999999999999999999"));

        foreach (var command in (string[][])[["audit", "tail"], ["audit", "explain", "40"], ["backup", copy.Path + ".tar.gz"], ["serve", "--urls", GateProcess.OriginOf(Ports.Free())]])
            Faults.Assert(await Executable.RunAsync([.. command, "--data", copy.Path]), ExitCode.Unavailable);
    }

    [Fact]
    public async Task A_log_is_never_called_tampered_with_while_a_gate_writes_it()
    {
        using var data = new DataFolder();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        await using var gate = await GateProcess.StartAsync(data, "--checkpoint-seconds", "1");
        var load = Enumerable.Range(0, 3).Select(_ => KnockAsync(gate.Origin, stop.Token)).ToList();
        var (checkpoints, files) = (new HashSet<long>(), new LogFiles(Path.Combine(data.Path, "log")));

        // Long enough for tiles to grow full under the verifier.
        long length = 0;
        for (var round = 0; round < 30 || checkpoints.Count < 5 || length < 1500; round++)
        {
            var report = LogVerifier.Verify(files, NoteKey.Check);
            Assert.True(report.IsWhole, string.Join('\n', report.Faults));
            checkpoints.Add(report.SignedLength);
            length = report.Length;
            if (round % 10 == 0)
            {
                var finished = await AuditAsync("verify", data.Path);
                Assert.True(finished.ExitCode == ExitCode.Success, finished.Output + finished.Error);
            }
        }

        await stop.CancelAsync();
        await Task.WhenAll(load);
        await gate.StopAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_event_is_proved_to_whoever_has_the_key(bool byId)
    {
        var proof = log.FileWith("");
        var asked = byId ? log.Refused.Id : log.RefusedNumber.ToString(CultureInfo.InvariantCulture);
        var proved = await AuditAsync("prove", "--data", log.Data.Path, "--out", proof, "--", asked);
        Assert.True(proved.ExitCode == ExitCode.Success, proved.Error);

        var check = await AuditAsync("prove", "--check", proof, "--key", File.ReadAllText(log.PathOf("verifier-key")).TrimEnd('\n'));

        Assert.Equal(ExitCode.Success, check.ExitCode);
        var shown = JsonElement.Parse(check.Output);
        Assert.Equal((log.RefusedNumber, log.Refused.Id), (shown.GetProperty("number").GetInt64(), shown.GetProperty("event").GetProperty("id").GetString()));
    }

    [Fact]
    public async Task A_proof_that_was_altered_or_is_of_another_log_does_not_hold()
    {
        using var other = new DataFolder();
        await using (var gate = await GateProcess.StartAsync(other))
            await gate.StopAsync();
        var proved = await AuditAsync("prove", log.RefusedNumber.ToString(CultureInfo.InvariantCulture), "--data", log.Data.Path);
        var forged = Convert.ToBase64String(AuditEventJson.Write(log.Refused with { Status = 200 }));
        var lines = proved.Output.Split('\n');
        lines[1] = "extra " + forged;

        var altered = await Executable.RunAsync("audit", "prove", "--check", log.FileWith(string.Join('\n', lines)), "--key", log.PathOf("verifier-key"));
        var ofAnother = await Executable.RunAsync("audit", "prove", "--check", log.FileWith(proved.Output), "--key", other.Path + "/log/verifier-key");

        Faults.Assert(altered, ExitCode.Tampered);
        Faults.Assert(ofAnother, ExitCode.Tampered);
    }

    [Fact]
    public async Task An_event_that_is_not_signed_yet_is_proved_later()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        var id = await RefusedAsync(gate.Origin);

        var proved = await Executable.RunAsync("audit", "prove", "--data", data.Path, "--", id);

        Faults.Assert(proved, ExitCode.Unavailable);
        Assert.Matches("Try again in [0-9]+ seconds", proved.Error);
        await gate.StopAsync();
        Assert.Equal(ExitCode.Success, (await AuditAsync("prove", "--data", data.Path, "--", id)).ExitCode);
    }

    [Theory]
    [InlineData("jsonl")]
    [InlineData("ocsf")]
    [InlineData("ecs")]
    public async Task Every_event_is_exported_with_its_number(string format)
    {
        var file = log.FileWith("") + ".gz";

        var finished = await AuditAsync("export", "--format", format, "--out", file, "--data", log.Data.Path);

        Assert.True(finished.ExitCode == ExitCode.Success, finished.Error);
        await using var zipped = new GZipStream(File.OpenRead(file), CompressionMode.Decompress);
        using var reader = new StreamReader(zipped);
        var numbers = new List<long>();
        while (await reader.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            var exported = JsonElement.Parse(line);
            numbers.Add((format switch
            {
                "ocsf" => exported.GetProperty("metadata").GetProperty("sequence"),
                "ecs" => exported.GetProperty("sallyport").GetProperty("number"),
                _ => exported.GetProperty("number"),
            }).GetInt64());
        }
        Assert.Equal(Enumerable.Range(0, (int)log.Length).Select(number => (long)number), numbers);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }

    [Fact]
    public async Task What_is_exported_has_the_bytes_that_the_tree_hashes()
    {
        var finished = await AuditAsync("export", "--data", log.Data.Path);

        var lines = finished.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var leaves = JournalFiles.ReadAll(log.Data.Path + "/log").Select(leaf => $"{{\"number\":{leaf.Index},\"event\":{Encoding.UTF8.GetString(leaf.Bytes)}}}");
        Assert.Equal(leaves, lines);
    }

    [Theory]
    [InlineData("tail")]
    [InlineData("export")]
    public async Task Events_are_picked_by_type_client_subject_session_and_time(string command)
    {
        var all = (await log.Data.ReadLogAsync()).Events;
        var allowed = all.OfType<AccessAllowed>().First(access => access.Session is not null);
        string[] rest = command == "tail" ? ["--json", "-n", "100000", "--data", log.Data.Path] : ["--data", log.Data.Path];

        async Task<IEnumerable<string?>> PickAsync(params string[] options)
        {
            var finished = await Executable.RunAsync(["audit", command, .. options, .. rest]);
            Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
            return finished.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line).GetProperty("event").GetProperty("id").GetString());
        }
        IEnumerable<string> IdsOf(Func<AuditEvent, bool> predicate) => all.Where(predicate).Select(e => e.Id);

        Assert.Equal(IdsOf(e => e is AccessRefused or Started), await PickAsync("--type", "access.refused", "--type", "start"));
        Assert.Equal(IdsOf(e => e is AccessAllowed a && a.Session == allowed.Session), await PickAsync("--type", "access.allowed", "--session", allowed.Session!));
        Assert.Equal(IdsOf(e => e is AccessAllowed a && a.Client == allowed.Client), await PickAsync("--type", "access.allowed", "--client", allowed.Client));
        Assert.Equal(IdsOf(e => e is TokenIssued t && t.Subject == allowed.Subject), await PickAsync("--type", "token.issued", "--subject", allowed.Subject));
        Assert.Equal(
            IdsOf(e => e.Time >= allowed.Time && e.Time < log.Refused.Time),
            await PickAsync("--since", allowed.Time.ToString("O", CultureInfo.InvariantCulture), "--until", log.Refused.Time.ToString("O", CultureInfo.InvariantCulture)));
        Assert.Equal(all.Count, (await PickAsync("--since", "1h")).Count());
        Assert.Empty(await PickAsync("--client", "nobody"));
    }

    [Fact]
    public async Task Whoever_follows_sees_only_what_was_asked_for()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        await using var tail = Executable.Start("audit", "tail", "--follow", "--type", "access.refused", "--data", data.Path);

        await RefusedAsync(gate.Origin);
        using (await GateClient.RegisterAsync(gate.Origin))
        {
        }
        var last = await RefusedAsync(gate.Origin);
        Assert.True(await tail.WritesAsync(() => tail.Output.Contains(last, StringComparison.Ordinal)), tail.Output + tail.Error);
        await gate.StopAsync();
        var finished = await tail.TerminateAsync();

        Assert.Equal((int)ExitCode.Success, finished.ExitCode);
        Assert.All(finished.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Contains("  access.refused  ", line, StringComparison.Ordinal));
    }

    private static async Task<(ExitCode ExitCode, string Output, string Error)> AuditAsync(params IEnumerable<string> arguments)
    {
        var finished = await Executable.RunAsync(["audit", .. arguments]);
        return ((ExitCode)finished.ExitCode, finished.Output, finished.Error);
    }

    private static async Task KnockAsync(string origin, CancellationToken stop)
    {
        using var client = new HttpClient();
        try
        {
            while (true)
                using (await client.GetAsync(origin + "/mcp", stop))
                {
                }
        }
        catch (OperationCanceledException)
        {
        }
    }

    internal static async Task<string> RefusedAsync(string origin)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync(origin + "/mcp", TestContext.Current.CancellationToken);
        return response.Headers.GetValues("Sallyport-Event").Single();
    }
}
