using System.Security.Cryptography;
using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Server.Audit;
using Sallyport.Server.Witness;

namespace Sallyport.Tests.Witness;

/// <summary>Each line of C2SP tlog-witness that names a status, at the HTTP seam.</summary>
public sealed class AddCheckpointTests : IDisposable
{
    private readonly PretendedLog _log = new();

    public void Dispose() => _log.Dispose();

    private Task<TestGate> StartAsync(string? data = null, params PretendedLog[] more) => TestGate.StartAsync(new()
    {
        Data = data,
        Settings = settings => settings.WitnessFor = [_log.Verifier.ToString(), .. more.Select(log => log.Verifier.ToString())],
    }, withUser: false);

    private static Task<HttpResponseMessage> AddAsync(TestGate gate, string body) => AddAsync(gate, Encoding.UTF8.GetBytes(body));

    private static Task<HttpResponseMessage> AddAsync(TestGate gate, byte[] body) =>
        gate.Http.PostAsync("/witness/add-checkpoint", new ByteArrayContent(body), TestContext.Current.CancellationToken);

    private static Task<HttpResponseMessage> GetAsync(TestGate gate, string origin) =>
        gate.Http.GetAsync($"/witness/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(origin)))}/checkpoint", TestContext.Current.CancellationToken);

    private static VerifierKey KeyOf(TestGate gate) => gate.Services.GetRequiredService<WitnessKey>().Verifier;

    private static async Task AssertCosignedAsync(TestGate gate, HttpResponseMessage response, SignedNote note)
    {
        var answer = await response.TextAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, answer);
        // A client may put the answer under its note, and has one that the witness signed.
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(note + answer), out var cosigned), answer);
        Assert.True(cosigned.IsSignedBy(KeyOf(gate), NoteKey.Check));
    }

    private static async Task AssertStaleAsync(HttpResponseMessage response, long size)
    {
        Assert.Equal(HttpStatusCode.Conflict, response.StatusCode);
        Assert.Equal("text/x.tlog.size", response.Content.Headers.ContentType!.ToString());
        Assert.Equal($"{size}\n", await response.TextAsync());
    }

    private static WitnessRefused AssertRefused(TestGate gate, HttpResponseMessage response, HttpStatusCode status, Reason reason)
    {
        Assert.Equal(status, response.StatusCode);
        var refused = gate.EventOf<WitnessRefused>(response);
        Assert.Equal(reason, refused.Reason);
        Assert.Equal((int)status, refused.Status);
        return refused;
    }

    [Fact]
    public async Task A_log_is_cosigned_from_its_beginning_on_step_by_step()
    {
        await using var gate = await StartAsync();

        foreach (var (from, to) in new[] { (0L, 0L), (0, 1), (1, 5), (5, 8), (8, 8), (8, 33), (33, 64) })
            await AssertCosignedAsync(gate, await AddAsync(gate, _log.Request(from, to)), _log.Note(to));

        var cosigned = gate.Events<WitnessCosigned>();
        Assert.Equal([0, 1, 5, 8, 8, 33, 64], cosigned.Select(e => e.Size));
        Assert.All(cosigned, e => Assert.Equal((_log.Verifier.Name, _log.Head(e.Size).Root.ToString()), (e.Origin, e.Root)));
        Assert.DoesNotContain(gate.Log.Lines, line => line.StartsWith("Critical", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_answer_is_one_signature_line_with_the_time_by_the_clock()
    {
        await using var gate = await StartAsync();

        var response = await AddAsync(gate, _log.Request(0, 7));
        var answer = await response.TextAsync();

        Assert.StartsWith("— localhost:5000/witness ", answer);
        Assert.EndsWith("\n", answer);
        Assert.True(SignedNote.TryParseSignature(answer.TrimEnd('\n'), out var signature));
        Assert.Equal(gate.Time.GetUtcNow().ToUnixTimeSeconds(), Cosignature.TimeOf(signature));
        Assert.Equal(SignatureType.Cosignature, KeyOf(gate).Type);
        Assert.Equal(gate.Events<WitnessCosigned>().Single().Id, response.Headers.GetValues("Sallyport-Event").Single());
    }

    [Fact]
    public async Task Signatures_of_keys_that_the_witness_does_not_know_are_ignored_and_not_passed_on()
    {
        await using var gate = await StartAsync();
        using var stranger = new PretendedLog("stranger.example");
        var note = _log.Note(4) with { Signatures = [stranger.Note(4).Signatures[0], .. _log.Note(4).Signatures, new("ünknown.example", 7, new byte[3000])] };

        await AssertCosignedAsync(gate, await AddAsync(gate, _log.Request(0, [], note)), note);

        var shown = await (await GetAsync(gate, _log.Verifier.Name)).TextAsync();
        Assert.DoesNotContain("stranger", shown);
    }

    public static TheoryData<string, string> Malformed => new()
    {
        { "nothing", "" },
        { "no old size", "\n{note}" },
        { "a word that is not old", "Old 0\n\n{note}" },
        { "two blanks", "old  0\n\n{note}" },
        { "a leading zero", "old 00\n\n{note}" },
        { "a sign", "old +0\n\n{note}" },
        { "a size that no number holds", "old 18446744073709551616\n\n{note}" },
        { "carriage returns", "old 0\r\n\r\n{note}" },
        { "no empty line", "old 0\n{note}" },
        { "a proof line that is no hash", "old 1\nAAAA\n\n{note}" },
        { "a hash in another spelling", "old 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n\n{note}" },
        { "a blank behind a hash", "old 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \n\n{note}" },
        { "no signature", "old 0\n\nlog.example/one\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n" },
        { "a note that is no checkpoint", "old 0\n\nnot a checkpoint\n\n— log.example/one AAAAAAAA\n" },
        { "the end cut off", "old 0\n\n{cut}" },
        { "too many hashes", "old 1\n{hashes}\n{note}" },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task What_is_no_request_is_400(string what, string body)
    {
        await using var gate = await StartAsync();
        var note = _log.Note(4).ToString();
        var hashes = string.Concat(Enumerable.Repeat(new string('A', 43) + "=\n", 64));

        var response = await AddAsync(gate, body.Replace("{note}", note).Replace("{cut}", note[..^1]).Replace("{hashes}", hashes));

        Assert.True(response.StatusCode == HttpStatusCode.BadRequest, what);
        AssertRefused(gate, response, HttpStatusCode.BadRequest, Reason.CheckpointMalformed);
        Assert.Empty(gate.Events<WitnessCosigned>());
    }

    [Fact]
    public async Task Sixty_three_hashes_are_a_proof_if_a_wrong_one()
    {
        await using var gate = await StartAsync();
        await AddAsync(gate, _log.Request(0, 1));

        var response = await AddAsync(gate, _log.Request(1, [.. Enumerable.Repeat(TreeHash.Empty, 63)], _log.Note(4)));

        AssertRefused(gate, response, HttpStatusCode.UnprocessableEntity, Reason.CheckpointInconsistent);
    }

    [Fact]
    public async Task A_body_beyond_the_limit_is_413()
    {
        await using var gate = await StartAsync();

        var response = await AddAsync(gate, new byte[(68 * 1024) + 1]);

        AssertRefused(gate, response, HttpStatusCode.RequestEntityTooLarge, Reason.BodyTooLarge);
    }

    [Fact]
    public async Task Sixteen_signatures_of_any_size_in_use_are_taken()
    {
        await using var gate = await StartAsync();
        // ML-DSA-44 with its time, in base64.
        var note = _log.Note(4) with { Signatures = [.. Enumerable.Range(0, 15).Select(i => new NoteSignature($"w{i}", 1, new byte[2428])), .. _log.Note(4).Signatures] };

        await AssertCosignedAsync(gate, await AddAsync(gate, _log.Request(0, [], note)), note);
    }

    [Fact]
    public async Task A_checkpoint_longer_than_an_event_could_hold_is_400()
    {
        await using var gate = await StartAsync();

        var response = await AddAsync(gate, $"old 0\n\n{_log.Head(4)}{new string('x', 5000)}\n\n{_log.Note(4).Signatures[0]}");

        AssertRefused(gate, response, HttpStatusCode.BadRequest, Reason.CheckpointMalformed);
    }

    [Fact]
    public async Task An_old_size_above_the_checkpoint_s_is_400()
    {
        await using var gate = await StartAsync();
        await AddAsync(gate, _log.Request(0, 8));

        var response = await AddAsync(gate, _log.Request(8, [], _log.Note(5)));

        AssertRefused(gate, response, HttpStatusCode.BadRequest, Reason.CheckpointMalformed);
    }

    [Fact]
    public async Task A_log_that_the_witness_was_not_told_of_is_404()
    {
        await using var gate = await StartAsync();
        using var other = new PretendedLog("other.example");

        var response = await AddAsync(gate, other.Request(0, 4));

        Assert.Equal("other.example", AssertRefused(gate, response, HttpStatusCode.NotFound, Reason.CheckpointUnknownLog).Origin);
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(gate, "other.example")).StatusCode);
    }

    [Fact]
    public async Task A_checkpoint_that_no_known_key_signed_is_403()
    {
        await using var gate = await StartAsync();
        // The same name, and another key.
        using var impostor = new PretendedLog();

        var response = await AddAsync(gate, impostor.Request(0, 4));

        Assert.Null(AssertRefused(gate, response, HttpStatusCode.Forbidden, Reason.CheckpointUnsigned).Size);
    }

    [Fact]
    public async Task A_signature_that_claims_to_be_the_known_key_s_and_is_not_is_403_whatever_else_is_there()
    {
        await using var gate = await StartAsync();
        var good = _log.Note(4).Signatures[0];
        var bad = _log.Note(5).Signatures[0];

        foreach (var signatures in new NoteSignature[][] { [bad], [good, bad], [bad, good], [good with { Bytes = good.Bytes[..63] }] })
        {
            var response = await AddAsync(gate, _log.Request(0, [], _log.Note(4) with { Signatures = signatures }));
            AssertRefused(gate, response, HttpStatusCode.Forbidden, Reason.CheckpointUnsigned);
        }
        Assert.Empty(gate.Events<WitnessCosigned>());
    }

    [Fact]
    public async Task Whoever_does_not_know_the_newest_size_is_told_409()
    {
        await using var gate = await StartAsync();

        await AssertStaleAsync(await AddAsync(gate, _log.Request(3, 8)), 0);
        await AddAsync(gate, _log.Request(0, 8));
        var response = await AddAsync(gate, _log.Request(0, 9));
        await AssertStaleAsync(response, 8);
        await AssertStaleAsync(await AddAsync(gate, _log.Request(7, 9)), 8);

        var refused = gate.EventOf<WitnessRefused>(response);
        Assert.Equal((Reason.CheckpointStale, 9L, (string?)null), (refused.Reason, refused.Size, refused.Note));
        await AssertCosignedAsync(gate, await AddAsync(gate, _log.Request(8, 9)), _log.Note(9));
    }

    [Fact]
    public async Task A_log_that_was_set_back_is_409_and_said()
    {
        await using var gate = await StartAsync();
        await AddAsync(gate, _log.Request(0, 8));

        await AssertStaleAsync(await AddAsync(gate, _log.Request(0, 5)), 8);
        await AssertStaleAsync(await AddAsync(gate, _log.Request(5, 5)), 8);

        Assert.Contains(gate.Log.Lines, line => line.StartsWith("Warning", StringComparison.Ordinal) && line.Contains("5 events, fewer than the 8"));
        Assert.Contains("\n8\n", await (await GetAsync(gate, _log.Verifier.Name)).TextAsync());
    }

    [Theory]
    [InlineData(8)]
    [InlineData(13)]
    public async Task A_rewritten_log_is_422_and_the_evidence_is_kept(int size)
    {
        await using var gate = await StartAsync();
        await AddAsync(gate, _log.Request(0, 8));
        var before = await (await GetAsync(gate, _log.Verifier.Name)).TextAsync();
        _log.Rewrite(2);

        var response = await AddAsync(gate, _log.Request(8, size));

        var refused = AssertRefused(gate, response, HttpStatusCode.UnprocessableEntity, Reason.CheckpointInconsistent);
        Assert.Equal((_log.Verifier.Name, (long)size, _log.Head(size).Root.ToString()), (refused.Origin, refused.Size, refused.Root));
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(refused.Note!), out var evidence));
        Assert.True(evidence.IsSignedBy(_log.Verifier, NoteKey.Check));
        Assert.Contains(gate.Log.Lines, line => line.StartsWith("Critical", StringComparison.Ordinal) && line.Contains($"{size} events"));
        Assert.Equal(before, await (await GetAsync(gate, _log.Verifier.Name)).TextAsync());
    }

    [Fact]
    public async Task A_second_head_of_a_size_is_evidence_also_where_the_old_size_is_wrong()
    {
        await using var gate = await StartAsync();
        await AddAsync(gate, _log.Request(0, 8));
        _log.Rewrite(2);

        var response = await AddAsync(gate, _log.Request(0, 8));

        await AssertStaleAsync(response, 8);
        var refused = gate.EventOf<WitnessRefused>(response);
        Assert.Equal(Reason.CheckpointInconsistent, refused.Reason);
        Assert.NotNull(refused.Note);
        Assert.Contains(gate.Log.Lines, line => line.StartsWith("Critical", StringComparison.Ordinal) && line.Contains("two different heads"));
    }

    [Fact]
    public async Task A_stranger_who_sends_a_true_checkpoint_with_a_wrong_proof_raises_no_alarm()
    {
        await using var gate = await StartAsync();
        await AddAsync(gate, _log.Request(0, 8));

        var response = await AddAsync(gate, _log.Request(8, [TreeHash.Empty], _log.Note(8)));

        AssertRefused(gate, response, HttpStatusCode.UnprocessableEntity, Reason.CheckpointInconsistent);
        Assert.DoesNotContain(gate.Log.Lines, line => line.StartsWith("Critical", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_empty_tree_has_the_root_of_an_empty_tree_or_it_is_422()
    {
        await using var gate = await StartAsync();

        var response = await AddAsync(gate, _log.Request(0, [], _log.Sign(_log.Head(1) with { Size = 0 })));

        AssertRefused(gate, response, HttpStatusCode.UnprocessableEntity, Reason.CheckpointInconsistent);
    }

    [Fact]
    public async Task A_proof_from_nothing_is_422()
    {
        await using var gate = await StartAsync();

        var response = await AddAsync(gate, _log.Request(0, [TreeHash.Empty], _log.Note(4)));

        AssertRefused(gate, response, HttpStatusCode.UnprocessableEntity, Reason.CheckpointInconsistent);
    }

    [Fact]
    public async Task A_wrong_proof_is_422()
    {
        await using var gate = await StartAsync();
        await AddAsync(gate, _log.Request(0, 5));
        var proof = _log.Proof(5, 13);

        foreach (var wrong in new IReadOnlyList<TreeHash>[] { [], [.. proof.Skip(1)], [.. proof.SkipLast(1)], [.. proof, TreeHash.Empty], [.. proof.Reverse()], _log.Proof(4, 13), _log.Proof(5, 12) })
            AssertRefused(gate, await AddAsync(gate, _log.Request(5, wrong, _log.Note(13))), HttpStatusCode.UnprocessableEntity, Reason.CheckpointInconsistent);

        await AssertCosignedAsync(gate, await AddAsync(gate, _log.Request(5, proof, _log.Note(13))), _log.Note(13));
    }

    [Fact]
    public async Task Of_submissions_at_once_one_wins_and_the_others_are_409()
    {
        await using var gate = await StartAsync();
        var size = 0L;
        for (var round = 0; round < 5; round++)
        {
            var from = size;
            var responses = await Task.WhenAll(Enumerable.Range(1, 8).Select(i => AddAsync(gate, _log.Request(from, from + i))));

            var won = responses.Single(response => response.StatusCode == HttpStatusCode.OK);
            size = gate.EventOf<WitnessCosigned>(won).Size;
            foreach (var lost in responses.Where(response => response != won))
                await AssertStaleAsync(lost, size);
        }
        Assert.Equal(5, gate.Events<WitnessCosigned>().Count);
    }

    [Fact]
    public async Task What_was_cosigned_is_known_after_a_restart_and_the_key_is_the_same()
    {
        using var data = new TestData();
        VerifierKey key;
        await using (var gate = await StartAsync(data.Root))
        {
            await AddAsync(gate, _log.Request(0, 8));
            key = KeyOf(gate);
            await gate.StopAsync();
        }

        await using var next = await StartAsync(data.Root);

        Assert.Equal(key, KeyOf(next));
        await AssertStaleAsync(await AddAsync(next, _log.Request(0, 9)), 8);
        await AssertCosignedAsync(next, await AddAsync(next, _log.Request(8, 9)), _log.Note(9));
        await next.StopAsync();
    }

    [Fact]
    public async Task Logs_do_not_get_in_each_other_s_way()
    {
        using var other = new PretendedLog("log.example/other", "other");
        await using var gate = await StartAsync(null, other);

        await AssertCosignedAsync(gate, await AddAsync(gate, _log.Request(0, 8)), _log.Note(8));
        await AssertCosignedAsync(gate, await AddAsync(gate, other.Request(0, 3)), other.Note(3));
        await AssertCosignedAsync(gate, await AddAsync(gate, _log.Request(8, 9)), _log.Note(9));
    }

    [Fact]
    public async Task A_log_may_change_its_key_while_the_witness_knows_both()
    {
        using var successor = new PretendedLog();
        await using var gate = await StartAsync(null, successor);

        await AssertCosignedAsync(gate, await AddAsync(gate, _log.Request(0, 8)), _log.Note(8));
        await AssertCosignedAsync(gate, await AddAsync(gate, successor.Request(8, 9)), successor.Note(9));
        var both = _log.Note(10) with { Signatures = [.. _log.Note(10).Signatures, .. successor.Note(10).Signatures] };
        await AssertCosignedAsync(gate, await AddAsync(gate, _log.Request(9, _log.Proof(9, 10), both)), both);
    }

    [Fact]
    public async Task Anybody_can_have_the_newest_checkpoint_with_both_signatures()
    {
        await using var gate = await StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(gate, _log.Verifier.Name)).StatusCode);
        await AddAsync(gate, _log.Request(0, 8));
        await AddAsync(gate, _log.Request(8, 13));
        var response = await GetAsync(gate, _log.Verifier.Name);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.True(SignedNote.TryParse(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken), out var note));
        Assert.Equal(_log.Head(13).ToString(), note.Text);
        Assert.True(note.IsSignedBy(_log.Verifier, NoteKey.Check));
        Assert.True(note.IsSignedBy(KeyOf(gate), NoteKey.Check));
    }

    [Fact]
    public async Task A_gate_that_is_no_log_s_witness_has_no_such_address()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        Assert.Equal(HttpStatusCode.Unauthorized, (await AddAsync(gate, _log.Request(0, 8))).StatusCode);
        Assert.False(File.Exists(Path.Combine(gate.Data, "keys", "witness.key")));
    }

    [Fact]
    public async Task Nothing_is_cosigned_without_a_record()
    {
        var disk = new FaultyDisk();
        await using var gate = await TestGate.StartAsync(new() { Journal = disk.Options, Settings = settings => settings.WitnessFor = [_log.Verifier.ToString()] }, withUser: false);
        disk.Fails = true;

        var response = await AddAsync(gate, _log.Request(0, 8));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.DoesNotContain("—", await response.TextAsync());
    }
}
