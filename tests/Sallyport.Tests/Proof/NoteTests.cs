using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

public class NoteTests
{
    private const string Example = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    private const string ExampleKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    private const string Cosigned = """
        example.com/behind-the-sofa
        20852163
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==

        """;

    private static readonly NoteSigner s_log = new("log.example/test", "log");
    private static readonly NoteSigner s_other = new("log.example/other", "other");
    private static readonly NoteSigner s_witness = new("witness.example", "witness", SignatureType.Cosignature);
    private static readonly string s_text = new Checkpoint("log.example/test", 3, TreeHash.OfLeaf([1])).ToString();

    [Fact]
    public void The_example_of_signed_note_verifies_with_its_key()
    {
        var key = Key(ExampleKey);
        var note = Note(Example);

        Assert.Equal("This is an example message.\n", note.Text);
        Assert.True(note.IsSignedBy(key, NoteSigner.Check));
        Assert.Equal(0x530d903au, key.Id);
        Assert.Equal(ExampleKey, key.ToString());
        Assert.Equal(Example, note.ToString());
        Assert.False(Note(Example.Replace("an example", "no example", StringComparison.Ordinal)).IsSignedBy(key, NoteSigner.Check));
    }

    [Fact]
    public void The_example_of_tlog_cosignature_is_read_and_written_as_it_is()
    {
        var note = Note(Cosigned);

        Assert.True(Checkpoint.TryParse(note.Text, out var checkpoint));
        Assert.Equal(("example.com/behind-the-sofa", 20852163), (checkpoint.Origin, checkpoint.Size));
        Assert.Equal(note.Text, checkpoint.ToString());
        Assert.Equal(Cosigned, note.ToString());
        Assert.Equal(1679315147, Cosignature.TimeOf(note.Signatures[1]));
        Assert.Null(Cosignature.TimeOf(note.Signatures[0]));
        Assert.Equal(
            "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
            Encoding.UTF8.GetString(Cosignature.Message(1679315147, note.Text)));
    }

    [Fact]
    public void A_signature_of_another_key_means_nothing_and_a_wrong_one_of_a_known_key_refuses_the_note()
    {
        var own = s_log.SignatureOf(s_text);
        var wrong = s_log.SignatureOf(s_text + "x\n");
        var (key, check) = (s_log.Verifier, (Ed25519Check)NoteSigner.Check);

        Assert.True(new SignedNote(s_text, [own]).IsSignedBy(key, check));
        Assert.True(new SignedNote(s_text, [s_other.SignatureOf(s_text), own, new("unknown", 7, new byte[3]), new(key.Name, key.Id + 1, own.Bytes), new("x", key.Id, own.Bytes)]).IsSignedBy(key, check));
        Assert.True(new SignedNote(s_text, [own, own]).IsSignedBy(key, check));
        Assert.False(new SignedNote(s_text, [own, wrong]).IsSignedBy(key, check));
        Assert.False(new SignedNote(s_text, [wrong, own]).IsSignedBy(key, check));
        Assert.False(new SignedNote(s_text, [own, own with { Bytes = own.Bytes[..63] }]).IsSignedBy(key, check));
        Assert.False(new SignedNote(s_text, []).IsSignedBy(key, check));
        Assert.False(new SignedNote(s_text, [own with { Name = "x" }]).IsSignedBy(key, check));
        Assert.False(new SignedNote(s_text, [own with { KeyId = 1 }]).IsSignedBy(key, check));
        Assert.False(new SignedNote(s_text, [own]).IsSignedBy(s_other.Verifier, check));
        Assert.False(new SignedNote(s_text, [own]).IsSignedBy(new NoteSigner("log.example/test", "stolen name").Verifier, check));
        Assert.False(new SignedNote(s_text, [own]).IsSignedBy(new NoteSigner("log.example/test", "log", SignatureType.Cosignature).Verifier, check));
    }

    [Fact]
    public void A_cosignature_is_bound_to_its_time_and_to_the_whole_text()
    {
        var cosignature = s_witness.Cosign(s_text, 1679315147);
        SignedNote Noted(NoteSignature signature, string? text = null) => new(text ?? s_text, [s_log.SignatureOf(s_text), signature]);

        Assert.True(Noted(cosignature).IsSignedBy(s_witness.Verifier, NoteSigner.Check));
        Assert.Equal(1679315147, Cosignature.TimeOf(cosignature));
        Assert.False(Noted(cosignature, s_text + "extension\n").IsSignedBy(s_witness.Verifier, NoteSigner.Check));
        for (var bit = 0; bit < 8 * cosignature.Bytes.Length; bit++)
        {
            var bytes = cosignature.Bytes.ToArray();
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(Noted(cosignature with { Bytes = bytes }).IsSignedBy(s_witness.Verifier, NoteSigner.Check));
        }
        // What a log signs is no cosignature, nor the other way round.
        Assert.False(new SignedNote(s_text, [s_witness.SignatureOf(s_text)]).IsSignedBy(s_witness.Verifier, NoteSigner.Check));
    }

    public static TheoryData<string> NoNotes =>
    [
        "",
        "\n\n",
        "text\n",
        "text\n\n",
        Example[..^1],
        Example.Replace("\n", "\r\n", StringComparison.Ordinal),
        Example.Replace("\n\n", "\n", StringComparison.Ordinal),
        Example.Replace("example message", "example\tmessage", StringComparison.Ordinal),
        Example.Replace("example message", "example\0message", StringComparison.Ordinal),
        Example.Replace("— ", "- ", StringComparison.Ordinal),
        Example.Replace("— ", "—", StringComparison.Ordinal),
        Example.Replace("— ", "—  ", StringComparison.Ordinal),
        Example.Replace("— ", "—\u00a0", StringComparison.Ordinal),
        Example.Replace("yaQM=", "yaQM", StringComparison.Ordinal),
        Example.Replace("yaQM=", "yaQN=", StringComparison.Ordinal),
        Example.Replace("yaQM=", "yaQM=\u0020", StringComparison.Ordinal),
        Example.Replace("yaQM=", "yaQM-", StringComparison.Ordinal),
        Example.Replace("yaQM=", "yaQM====", StringComparison.Ordinal),
        Example.Replace("foo Uw", "fo+o Uw", StringComparison.Ordinal),
        Example.Replace("foo Uw", "fo\u2003o Uw", StringComparison.Ordinal),
        Example.Replace("foo Uw", "fo\u2028o Uw", StringComparison.Ordinal),
        Example + "\n",
        Example + "and more\n",
        Example + "— x AAAAAA==\n",
        Example + "— x\n",
    ];

    [Theory]
    [MemberData(nameof(NoNotes))]
    public void What_signed_note_does_not_allow_is_no_note(string text) =>
        Assert.False(SignedNote.TryParse(Encoding.UTF8.GetBytes(text), out _));

    [Fact]
    public void Bytes_that_are_no_UTF8_are_no_note()
    {
        var bytes = Encoding.UTF8.GetBytes(Example);
        bytes[3] = 0xff;
        Assert.False(SignedNote.TryParse(bytes, out _));
    }

    [Fact]
    public void A_text_may_have_empty_lines_and_lines_that_look_like_signatures()
    {
        var text = "a\n\n— b c\n\n\nd\n";
        var note = Note(s_log.Sign(text).ToString());

        Assert.Equal(text, note.Text);
        Assert.True(note.IsSignedBy(s_log.Verifier, NoteSigner.Check));
    }

    [Fact]
    public void Keys_of_others_may_have_any_name_and_any_kind_of_signature()
    {
        // 16 of the largest signatures that there are today (ML-DSA), which signed-note says must be accepted.
        var others = Enumerable.Range(0, 16).Select(i => new NoteSignature($"zeuge-\U0001f441-é/{i}", (uint)i, new byte[4992]));
        var note = new SignedNote(s_text, [.. others, s_log.SignatureOf(s_text)]);

        Assert.True(Note(note.ToString()).IsSignedBy(s_log.Verifier, NoteSigner.Check));
        Assert.True(CheckpointLine.TryParse(CheckpointLine.Format(note), out var again));
        Assert.Equal(note.ToString(), again.ToString());
    }

    [Fact]
    public void A_note_without_end_is_refused()
    {
        Assert.False(SignedNote.TryParse(Encoding.UTF8.GetBytes(new string('a', SignedNote.MaxBytes) + Example), out _));
        Assert.False(SignedNote.TryParse(Encoding.UTF8.GetBytes(Example + string.Concat(Enumerable.Repeat("— x AAAAAAA=\n", 100))), out _));
    }

    [Fact]
    public void No_bit_of_a_note_can_be_changed_so_that_it_verifies_as_another()
    {
        var good = s_log.Sign(s_text) is var signed ? signed with { Signatures = [s_other.SignatureOf(s_text), .. signed.Signatures, s_witness.Cosign(s_text, 77)] } : throw new InvalidOperationException();
        var bytes = good.ToBytes();
        var ofOthers = 0;
        for (var bit = 0; bit < 8 * bytes.Length; bit++)
        {
            var changed = (byte[])bytes.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            if (!SignedNote.TryParse(changed, out var note) || !note.IsSignedBy(s_log.Verifier, NoteSigner.Check))
                continue;
            // The lines of others are not vouched for by this key.
            Assert.Equal(s_text, note.Text);
            Assert.Equal(changed, note.ToBytes());
            Assert.Contains(note.Signatures, signature => signature.ToString() == good.Signatures[1].ToString());
            ofOthers++;
        }
        Assert.InRange(ofOthers, 1, 8 * (good.Signatures[0].ToString().Length + good.Signatures[2].ToString().Length));
    }

    [Theory]
    [InlineData("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", true)]
    [InlineData("a b+c\n0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nmore\n", true)]
    [InlineData("a\n9223372036854775807\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", true)]
    [InlineData("a\n9223372036854775808\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", false)]
    [InlineData("a\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", false)]
    [InlineData("a\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", false)]
    [InlineData("a\n+1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", false)]
    [InlineData("a\n1 \nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", false)]
    [InlineData("a\n١\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", false)]
    [InlineData("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", false)]
    [InlineData("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n", false)]
    [InlineData("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n", false)]
    [InlineData("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", false)]
    [InlineData("a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n", false)]
    [InlineData("\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", false)]
    [InlineData("a\n1\n", false)]
    public void A_checkpoint_is_read_in_its_one_form(string text, bool holds) => Assert.Equal(holds, Checkpoint.TryParse(text, out _));

    [Theory]
    [InlineData("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/fox+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2l")]
    [InlineData("example.com/foo+530d903a+ AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("example.com/foo+530d903a")]
    [InlineData("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")]
    [InlineData("")]
    public void A_key_with_a_wrong_id_or_in_another_form_is_refused(string text) => Assert.False(VerifierKey.TryParse(text, out _));

    [Fact]
    public void A_key_has_a_name_that_stands_in_a_line()
    {
        foreach (var name in new[] { "", "a b", "a+b", "a\nb", "a\u0085b", "a\u3000b", "a\ud800", "\udc00\ud800" })
            Assert.Throws<ArgumentException>(() => new VerifierKey(name, SignatureType.Ed25519, new byte[32]));
        Assert.Throws<ArgumentException>(() => new VerifierKey("a", SignatureType.Ed25519, new byte[31]));
    }

    [Fact]
    public void A_tlog_proof_shows_its_leaf_to_whoever_has_the_key_and_nothing_else()
    {
        var log = Traffic.Log(new(1), s_log, 300);
        var hashes = log.Leaves.Select(ReferenceTree.Leaf).ToList();
        var proof = new TlogProof(123, [.. ReferenceTree.Path(123, hashes, 0, 300).Select(hash => TreeHash.From(hash))], log.Checkpoints[^1], new byte[] { 1, 2, 3 });

        Assert.True(TlogProof.TryParse(Encoding.UTF8.GetBytes(proof.ToString()), out var read));
        Assert.Equal(proof.ToString(), read.ToString());
        Assert.True(read.Shows(log.Leaves[123], s_log.Verifier, NoteSigner.Check));
        Assert.False(read.Shows(log.Leaves[124], s_log.Verifier, NoteSigner.Check));
        Assert.False((read with { Index = 122 }).Shows(log.Leaves[123], s_log.Verifier, NoteSigner.Check));
        Assert.False((read with { Hashes = [.. read.Hashes.Skip(1)] }).Shows(log.Leaves[123], s_log.Verifier, NoteSigner.Check));
        Assert.False((read with { SignedCheckpoint = log.Checkpoints[0] }).Shows(log.Leaves[123], s_log.Verifier, NoteSigner.Check));
        // Of another log, which the same key would sign, and of the same log with another key.
        Assert.False(read.Shows(log.Leaves[123], s_other.Verifier, NoteSigner.Check));
        var elsewhere = s_log.Sign(read.SignedCheckpoint.Text.Replace("log.example/test", "log.example/else", StringComparison.Ordinal));
        Assert.False((read with { SignedCheckpoint = elsewhere }).Shows(log.Leaves[123], s_log.Verifier, NoteSigner.Check));
        var forged = new NoteSigner("log.example/test", "another key").Sign(read.SignedCheckpoint.Text);
        Assert.False((read with { SignedCheckpoint = forged }).Shows(log.Leaves[123], s_log.Verifier, NoteSigner.Check));
    }

    public static TheoryData<string, string> WrongProofs => new()
    {
        { "@v1", "@v2" },
        { "index 5", "index 05" },
        { "index 5", "index -5" },
        { "index 5", "index 9223372036854775808" },
        { "index 5", "index  5" },
        { "index 5\n", "" },
        { "extra AQID\n", "extra \n" },
        { "extra AQID\n", "extra AQ ID\n" },
        { "extra AQID\n", "extra\u0020AQI\n" },
        { "extra AQID\n", "extra AQJ=\n" },
        { "extra AQID\n", "extra AQID\r\n" },
        { "extra AQID\n", "extra AQID\nextra AQID\n" },
        { "extra AQID\nindex 5\n", "index 5\nextra AQID\n" },
        { "\n\n", "\n\n\n" },
        { "\n\n", "\n" },
        { "\n\n", "\nAAAA\n\n" },
    };

    [Theory]
    [MemberData(nameof(WrongProofs))]
    public void A_tlog_proof_is_read_in_its_one_form(string good, string wrong)
    {
        var text = new TlogProof(5, [TreeHash.OfLeaf([])], s_log.Sign(s_text), new byte[] { 1, 2, 3 }).ToString();
        Assert.True(TlogProof.TryParse(Encoding.UTF8.GetBytes(text), out _));
        var at = text.IndexOf(good, StringComparison.Ordinal);
        Assert.True(at >= 0);

        Assert.False(TlogProof.TryParse(Encoding.UTF8.GetBytes(text[..at] + wrong + text[(at + good.Length)..]), out _));
    }

    [Fact]
    public void A_tlog_proof_with_more_hashes_than_a_tree_is_high_is_refused()
    {
        TlogProof Of(int hashes) => new(5, [.. Enumerable.Repeat(TreeHash.Empty, hashes)], s_log.Sign(s_text));
        Assert.True(TlogProof.TryParse(Encoding.UTF8.GetBytes(Of(63).ToString()), out _));
        Assert.False(TlogProof.TryParse(Encoding.UTF8.GetBytes(Of(64).ToString()), out _));
    }

    [Fact]
    public void A_checkpoint_line_gives_back_the_note()
    {
        var note = s_log.Sign(s_text);
        var line = CheckpointLine.Format(note);

        Assert.DoesNotContain('\n', line);
        Assert.True(CheckpointLine.TryParse(line, out var read));
        Assert.Equal(note.ToString(), read.ToString());
        foreach (var wrong in new[] { "", "{}", "[]", "{\"checkpoint\":null}", "{\"checkpoint\":1}", "{\"checkpoint\":\"\\ud800\"}", "{\"checkpoint\":\"\ud800\"}", line[1..], line[..^1], line + line, "{\"checkpoint\":\"" + new string(' ', 10_000_000) })
            Assert.False(CheckpointLine.TryParse(wrong, out _));
        Assert.Equal([note.ToString()], CheckpointLine.ReadAll(note.ToString()).Select(n => n.ToString()));
        Assert.Equal(2, CheckpointLine.ReadAll($"gate started\r\n{line}\r\nsomething else\n{line}").Count());
    }

    private static SignedNote Note(string text) => SignedNote.TryParse(Encoding.UTF8.GetBytes(text), out var note) ? note : throw new FormatException(text);

    private static VerifierKey Key(string text) => VerifierKey.TryParse(text, out var key) ? key : throw new FormatException(text);
}
