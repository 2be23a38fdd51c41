using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>The logs in <c>vectors/</c> that are made of the format alone, for other implementations; the README there says what is in them.</summary>
public class VectorTests
{
    private const int Proved = 100;

    private static readonly NoteSigner s_log = new("sallyport.example/vectors", "sallyport test vectors");
    private static readonly NoteSigner s_next = new("sallyport.example/vectors", "sallyport test vectors, the second key");

    [Theory]
    [InlineData("log")]
    [InlineData("rotated")]
    [InlineData("logs/no-event")]
    [InlineData("logs/start-of-another-head")]
    [InlineData("logs/start-unreadable")]
    public void The_logs_in_the_vectors_are_what_the_format_makes_of_their_leaves(string log)
    {
        var folder = Path.Combine(VectorFiles.Root, log);
        var files = log switch
        {
            "log" => Made(),
            "rotated" => Rotated(),
            _ => Wrong(Path.GetFileName(log)),
        };
        if (Environment.GetEnvironmentVariable("SALLYPORT_WRITE_VECTORS") == "1")
        {
            Directory.CreateDirectory(folder);
            foreach (var (name, bytes) in files)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, name))!);
                File.WriteAllBytes(Path.Combine(folder, name), bytes);
            }
        }
        var stored = MemoryLogStore.FilesOf(folder);

        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), stored.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, bytes) in files)
            Assert.True(bytes.AsSpan().SequenceEqual(stored[name]), name);
    }

    [Fact]
    public void The_log_in_the_vectors_is_whole_and_its_proof_holds()
    {
        var stored = MemoryLogStore.FilesOf(Path.Combine(VectorFiles.Root, "log"));
        var report = LogVerifier.Verify(new MemoryLogStore(stored), NoteSigner.Check, s_log.Verifier);

        Assert.Empty(report.Faults);
        Assert.Equal((260L, 260L), (report.Length, report.SignedLength));
        Assert.True(TlogProof.TryParse(stored["leaf.tlog-proof"], out var proof));
        Assert.True(proof.Shows(stored["leaf.json"], s_log.Verifier, NoteSigner.Check));
    }

    [Fact]
    public void The_log_whose_key_was_changed_is_whole_by_either_key()
    {
        var stored = new MemoryLogStore(MemoryLogStore.FilesOf(Path.Combine(VectorFiles.Root, "rotated")));
        foreach (var key in new[] { s_log.Verifier, s_next.Verifier, null })
        {
            var report = LogVerifier.Verify(stored, NoteSigner.Check, key);

            Assert.Empty(report.Faults);
            Assert.Equal((300L, 300L, s_next.Verifier), (report.Length, report.SignedLength, report.NewestKey));
        }
    }

    private static Dictionary<string, byte[]> Rotated()
    {
        var log = new LogWriter(s_log) { LeavesPerSegment = 150 };
        log.Start();
        while (log.Size < 300)
        {
            if (log.Size % 100 == 99)
                log.Sign();
            if (log.Size == 150)
                log.Rotate(s_next);
            log.Append(Traffic.Event(new((ulong)log.Size), log.Size));
        }
        log.Sign();
        return log.Files();
    }

    /// <summary>A log of three leaves, all of them signed, one of which is not as a gate writes it.</summary>
    private static Dictionary<string, byte[]> Wrong(string how)
    {
        var log = new LogWriter(s_log);
        log.Start();
        var one = log.Root();
        log.Append(how == "no-event" ? """{"kind":"stop"}"""u8.ToArray() : AuditEventJson.Write(new Stopped { Id = "stop-1", Time = Traffic.Time(1) }));
        var start = AuditEventJson.Write(new Started
        {
            Id = "start-2",
            Time = Traffic.Time(2),
            Process = "serve",
            Version = "0.0.0",
            AfterCleanStop = true,
            BytesCut = 0,
            Recovered = 0,
            Durability = Started.SurvivesPowerLoss,
            FollowsSize = 2,
            FollowsRoot = Convert.ToBase64String(how == "start-of-another-head" ? one : log.Root()),
        });
        log.Append(how == "start-unreadable" ? Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(start).Replace("\"process\":\"serve\",", "", StringComparison.Ordinal)) : start);
        log.Sign();
        return log.Files();
    }

    private static Dictionary<string, byte[]> Made()
    {
        var log = Traffic.Log(new(2026), s_log, 260, leavesPerSegment: 130);
        var hashes = log.Leaves.Select(ReferenceTree.Leaf).ToList();
        var proof = new TlogProof(Proved, [.. ReferenceTree.Path(Proved, hashes, 0, hashes.Count).Select(hash => TreeHash.From(hash))], log.Checkpoints[^1]);
        return new(log.Files())
        {
            ["leaf.json"] = log.Leaves[Proved],
            ["leaf.tlog-proof"] = Encoding.UTF8.GetBytes(proof.ToString()),
        };
    }
}
