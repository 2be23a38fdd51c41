using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Server.Audit;
using Sallyport.Server.Witness;

namespace Sallyport.Tests.Witness;

/// <summary>A log that a witness is told about: as many leaves as needed, which its key signs in any state, a wrong one too.</summary>
internal sealed class PretendedLog : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("sallyport-test-");
    private readonly List<TreeHash> _leaves = [];
    private readonly NoteKey _key;

    public PretendedLog(string origin = "log.example/one", string leaves = "leaf")
    {
        _key = NoteKey.OpenOrCreate(Path.Combine(_directory.FullName, "key"), () => origin, SignatureType.Ed25519);
        for (var i = 0; i < 64; i++)
            _leaves.Add(TreeHash.OfLeaf(System.Text.Encoding.UTF8.GetBytes($"{leaves} {i}")));
    }

    public VerifierKey Verifier => _key.Verifier;

    public Checkpoint Head(long size) => new(Verifier.Name, size, MerkleProof.Root(size, Subtree));

    public SignedNote Note(long size) => _key.Sign(Head(size));

    /// <summary>The key's signature under anything.</summary>
    public SignedNote Sign(Checkpoint checkpoint) => _key.Sign(checkpoint);

    public IReadOnlyList<TreeHash> Proof(long from, long to) => from == 0 ? [] : MerkleProof.Consistency(from, to, Subtree);

    public string Request(long from, long to) => new AddCheckpointRequest(from, Proof(from, to), Note(to), Head(to)).ToString();

    public string Request(long from, IReadOnlyList<TreeHash> proof, SignedNote note) => new AddCheckpointRequest(from, proof, note, null!).ToString();

    public NewCheckpoint New(long size) => new(Head(size), Note(size), from => Proof(from, size));

    /// <summary>Another history, under the same key.</summary>
    public void Rewrite(int leaf) => _leaves[leaf] = TreeHash.OfLeaf("rewritten"u8);

    public void Dispose()
    {
        _key.Dispose();
        _directory.Delete(recursive: true);
    }

    private TreeHash Subtree(int height, long index) => height == 0
        ? _leaves[(int)index]
        : TreeHash.OfNode(Subtree(height - 1, 2 * index), Subtree(height - 1, (2 * index) + 1));
}
