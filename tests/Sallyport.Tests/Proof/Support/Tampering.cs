using System.Text;
using System.Text.Json.Nodes;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;

namespace Sallyport.Tests.Proof.Support;

/// <summary>Changes the files of a log as somebody would who wants the past to be another. It knows the format, and not the log's key.</summary>
/// <param name="origin">The name of the log.</param>
internal sealed class Tampering(Dice dice, IReadOnlyDictionary<string, byte[]> original, string origin)
{
    private readonly IReadOnlyList<string> _names = [.. original.Keys.Order(StringComparer.Ordinal)];
    private readonly IReadOnlyList<string> _segments = [.. original.Keys.Where(name => MemoryLogStore.SegmentIndex(name) is not null).Order(StringComparer.Ordinal)];
    private readonly IReadOnlyList<string> _bundles = [.. original.Keys.Where(name => name.StartsWith("tile/entries/", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    private readonly NoteSigner _attacker = new(origin, "attacker");

    /// <summary>A changed copy of the files, and what was done.</summary>
    public (Dictionary<string, byte[]> Files, string What) Edit()
    {
        var files = new Dictionary<string, byte[]>(original);
        var what = dice.Below(100) switch
        {
            < 40 => Bytes(files),
            < 70 => Records(files),
            < 85 => Entries(files),
            < 90 => WholeFiles(files),
            < 95 => Anew(files, attackersKey: false),
            < 98 => Anew(files, attackersKey: true),
            _ => Pruned(files),
        };
        return (files, what);
    }

    /// <summary>
    /// Why a change of the files changes nothing that is under the checkpoint; null where it does. This is all that may go unnoticed.
    /// </summary>
    public string? Harmless(IReadOnlyDictionary<string, byte[]> files)
    {
        var why = "nothing was changed";
        foreach (var name in _names)
        {
            var now = files.GetValueOrDefault(name);
            if (now is not null && now.AsSpan().SequenceEqual(original[name]))
                continue;
            if (name == _segments[^1] && now is not null && now.AsSpan().StartsWith(original[name]))
                why = "something stands behind the leaves that were signed";
            else if (_segments.Contains(name) && !_segments.Any(files.ContainsKey))
                why = "without any journal, the bundles have all that was signed";
            else if (name == ILogStore.VerifierKey && (now is null || Encoding.UTF8.GetString(now) == Encoding.UTF8.GetString(original[name]).TrimEnd('\n')))
                why = "the verifier has the key anyway";
            else if (name == ILogStore.Checkpoints && (now is null || Notes(now) is var notes && notes.All(Notes(original[name]).Contains) && TornOnly(now)))
                why = "what is left of the history still holds";
            else if (HasGrown(name) && (now is null || !HasHistory(files)))
                why = "a partial tile may go once it has grown, and without the history nobody knows that it was signed";
            else
                return null;
        }
        return files.Keys.All(original.ContainsKey) ? why : null;
    }

    private bool HasGrown(string name) => TilePath.TryParse(name, out var path) && !path.IsFull
        && _names.Any(other => TilePath.TryParse(other, out var wider) && wider.Level == path.Level && wider.Index == path.Index && wider.Width > path.Width);

    private bool HasHistory(IReadOnlyDictionary<string, byte[]> files) =>
        files.GetValueOrDefault(ILogStore.Checkpoints) is { } history && Notes(history).Count == Notes(original[ILogStore.Checkpoints]).Count;

    private string Bytes(Dictionary<string, byte[]> files)
    {
        var name = dice.Of(_names);
        var bytes = files[name];
        var at = dice.Below(bytes.Length);
        switch (dice.Below(6))
        {
            case 0:
                files[name] = [.. bytes[..at], (byte)(bytes[at] ^ (1 << dice.Below(8))), .. bytes[(at + 1)..]];
                return $"a bit of byte {at} of {name} flipped";
            case 1:
                files[name] = [.. bytes[..at], (byte)dice.Next(), .. bytes[(at + 1)..]];
                return $"byte {at} of {name} changed";
            case 2:
                files[name] = bytes[..at];
                return $"{name} cut to {at} bytes";
            case 3:
                files[name] = [.. bytes, .. dice.Bytes(1 + dice.Below(40))];
                return $"bytes appended to {name}";
            case 4:
                files[name] = [.. bytes[..at], .. dice.Bytes(1 + dice.Below(40)), .. bytes[at..]];
                return $"bytes inserted at {at} of {name}";
            default:
                var to = Math.Min(bytes.Length, at + 1 + dice.Below(40));
                files[name] = [.. bytes[..at], .. bytes[to..]];
                return $"bytes {at} to {to} of {name} removed";
        }
    }

    /// <summary>Records of the journal, with good checksums.</summary>
    private string Records(Dictionary<string, byte[]> files)
    {
        var name = dice.Of(_segments);
        var leaves = LogWriter.LeavesOf(files[name]);
        var what = Change(leaves);
        files[name] = LogWriter.Journal(leaves);
        return $"{what} in {name}";
    }

    /// <summary>Entries of a bundle, and where its journal has them too, those as well.</summary>
    private string Entries(Dictionary<string, byte[]> files)
    {
        var name = dice.Of(_bundles);
        var leaves = new List<byte[]>();
        ReadOnlySpan<byte> rest = files[name];
        while (EntryBundle.TryRead(ref rest, out var leaf))
            leaves.Add(leaf.ToArray());
        var before = leaves.ToList();
        var what = Change(leaves);
        files[name] = LogWriter.Bundle(leaves);
        if (dice.Below(2) == 0 || leaves.Count != before.Count)
            return $"{what} in {name}";
        foreach (var segment in _segments)
        {
            var records = LogWriter.LeavesOf(files[segment]);
            for (var i = 0; i < records.Count; i++)
            {
                var at = before.FindIndex(leaf => leaf.AsSpan().SequenceEqual(records[i]));
                if (at >= 0)
                    records[i] = leaves[at];
            }
            files[segment] = LogWriter.Journal(records);
        }
        return $"{what} in {name} and in the journal";
    }

    private string WholeFiles(Dictionary<string, byte[]> files)
    {
        var one = dice.Of(_names);
        var other = dice.Of([.. _names.Where(name => name != one)]);
        switch (dice.Below(3))
        {
            case 0:
                files.Remove(one);
                return $"{one} removed";
            case 1:
                (files[one], files[other]) = (files[other], files[one]);
                return $"{one} and {other} swapped";
            default:
                files[one] = files[other];
                return $"{other} copied over {one}";
        }
    }

    /// <summary>Journal, bundles and tiles written anew out of changed leaves, so that all copies agree.</summary>
    private string Anew(Dictionary<string, byte[]> files, bool attackersKey)
    {
        var leaves = _segments.SelectMany(segment => LogWriter.LeavesOf(original[segment])).ToList();
        var what = dice.Below(4) == 0 ? Cut(leaves) : Change(leaves);
        var anew = new LogWriter(_attacker) { LeavesPerSegment = 100 };
        leaves.ForEach(anew.Append);
        anew.Sign();
        files.Clear();
        foreach (var (name, bytes) in anew.Files())
            files[name] = bytes;
        if (attackersKey)
            return $"{what}, all written anew and signed with another key";
        foreach (var name in new[] { ILogStore.VerifierKey, ILogStore.Checkpoint, ILogStore.Checkpoints })
            files[name] = original[name];
        return $"{what}, all written anew under the old signatures";
    }

    /// <summary>Makes it look as if the beginning had been pruned.</summary>
    private string Pruned(Dictionary<string, byte[]> files)
    {
        var bundles = 1 + dice.Below(Math.Max(1, _bundles.Count - 1));
        foreach (var bundle in _bundles.Take(bundles))
            files.Remove(bundle);
        var segments = dice.Below(_segments.Count + 1);
        foreach (var segment in _segments.Take(segments))
            files.Remove(segment);
        return $"the first {bundles} bundles and {segments} segments removed";
    }

    private string Change(List<byte[]> leaves)
    {
        var at = dice.Below(leaves.Count);
        // Another one, where there is one: swapped with itself it would be no change.
        var to = leaves.Count > 1 ? (at + 1 + dice.Below(leaves.Count - 1)) % leaves.Count : at;
        switch (dice.Below(6))
        {
            case 0:
                leaves[at] = EditValue(leaves[at]);
                return $"a value of record {at} edited";
            case 1:
                leaves.RemoveAt(at);
                return $"record {at} dropped";
            case 2:
                leaves.Insert(at, leaves[to]);
                return $"record {to} repeated before record {at}";
            case 3:
                (leaves[at], leaves[to]) = (leaves[to], leaves[at]);
                return $"records {at} and {to} swapped";
            case 4:
                leaves.Insert(at, AuditEventJson.Write(Traffic.Event(dice, at)));
                return $"a record inserted before record {at}";
            default:
                var backDated = JsonNode.Parse(leaves[at])!;
                backDated["time"] = Traffic.Time(-1 - dice.Below(1_000_000)).ToString("O");
                leaves[at] = Encoding.UTF8.GetBytes(backDated.ToJsonString());
                return $"record {at} back-dated";
        }
    }

    private string Cut(List<byte[]> leaves)
    {
        var left = 1 + dice.Below(leaves.Count - 1);
        leaves.RemoveRange(left, leaves.Count - left);
        return $"all but {left} records cut off";
    }

    private byte[] EditValue(byte[] leaf)
    {
        var node = JsonNode.Parse(leaf)!.AsObject();
        var name = dice.Of([.. node.Select(member => member.Key).Where(key => key != "type")]);
        node[name] = node[name]?.GetValueKind() switch
        {
            System.Text.Json.JsonValueKind.Number => node[name]!.GetValue<long>() + 1,
            System.Text.Json.JsonValueKind.String => node[name]!.GetValue<string>() + "x",
            _ => null,
        };
        return Encoding.UTF8.GetBytes(node.ToJsonString());
    }

    private static List<string> Notes(byte[] history) =>
        [.. Encoding.UTF8.GetString(history).Split('\n').Select(line => CheckpointLine.TryParse(line, out var note) ? note.ToString() : null).OfType<string>()];

    /// <summary>Whether all lines but what stands behind the last newline are checkpoints.</summary>
    private static bool TornOnly(byte[] history) =>
        Encoding.UTF8.GetString(history).Split('\n')[..^1].All(line => CheckpointLine.TryParse(line, out _));
}
