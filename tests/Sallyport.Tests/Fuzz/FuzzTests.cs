using System.Text;
using CsCheck;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Server.Audit.Index;
using Sallyport.Server.Protocol;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Fuzz;

/// <summary>Runs each target on mutations of good inputs. A failure prints the seed that repeats it.</summary>
public class FuzzTests
{
    private const int Iterations = 20_000;

    private static readonly string[] s_tokens =
        ["\"", "\\u0000", "\\", "{", "}", "[", "]", ":", ",", "..", "/", "//", "%2f", "%2e", "?", "#", "@", "\n", "\0", "\u00ff", "method", "Method", "name", "params", "null", "javascript:", "http://localhost", ":99999", "\"id\":1,", " "];

    private static readonly string s_checkpoint = new Checkpoint("a.example", 7, TreeHash.Empty).ToString();

    private static SignedNote Note() => new(s_checkpoint, [new NoteSigner("a.example", "a").SignatureOf(s_checkpoint), new NoteSigner("w.example", "w", SignatureType.Cosignature).Cosign(s_checkpoint, 77)]);

    private static byte[] Utf8(object text) => Encoding.UTF8.GetBytes(text.ToString()!);
    /// <summary>The example of C2SP tlog-witness.</summary>
    private const string AddCheckpoint = """
        old 20852014
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

        example.com/behind-the-sofa
        20852163
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
        — example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=

        """;

    private static byte[] Record()
    {
        var leaf = AuditEventJson.Write(new Stopped { Id = "id" });
        var record = new byte[JournalRecord.SizeOf(leaf.Length)];
        JournalRecord.Write(leaf, record);
        return record;
    }

    private static byte[] IndexOf(byte[] leaf)
    {
        var entry = new byte[IndexEntry.Bytes];
        IndexEntry.Of(leaf, 0).Write(entry, 5);
        return entry;
    }

    public static TheoryData<string, byte[][]> Targets => new()
    {
        { nameof(FuzzTargets.MessageTraceRead), [Bytes("""{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[{"_meta":{}}],"_meta":{"b":{},"traceparent":"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01","tracestate":"a=b"}}}"""), Bytes(Messages.Initialize)] },
        { nameof(FuzzTargets.McpMessageScan), [Bytes(Messages.Initialize), Bytes(Messages.Initialized), Bytes(Messages.Call(1, "echo", new { message = "x" })), Bytes("""{"jsonrpc":"2.0","id":"a","result":{}}"""), Bytes("""{"id":1,"jsonrpc":"2.0","method":"x","params":{"_meta":{"progressToken":"t","io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"""), Bytes("""{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7}}"""), Bytes("""{"jsonrpc":"2.0","id":7,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":7}}}"""), Bytes("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}""")] },
        { nameof(FuzzTargets.AccessLogRead), [.. Directory.GetFiles(Path.Combine(VectorFiles.Root, "import"), "*.log").Select(File.ReadAllBytes)] },
        { nameof(FuzzTargets.JournalRecordRead), [Record()] },
        { nameof(FuzzTargets.AuditEventRead), [Record()[JournalRecord.HeaderBytes..], AuditEventJson.Write(new AccessOutcome { Id = "id", NotForwarded = [new("a", Reason.CallerLeft)] }), AuditEventJson.Write(new AccessAllowed { Id = "id", Token = "t", Subject = "s", Client = "c", Audience = "a", AsOf = 1, ScopesNeeded = ["x", "y"], Transport = "sse", HttpMethod = "GET", Method = "m", Source = "s" }), AuditEventJson.Write(new AccessRefused { Id = "id", Reason = Reason.TokenMissing, HttpMethod = "GET", Path = "/", Status = 401, Session = "s" })] },
        { nameof(FuzzTargets.IndexEntryRead), [AuditEventJson.Write(new AccessRefused { Id = "id", Reason = Reason.TokenMissing, HttpMethod = "GET", Path = "/", Status = 401, Session = "s", Client = "c" }), IndexOf(Record()[JournalRecord.HeaderBytes..])] },
        { nameof(FuzzTargets.SnapshotsRead), [Bytes("""[{"id":"a","begun_at":7,"time":"2026-11-24T16:35:10+00:00"},{"id":"","begun_at":0,"time":"2026-11-23T16:35:10+00:00"}]""")] },
        { nameof(FuzzTargets.EventLineShow), [AuditEventJson.Write(new AccessRefused { Id = "id", Reason = Reason.CodeReused, HttpMethod = "GET", Path = "/\u009b\ud83d\ude00", Status = 401 }), Bytes("""{"type":"consent.given","id":"ß","time":"2026-11-24T16:35:10Z","scopes":["a"],"failures":[{}]}""")] },
        { nameof(FuzzTargets.BackupEntryName), [Bytes("manifest.json"), Bytes("sallyport.db"), Bytes("log/checkpoint"), Bytes("log/journal-00000000000000000256"), Bytes("log-epoch-12/tile/entries/x001/234.p/7"), Bytes("log/tile/0/000")] },
        { nameof(FuzzTargets.RegistrationRead), [Bytes("""{"redirect_uris":["https://a.example/cb","cursor://x/y"],"client_name":"A","grant_types":["authorization_code"],"token_endpoint_auth_method":"none"}""")] },
        { nameof(FuzzTargets.AddCheckpointRead), [Encoding.UTF8.GetBytes(AddCheckpoint), Encoding.UTF8.GetBytes("old 0\n\n" + AddCheckpoint[(AddCheckpoint.IndexOf("\n\n", StringComparison.Ordinal) + 2)..])] },
        { nameof(FuzzTargets.RequestTargetNormal), [Bytes("/mcp"), Bytes("/messages/?session_id=0123"), Bytes("/.well-known/oauth-protected-resource/%C3%A9;a=b")] },
        { nameof(FuzzTargets.RedirectUriMatch), [Bytes("http://localhost:3000/cb?a=b\nhttp://localhost:1/cb?a=b"), Bytes("https://a.example/cb\nhttps://a.example/cb"), Bytes("http://[::1]/\nhttp://[::1]:80/")] },
        { nameof(FuzzTargets.ResourceUriCanonical), [Bytes("https://MCP.example:443/mcp/"), Bytes("http://localhost:8700")] },
        { nameof(FuzzTargets.ScopeParse), [Bytes("mcp offline_access x")] },
        { nameof(FuzzTargets.JournalRead), [[.. Record(), .. Record(), .. Record()]] },
        { nameof(FuzzTargets.EntryBundleRead), [LogWriter.Bundle([[1, 2, 3], [], [4]])] },
        { nameof(FuzzTargets.TilePathParse), [Bytes("tile/0/x001/x234/067"), Bytes("tile/entries/273.p/112"), Bytes("tile/7/000")] },
        { nameof(FuzzTargets.SignedNoteParse), [Utf8(Note())] },
        { nameof(FuzzTargets.CheckpointParse), [Utf8(s_checkpoint)] },
        { nameof(FuzzTargets.CheckpointLineParse), [Utf8(CheckpointLine.Format(Note())), Utf8(Note()), Utf8($"started\n{CheckpointLine.Format(Note())}\n")] },
        { nameof(FuzzTargets.VerifierKeyParse), [Utf8(new NoteSigner("a.example/é", "a").Verifier)] },
        { nameof(FuzzTargets.LogKeysRead), [FuzzTargets.KeysOfLog()] },
        { nameof(FuzzTargets.TlogProofParse), [Utf8(new TlogProof(5, [TreeHash.Empty, TreeHash.OfLeaf([])], Note(), new byte[] { 1, 2, 3 }))] },
        { nameof(FuzzTargets.LogVerify), [.. Enumerable.Range(0, 8).Select(i => FuzzTargets.FileOfLog((byte)i))] },
        { nameof(FuzzTargets.AccessTokenRead), [Bytes(AccessTokenFormat.Prefix + new string('A', 44))] },
    };

    [Theory]
    [MemberData(nameof(Targets))]
    public void Any_input_is_read_or_refused_and_what_was_read_keeps_its_promise(string target, byte[][] corpus)
    {
        var run = typeof(FuzzTargets).GetMethod(target)!.CreateDelegate<Action<byte[]>>();
        foreach (var good in corpus)
            run(good);

        var mutation = Gen.Select(Gen.Int[0, 4], Gen.Int[0, 4_000], Gen.Byte, Gen.Int[0, s_tokens.Length - 1]);
        Gen.Select(Gen.Int[0, corpus.Length - 1], mutation.Array[1, 6])
            .Select((which, mutations) => mutations.Aggregate(corpus[which], (input, m) => Mutate(input, m.Item1, m.Item2, m.Item3, s_tokens[m.Item4])))
            .Sample(input => run(input), iter: Iterations);
    }

    private static byte[] Mutate(byte[] input, int kind, int place, byte value, string token)
    {
        var at = place % (input.Length + 1);
        return kind switch
        {
            0 when at < input.Length => [.. input[..at], value, .. input[(at + 1)..]],
            1 => input[..at],
            2 => [.. input[..at], .. Bytes(token), .. input[at..]],
            3 => [.. input[..at], .. input[Math.Min(input.Length, at + 1 + (value % 8))..]],
            _ => [.. input[..at], .. input[Math.Max(0, at - (value % 32))..]],
        };
    }

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);
}
