using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>The log in <c>vectors/log</c>, for other implementations; its README says what is in it.</summary>
public class VectorTests
{
    private const int Proved = 100;

    private static readonly NoteSigner s_log = new("sallyport.example/vectors", "sallyport test vectors");
    private static readonly string s_folder = Path.Combine(VectorFiles.Root, "log");

    [Fact]
    public void The_log_in_the_vectors_is_what_the_format_makes_of_its_leaves()
    {
        var files = Made();
        if (Environment.GetEnvironmentVariable("SALLYPORT_WRITE_VECTORS") == "1")
        {
            foreach (var (name, bytes) in files)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(s_folder, name))!);
                File.WriteAllBytes(Path.Combine(s_folder, name), bytes);
            }
        }
        var stored = MemoryLogStore.FilesOf(s_folder);

        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), stored.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, bytes) in files)
            Assert.True(bytes.AsSpan().SequenceEqual(stored[name]), name);
    }

    [Fact]
    public void The_log_in_the_vectors_is_whole_and_its_proof_holds()
    {
        var stored = MemoryLogStore.FilesOf(s_folder);
        var report = LogVerifier.Verify(new MemoryLogStore(stored), NoteSigner.Check, s_log.Verifier);

        Assert.Empty(report.Faults);
        Assert.Equal((260L, 260L), (report.Length, report.SignedLength));
        Assert.True(TlogProof.TryParse(stored["leaf.tlog-proof"], out var proof));
        Assert.True(proof.Shows(stored["leaf.json"], s_log.Verifier, NoteSigner.Check));
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
