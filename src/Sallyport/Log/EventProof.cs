using Sallyport.Proof;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;

namespace Sallyport.Log;

/// <summary>Makes the proof that an event is in the log, up to its newest checkpoint.</summary>
internal static class EventProof
{
    /// <param name="number">Asked for once the checkpoint is read: the head comes before anything that it speaks of.</param>
    /// <exception cref="CommandFault">It cannot be made, or would not hold.</exception>
    public static TlogProof Make(LogFiles files, Func<long> number)
    {
        // 1. The head.
        if (files.Read(ILogStore.Checkpoint, SignedNote.MaxBytes) is not { } bytes)
            throw new CommandFault(ExitCode.Unavailable, $"The log in {files.Directory} has not been signed yet", "A gate signs it when it starts");
        if (!SignedNote.TryParse(bytes, out var note) || !Checkpoint.TryParse(note.Text, out var head))
            throw Damaged($"{files.PathOf(ILogStore.Checkpoint)} is no checkpoint");

        // 2. The event.
        var index = number();
        if (index >= head.Size)
            throw NotSigned(index, files);
        var leaf = LeafAt(index, head.Size, files) ?? throw Damaged($"the bundle with event {index} cannot be read");

        // 3. The way from it to the head. Whoever gets the proof will check it; nobody should get one that does not hold.
        try
        {
            var proof = new TlogProof(index, MerkleProof.Inclusion(index, head.Size, new TileTree(head.Size, path => files.ReadOrGrown(path)?.Bytes).Subtree), note, leaf);
            return MerkleProof.IsIncluded(TreeHash.OfLeaf(leaf), index, head.Size, proof.Hashes, head.Root)
                ? proof
                : throw Damaged($"event {index} is not the one that was signed");
        }
        catch (MissingTileException exception)
        {
            throw Damaged(exception.Message);
        }
    }

    public static CommandFault Damaged(string what) => new(ExitCode.Tampered, $"The log is damaged: {what}".ToPrintable(), "See what else is with 'sallyport audit verify'");

    private static CommandFault NotSigned(long number, LogFiles files)
    {
        if (JournalFiles.ReadBackwards(files.Directory).Select(leaf => leaf.Index).FirstOrDefault(-1) < number)
            return new(ExitCode.RefusedInput, $"The log has no event {number}", "See the newest ones with 'sallyport audit tail'");
        var age = TimeProvider.System.GetUtcNow() - File.GetLastWriteTimeUtc(files.PathOf(ILogStore.Checkpoint));
        var left = Math.Clamp(60 - (long)age.TotalSeconds, 1, 60);
        return new(ExitCode.Unavailable, $"Event {number} is not signed yet",
            $"Try again in {left} seconds: a gate that runs signs its log every 60 seconds, or as its --checkpoint-seconds says, and when it stops");
    }

    private static byte[]? LeafAt(long number, long size, LogFiles files)
    {
        var (full, partial) = TilePath.Widths(TilePath.Entries, size);
        var index = number / TilePath.Full;
        if (files.ReadOrGrown(new(TilePath.Entries, index, index < full ? TilePath.Full : partial)) is not { } found)
            return null;
        ReadOnlySpan<byte> bundle = found.Bytes;
        for (var passed = number % TilePath.Full; EntryBundle.TryRead(ref bundle, out var leaf); passed--)
        {
            if (passed == 0)
                return leaf.ToArray();
        }
        return null;
    }
}
