using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Audit;

/// <summary>
/// Puts another key in the place of the one that signs the log. Whenever it is cut short, either key is in force, and the next start
/// finishes or forgets it.
/// </summary>
/// <remarks>
///     [1 new key, in its file] ▶ [2 event] ▶ [3 checkpoint, signed by both] ▶ [4 introduced: verifier-keys] ▶ [5 verifier-key] ▶ [6 old key wiped, new one in its place]
///
/// Up to 4 it has not happened: a new key that nothing introduces is thrown away. From 4 on it has.
/// </remarks>
internal static class KeyChange
{
    /// <summary>4: the event is in the tree that both keys have signed.</summary>
    public static void Introduce(LogFiles files, long index, Checkpoint head, SignedNote note)
    {
        var leaf = JournalFiles.ReadFrom(files.Directory, index, index + 1).Single().Bytes;
        var hashes = MerkleProof.Inclusion(index, head.Size, new TileTree(head.Size, path => files.ReadOrGrown(path)?.Bytes).Subtree);
        var before = files.Read(ILogStore.VerifierKeys, LogKeys.MaxBytes) ?? [];
        Disk.Replace(files.PathOf(ILogStore.VerifierKeys), [.. before, .. Encoding.UTF8.GetBytes(LogKeys.Line(new(index, hashes, note, leaf)) + "\n")]);
    }

    /// <summary>5 and 6: only the new key is left.</summary>
    public static void Finish(LogFiles files, DataDirectory directory, VerifierKey key)
    {
        Disk.Replace(files.PathOf(ILogStore.VerifierKey), Encoding.UTF8.GetBytes(key + "\n"));
        if (File.Exists(directory.LogKey))
            Disk.Wipe(directory.LogKey);
        File.Move(directory.NextLogKey, directory.LogKey, overwrite: true);
        Disk.SyncDirectory(directory.Keys);
    }

    /// <summary>At a start: finishes what was cut short, or forgets it.</summary>
    public static void TakeUp(LogFiles files, DataDirectory directory)
    {
        if (!File.Exists(directory.NextLogKey))
            return;
        try
        {
            using var next = NoteKey.OpenOrCreate(directory.NextLogKey, NoteKey.NewLogName, SignatureType.Ed25519);
            if (LogKeys.Read(files, next.Verifier, NoteKey.Check, out var fault) is { Handovers.Count: > 0 } keys && fault is null && keys.Newest == next.Verifier)
            {
                Finish(files, directory, next.Verifier);
                return;
            }
        }
        catch (InvalidDataException)
        {
            // It was being written.
        }
        File.Delete(directory.NextLogKey);
    }
}
