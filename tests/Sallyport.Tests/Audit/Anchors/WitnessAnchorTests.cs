using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Anchors;
using Sallyport.Tests.Witness;

namespace Sallyport.Tests.Audit.Anchors;

/// <summary>Against witnesses that do as the test says.</summary>
public sealed class WitnessAnchorTests : IDisposable
{
    private static readonly DateTimeOffset s_now = DateTimeOffset.FromUnixTimeSeconds(1_790_000_000);

    private readonly PretendedLog _log = new();
    private readonly TestData _data = new();
    private readonly NoteKey _witness;

    public WitnessAnchorTests() => _witness = Key("witness.key", "witness.example/witness");

    public void Dispose()
    {
        _witness.Dispose();
        _log.Dispose();
        _data.Dispose();
    }

    private NoteKey Key(string file, string name) => NoteKey.OpenOrCreate(Path.Combine(_data.Root, file), () => name, SignatureType.Cosignature);

    private WitnessAnchor Anchor(PretendedWitness witness, string prefix = "http://witness.example/witness") => new(_witness.Verifier, new(prefix), new(witness));

    private static Task<Anchored> GiveAsync(WitnessAnchor anchor, NewCheckpoint checkpoint) => anchor.GiveAsync(checkpoint, TestContext.Current.CancellationToken);

    private string Cosign(long size) => _witness.Cosign(_log.Head(size).ToString(), s_now).ToString();

    private static HttpResponseMessage Answer(int status, string text) => new((HttpStatusCode)status) { Content = new StringContent(text) };

    [Fact]
    public async Task The_first_checkpoint_is_given_with_no_proof_and_the_next_with_one_from_it()
    {
        var witness = new PretendedWitness((count, _) => Answer(200, Cosign(count == 1 ? 3 : 9)));
        var anchor = Anchor(witness, "http://witness.example/witness/");

        var first = await GiveAsync(anchor, _log.New(3));
        var second = await GiveAsync(anchor, _log.New(9));

        Assert.True((_log.Note(9) with { Signatures = [second.Cosignature!] }).IsSignedBy(_witness.Verifier, NoteKey.Check));
        Assert.Null(first.Fault);
        Assert.Null(second.Fault);
        Assert.Equal([_log.Request(0, 3), _log.Request(3, 9)], witness.Bodies);
        Assert.All(witness.Addresses, address => Assert.Equal("http://witness.example/witness/add-checkpoint", address));
    }

    [Fact]
    public async Task A_witness_that_has_seen_more_says_from_where_to_go_on()
    {
        var witness = new PretendedWitness((count, _) => count == 1 ? Answer(409, "5\n") : Answer(200, Cosign(9)));

        var anchored = await GiveAsync(Anchor(witness), _log.New(9));

        Assert.NotNull(anchored.Cosignature);
        Assert.Equal([_log.Request(0, 9), _log.Request(5, 9)], witness.Bodies);
    }

    [Fact]
    public async Task A_witness_that_has_this_very_checkpoint_gives_its_cosignature_again()
    {
        var witness = new PretendedWitness((count, _) => count == 1 ? Answer(409, "9\n") : Answer(200, Cosign(9)));

        Assert.NotNull((await GiveAsync(Anchor(witness), _log.New(9))).Cosignature);
        Assert.Equal(_log.Request(9, 9), witness.Bodies[1]);
    }

    [Fact]
    public async Task A_witness_that_never_agrees_is_asked_three_times()
    {
        var witness = new PretendedWitness((count, _) => Answer(409, $"{count}\n"));

        Assert.Equal(new(null, Reason.AnchorRefused), await GiveAsync(Anchor(witness), _log.New(9)));
        Assert.Equal(3, witness.Bodies.Count);
    }

    public static TheoryData<int, string> Refusals => new()
    {
        { 409, "10\n" },
        { 409, "" },
        { 409, "-1\n" },
        { 409, "99999999999999999999\n" },
        { 409, "<html>" },
        { 400, "" },
        { 403, "" },
        { 404, "" },
        { 422, "" },
        { 500, "" },
        { 302, "" },
        { 204, "" },
        { 200, "" },
        { 200, "\n\n\n" },
        { 200, "— witness.example/witness\n" },
        { 200, "<html>a login page</html>" },
        { 200, "— witness.example/witness AAAAAAAAAAAAAAAAAAAAAAAA\n" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task Any_other_answer_is_a_refusal_at_once(int status, string text)
    {
        var witness = new PretendedWitness((_, _) => Answer(status, text));

        Assert.Equal(new(null, Reason.AnchorRefused), await GiveAsync(Anchor(witness), _log.New(9)));
        Assert.Single(witness.Bodies);
    }

    [Fact]
    public async Task A_cosignature_of_another_key_of_another_checkpoint_or_without_a_time_is_none()
    {
        using var impostor = Key("impostor.key", "witness.example/witness");
        string[] answers =
        [
            impostor.Cosign(_log.Head(9).ToString(), s_now).ToString(),
            (impostor.Cosign(_log.Head(9).ToString(), s_now) with { KeyId = _witness.Verifier.Id }).ToString(),
            Cosign(8),
            _witness.Cosign(_log.Head(9).ToString(), DateTimeOffset.UnixEpoch).ToString(),
            _log.Note(9).Signatures[0].ToString(),
        ];

        foreach (var answer in answers)
            Assert.Equal(new(null, Reason.AnchorRefused), await GiveAsync(Anchor(new((_, _) => Answer(200, answer))), _log.New(9)));
    }

    [Fact]
    public async Task The_cosignature_is_found_among_others()
    {
        var witness = new PretendedWitness((_, _) => Answer(200, new NoteSignature("other.example", 1, new byte[2428]) + Cosign(9)));

        Assert.Equal("witness.example/witness", (await GiveAsync(Anchor(witness), _log.New(9))).Cosignature!.Name);
    }

    [Fact]
    public async Task After_a_refusal_the_next_checkpoint_goes_on_from_what_was_cosigned()
    {
        var witness = new PretendedWitness((count, _) => count == 2 ? Answer(500, "") : Answer(200, Cosign(count == 1 ? 3 : 12)));
        var anchor = Anchor(witness);

        await GiveAsync(anchor, _log.New(3));
        Assert.NotNull((await GiveAsync(anchor, _log.New(9))).Fault);
        Assert.Null((await GiveAsync(anchor, _log.New(12))).Fault);

        Assert.Equal(_log.Request(3, 12), witness.Bodies[2]);
    }

    [Fact]
    public async Task A_huge_answer_is_not_read_to_its_end()
    {
        var endless = new Endless();
        var witness = new PretendedWitness((_, _) => new(HttpStatusCode.OK) { Content = new StreamContent(endless) });

        Assert.Equal(new(null, Reason.AnchorRefused), await GiveAsync(Anchor(witness), _log.New(9)));

        Assert.InRange(endless.Given, 1, 128 * 1024);
    }

    [Fact]
    public async Task A_witness_that_is_down_or_breaks_off_is_unreachable()
    {
        Assert.Equal(new(null, Reason.AnchorUnreachable), await GiveAsync(Anchor(new((_, _) => throw new HttpRequestException("down"))), _log.New(9)));
        Assert.Equal(new(null, Reason.AnchorUnreachable), await GiveAsync(Anchor(new((_, _) => throw new TaskCanceledException("its own limit"))), _log.New(9)));
        Assert.Equal(new(null, Reason.AnchorUnreachable), await GiveAsync(Anchor(new((_, _) => new(HttpStatusCode.OK) { Content = new StreamContent(new Broken()) })), _log.New(9)));
        using var http = new HttpClient();
        Assert.Equal(new(null, Reason.AnchorUnreachable), await GiveAsync(new(_witness.Verifier, new($"http://127.0.0.1:{TestGate.FreePort()}"), http), _log.New(9)));
    }

    private sealed class PretendedWitness(Func<int, HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
    {
        public List<string> Bodies { get; } = [];
        public List<string> Addresses { get; } = [];

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Assert.Equal(HttpMethod.Post, request.Method);
            Addresses.Add(request.RequestUri!.AbsoluteUri);
            Bodies.Add(await request.Content!.ReadAsStringAsync(cancellationToken));
            return answer(Bodies.Count, request);
        }
    }

    private abstract class Answering : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }

    private sealed class Endless : Answering
    {
        public long Given { get; private set; }

        public override int Read(byte[] buffer, int offset, int count)
        {
            Encoding.ASCII.GetBytes(new string('a', count)).CopyTo(buffer, offset);
            Given += count;
            return count;
        }
    }

    private sealed class Broken : Answering
    {
        public override int Read(byte[] buffer, int offset, int count) => throw new IOException("broken off");
    }
}
