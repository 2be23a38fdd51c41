using System.Text;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Anchors;
using Sallyport.Server.Operation;
using Sallyport.Server.Storage;
using Sallyport.Server.Witness;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Proof;

/// <summary>
/// The logs in <c>vectors/logs</c>, and what a verifier has to find in them: <c>whole.json</c> has those that gates wrote, of every kind
/// that there is, and <c>tampered.json</c> what is done to logs, each fault of the format's table and its neighbours that are none.
/// tests/Sallyport.EndToEnd holds <c>audit verify</c> and the independent verifier against the same.
/// </summary>
public class LogVectorTests
{
    private static readonly string s_logs = Path.Combine(VectorFiles.Root, "logs");
    private static readonly NoteSigner s_signer = new("sallyport.example/vectors", "sallyport test vectors");
    private static readonly NoteSigner s_stranger = new("sallyport.example/vectors", "somebody else");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static bool Writes => Environment.GetEnvironmentVariable("SALLYPORT_WRITE_VECTORS") == "1";

    [Fact]
    public async Task The_logs_that_gates_wrote_are_whole_as_their_expectations_say()
    {
        var path = Path.Combine(s_logs, "whole.json");
        if (Writes)
            await WriteWholeAsync(path);

        foreach (var vector in LogVector.ReadAll(path))
        {
            var report = LogVerifier.Verify(new LogFiles(Path.Combine(VectorFiles.Root, vector.Log)), NoteKey.Check);

            Assert.True(report.IsWhole, $"{vector.Name}: {string.Join("; ", report.Faults)}");
            Assert.Equal(
                (vector.Name, vector.First, vector.Length, vector.Signed, vector.Torn, vector.Root),
                (vector.Name, report.FirstIndex, report.Length, report.SignedLength, report.TornBytes, RootOf(report)));
            if (vector.Witness is { } witness)
                Assert.True(VerifierKey.TryParse(witness, out var key) && report.Checkpoint!.IsSignedBy(key, NoteKey.Check));
        }
    }

    [Fact]
    public void What_is_done_to_a_log_is_found_as_what_it_is_and_where_it_is()
    {
        var path = Path.Combine(s_logs, "tampered.json");
        var vectors = Tampered();
        if (Writes)
            File.WriteAllText(path, LogVector.Write(vectors));
        Assert.Equal(File.ReadAllText(path), LogVector.Write(vectors));

        foreach (var vector in vectors)
        {
            using var data = new TestData(inMemory: true);
            CopyLog(Path.Combine(VectorFiles.Root, vector.Log), data.Root);
            foreach (var change in vector.Changes ?? [])
                change.ApplyTo(data.Root);

            var report = LogVerification.Run(new(data.Root), key: null, [.. CheckpointLine.ReadAll(vector.Against ?? "")], static _ => { });

            Assert.Equal(
                $"{vector.Name}: {string.Join(", ", vector.Faults.OrderBy(fault => fault.Kind, StringComparer.Ordinal).Select(fault => $"{fault.Kind} {fault.Index}"))}",
                $"{vector.Name}: {string.Join(", ", report.Faults.GroupBy(fault => Kind(fault.Kind)).OrderBy(kind => kind.Key, StringComparer.Ordinal).Select(kind => $"{kind.Key} {(IsOfNoLeaf(vector, kind.Key) ? null : kind.Min(fault => fault.Index))}"))}");
            if (vector.Length is { } length)
                Assert.Equal((vector.Name, length, vector.Torn), (vector.Name, report.Length, report.TornBytes));
        }
        // Every kind of fault there is.
        Assert.Equal(Enum.GetValues<LogFaultKind>().Select(Kind).Order(StringComparer.Ordinal), vectors.SelectMany(vector => vector.Faults).Select(fault => fault.Kind).Distinct().Order(StringComparer.Ordinal));

        static bool IsOfNoLeaf(LogVector vector, string kind) => vector.Faults.Any(fault => fault.Kind == kind && fault.Index is null);
    }

    private static string Kind(LogFaultKind kind) => System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString());

    private static string? RootOf(LogReport report) => report.Checkpoint is { } note && Checkpoint.TryParse(note.Text, out var head) ? head.Root.ToString() : null;

    /// <summary>What verifiers need of a log: not its caches, and not what its commitments are to.</summary>
    private static void CopyLog(string from, string to)
    {
        foreach (var path in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var name = Path.GetRelativePath(from, path);
            if (name.StartsWith("values.db", StringComparison.Ordinal) || name.StartsWith("index", StringComparison.Ordinal) || name == Retention.SnapshotsFile)
                continue;
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(to, name))!);
            File.WriteAllBytes(Path.Combine(to, name), ReadShared(path));
        }
    }

    private static byte[] ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var bytes = new MemoryStream();
        file.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static List<LogVector> Tampered()
    {
        const string First = "journal-00000000000000000000";
        const string Second = "journal-00000000000000000130";
        var log = MemoryLogStore.FilesOf(Path.Combine(VectorFiles.Root, "log"));
        var leaves = LogWriter.LeavesOf(log[First]).Concat(LogWriter.LeavesOf(log[Second])).ToList();
        var heads = CheckpointLine.ReadAll(Encoding.UTF8.GetString(log[ILogStore.Checkpoints])).ToList();
        var (edgeBytes, historyBytes) = (log["tile/entries/001.p/4"].Length, log[ILogStore.Checkpoints].Length);
        var pruned = MemoryLogStore.FilesOf(Path.Combine(s_logs, "pruned"));
        var prunedSegments = new MemoryLogStore(pruned).Segments();
        var unsigned = MemoryLogStore.FilesOf(Path.Combine(s_logs, "unsigned"));
        var unsignedLeaves = LogWriter.LeavesOf(unsigned[First]);
        var hole = (int)new MemoryLogStore(unsigned).SignedSize() + 3;

        return
        [
            // The journal.
            Of("record-of-another-checksum", "A bit of leaf 150 in the journal is another one. Its bundle has it as it was", [At(Second, RecordAt(150) + 40, Flipped(leaves[150], 32))], Found("checksum", 150)),
            Of("record-cut-before-another-segment", "The first segment ends within leaf 129, and another one follows it", [new(First, Length: log[First].Length - 5)], Found("checksum", 129)),
            Of("hole-in-what-is-signed", "Zeros where leaves 200 to 202 begin, and whole records behind them", [At(Second, RecordAt(200), new byte[RecordAt(203) - RecordAt(200)])], Found("checksum", 200), Found("copies_differ", 201), Found("shorter", 258)),
            Of("hole-in-what-nobody-signed", "Zeros in the midst of a leaf that no head covers, and whole records behind them: a torn tail, and no fault",
                [At(First, LogWriter.Journal(unsignedLeaves.Take(hole)).Length + 20, new byte[40])], []) with
                {
                    Log = "logs/unsigned",
                    Length = hole,
                    Torn = unsigned[First].Length - LogWriter.Journal(unsignedLeaves.Take(hole)).Length,
                },
            Of("segment-missing", "The journal begins with leaf 130, and no event says that it was pruned", [new(First, Removed: true)], Found("gap", 130)),
            Of("segment-of-another-number", "The second segment calls itself that of leaf 131", [new(Second, Renamed: "journal-00000000000000000131")], Found("gap", 130), Found("copies_differ", 131)),
            Of("journal-cut", "The journal ends with leaf 249, and 260 are signed", [new(Second, Length: RecordAt(250))], Found("shorter", 250)),
            Of("journal-missing", "There is no journal: a copy as tlog-tiles has it, and no fault", [new(First, Removed: true), new(Second, Removed: true)], []),
            Of("journal-changed", "Leaf 150 is another one in the journal, with a checksum that holds", [At(Second, RecordAt(150), LogWriter.Record(Changed(leaves[150])))], Found("copies_differ", 150)),

            // Bundles and tiles.
            Of("bundle-changed", "Leaf 200 is another one in its bundle", [At("tile/entries/000", BundleAt(200) + 2, Changed(leaves[200]))], Found("copies_differ", 200), Found("tile", 0), Found("root", 260)),
            Of("bundle-missing", "The bundle at the right edge is missing", [new("tile/entries/001.p/4", Removed: true)], Found("bundle", 256)),
            Of("bundle-cut", "It ends within leaf 259", [new("tile/entries/001.p/4", Length: edgeBytes - 3)], Found("bundle", 259)),
            Of("bundle-too-long", "A byte stands behind its last leaf", [At("tile/entries/001.p/4", edgeBytes, [0])], Found("bundle", 259)),
            Of("older-bundle-changed", "The partial bundle of the head of 96 leaves, left beside the full one, is not its beginning", [new("tile/entries/000.p/96", Content: "no leaves")], Found("bundle", 0)),
            Of("older-bundle-of-no-head", "A partial bundle of a size that no known head has: not judged, and no fault", [new("tile/entries/000.p/95", Content: "no leaves")], []),
            Of("first-bundle-missing", "The log begins with leaf 256, and no event says that it was pruned", [new("tile/entries/000", Removed: true)], Found("gap", 256)),
            Of("tile-changed", "A hash in the tile at the right edge is another one", [At("tile/0/001.p/4", 40, [(byte)~log["tile/0/001.p/4"][40]])], Found("tile", 256)),
            Of("tile-missing", "The first tile is missing", [new("tile/0/000", Removed: true)], Found("tile", 0)),
            Of("tile-above-changed", "A hash of level 1 is another one", [At("tile/1/000.p/1", 0, [(byte)~log["tile/1/000.p/1"][0]])], Found("tile", 0)),
            Of("older-tile-changed", "The partial tile of the head of 96 leaves, left beside the full one, is not its beginning", [new("tile/0/000.p/96", Content: "no hashes")], Found("tile", 0)),
            Of("all-copies-changed", "Leaf 258 is another one in the journal, its bundle and its tile", [
                At(Second, RecordAt(258), LogWriter.Record(Changed(leaves[258]))),
                At("tile/entries/001.p/4", BundleAt(258) - BundleAt(256) + 2, Changed(leaves[258])),
                At("tile/0/001.p/4", 2 * TreeHash.Bytes, ReferenceTree.Leaf(Changed(leaves[258])))], Found("root", 260)),
            Of("tile-too-large", "The first tile has a byte more than any may have", [At("tile/0/000", 8192, [0])], Found("file")),

            // Heads and keys.
            Of("checkpoint-missing", "There is no checkpoint, though the history has heads", [new(ILogStore.Checkpoint, Removed: true)], Found("checkpoint", 260)),
            Of("checkpoint-set-back", "The checkpoint is the one of 193 leaves, and the history has a larger one", [new(ILogStore.Checkpoint, Content: heads[^2].ToString())], Found("checkpoint", 260)),
            Of("checkpoint-changed", "Its root is another one than was signed", [new(ILogStore.Checkpoint, Content: heads[^1].ToString().Replace("260\nZ", "260\nA", StringComparison.Ordinal))], Found("signature", 260), Found("checkpoint", 260)),
            Of("checkpoint-said-and-missing", "There are neither checkpoint nor history, and the log says that it was signed", [new(ILogStore.Checkpoint, Removed: true), new(ILogStore.Checkpoints, Removed: true)], Found("checkpoint")),
            Of("history-missing", "There is no history: no fault", [new(ILogStore.Checkpoints, Removed: true)], []),
            Of("history-torn", "Its last line is cut: what a killed process was writing, and no fault", [new(ILogStore.Checkpoints, Length: historyBytes - 9)], []),
            Of("history-spoilt", "It has a line that is no head", [At(ILogStore.Checkpoints, historyBytes, "{}\n"u8)], Found("checkpoint")),
            Of("history-of-a-stranger", "It has a head that another key has signed", [At(ILogStore.Checkpoints, historyBytes, Line(s_stranger, 260, heads[^1]))], Found("signature", 260)),
            Of("two-heads-of-one-size", "The log's key has signed two roots of 260 leaves", [At(ILogStore.Checkpoints, historyBytes, Line(s_signer, 260, heads[0]))], Found("root", 260)),
            Of("another-key-beside", "The key beside the log is another one of its name", [new(ILogStore.VerifierKey, Content: s_stranger.Verifier + "\n")], Found("signature", 96)),
            Of("no-key-beside", "What lies there is no key", [new(ILogStore.VerifierKey, Content: "no key\n")], Found("signature")),
            Of("key-that-nobody-introduced", "The log whose key was changed, without the file that says how", [new(ILogStore.VerifierKeys, Removed: true)], Found("signature", 99)) with { Log = "rotated" },

            // Heads that were kept elsewhere.
            Of("kept-and-longer", "Somebody has a head of 300 leaves: the log was cut", [], Found("shorter", 300), Found("checkpoint", 300)) with { Against = Note(s_signer, 300, heads[0]) },
            Of("kept-and-other", "Somebody has a head of 200 leaves with another root: the log was written anew", [], Found("root", 200)) with { Against = Note(s_signer, 200, heads[0]) },
            Of("kept-and-the-same", "Somebody has the head of 193 leaves: no fault", []) with { Against = heads[^2].ToString() },

            // What is signed and is not as a gate writes it.
            Of("no-event", "Leaf 1 does not begin with a type", [], Found("no_event", 1)) with { Log = "logs/no-event" },
            Of("start-of-another-head", "The start at 2 names the root of the one leaf before it", [], Found("start", 2)) with { Log = "logs/start-of-another-head" },
            Of("start-unreadable", "The start at 2 lacks a member", [], Found("no_event", 2)) with { Log = "logs/start-unreadable" },

            // A log that was pruned.
            Of("pruned-without-tiles", "Of a pruned log the tile is missing that stands for what is gone", [new("tile/1/000.p/1", Removed: true)], Found("tile", 256)) with { Log = "logs/pruned" },
            Of("pruned-further-than-said", "A segment is missing that no event speaks of", [new(prunedSegments[0].Name, Removed: true)], Found("gap", prunedSegments[1].FirstIndex)) with { Log = "logs/pruned" },
        ];

        long RecordAt(int leaf) => LogWriter.Journal(leaves.Skip(130).Take(leaf - 130)).Length;
        long BundleAt(int leaf) => LogWriter.Bundle(leaves.Take(leaf)).Length;
        static byte[] Changed(byte[] leaf) => [.. leaf[..^3], (byte)(leaf[^3] ^ 1), .. leaf[^2..]];
        static byte[] Flipped(byte[] leaf, int at) => [(byte)(leaf[at] ^ 1)];
        static FileChange At(string file, long offset, ReadOnlySpan<byte> bytes) => new(file, offset, Convert.ToHexStringLower(bytes));
        static string Note(NoteSigner signer, int size, SignedNote root) => signer.Sign($"{signer.Verifier.Name}\n{size}\n{root.Text.Split('\n')[2]}\n").ToString();
        static byte[] Line(NoteSigner signer, int size, SignedNote root)
        {
            Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(Note(signer, size, root)), out var note));
            return Encoding.UTF8.GetBytes(CheckpointLine.Format(note) + "\n");
        }
        static LogVectorFault Found(string kind, long? index = null) => new(kind, index);
        static LogVector Of(string name, string says, IReadOnlyList<FileChange> changes, params IReadOnlyList<LogVectorFault> faults) =>
            new(name, says, "log", changes.Count > 0 ? changes : null, null, null, null, null, null, null, null, faults);
    }

    /// <summary>Those that are not there yet. Each is what a gate writes, on a day of its own, with a key that is nowhere any more.</summary>
    private static async Task WriteWholeAsync(string path)
    {
        var written = File.Exists(path) ? LogVector.ReadAll(path).ToDictionary(vector => vector.Name) : [];
        var vectors = new List<LogVector>();
        vectors.Add(Judged("made", "Made up from the format alone, of two processes: what it shows, ../README.md says", "log", null));
        vectors.Add(Judged("rotated", "The key was changed at 151 leaves", "rotated", null));
        foreach (var (name, says, write) in new (string, string, Func<string, Task<string?>>)[]
        {
            ("pruned", "The first bundle and the segments before journal_index are gone, and log.pruned says so", PrunedAsync),
            ("unsigned", "Leaves at the end that no head covers, as in any log whose gate runs", UnsignedAsync),
            ("torn", "The disk was full in the midst of a record", TornAsync),
            ("cosigned", "The checkpoint has the cosignature of a witness, too", CosignedAsync),
            ("restored", "A log that goes on from a backup: log.restored names the head of the one in restored-from", RestoredAsync),
        })
        {
            var folder = Path.Combine(s_logs, name);
            var witness = Directory.Exists(folder) ? written.GetValueOrDefault(name)?.Witness : await write(folder);
            vectors.Add(Judged(name, says, $"logs/{name}", witness));
        }
        vectors.Add(Judged("restored-from", "The log that the backup had", "logs/restored-from", null));
        File.WriteAllText(path, LogVector.Write(vectors));
    }

    private static LogVector Judged(string name, string says, string log, string? witness)
    {
        var report = LogVerifier.Verify(new LogFiles(Path.Combine(VectorFiles.Root, log)), NoteKey.Check);
        return new(name, says, log, null, null, report.FirstIndex, report.Length, report.SignedLength, report.TornBytes, RootOf(report), witness, []);
    }

    private static async Task<string?> PrunedAsync(string folder)
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Journal = new() { SegmentBytes = 7_000 } }, withUser: false))
        {
            await KnockAsync(gate, 275);
            var retention = new Retention(new(data.Log));
            var pruned = retention.Before(await gate.Services.GetRequiredService<Snapshots>().TakeAsync(Cancellation))!;
            Assert.Equal(256, pruned.MinimumIndex);
            Assert.InRange(pruned.JournalIndex, 257, 511);
            await gate.Services.GetRequiredService<AuditLog>().AppendAsync(pruned);
            await gate.Services.GetRequiredService<Sealer>().SealAsync(Cancellation);
            retention.Prune(pruned);
            await KnockAsync(gate, 40);
            await gate.StopAsync();
        }
        CopyLog(data.Log, folder);
        return null;
    }

    private static async Task<string?> UnsignedAsync(string folder)
    {
        using var data = new TestData();
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);
        await KnockAsync(gate, 5);
        await gate.Services.GetRequiredService<Sealer>().SealAsync(Cancellation);
        await KnockAsync(gate, 12);
        CopyLog(data.Log, folder);
        return null;
    }

    private static async Task<string?> TornAsync(string folder)
    {
        using var data = new TestData();
        var disk = new FaultyDisk();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Journal = disk.Options, IsBroken = true }, withUser: false))
        {
            await KnockAsync(gate, 5);
            await gate.Services.GetRequiredService<Sealer>().SealAsync(Cancellation);
            await KnockAsync(gate, 5);
            disk.Fails = true;
            await KnockAsync(gate, 1);
        }
        CopyLog(data.Log, folder);
        return null;
    }

    private static async Task<string?> CosignedAsync(string folder)
    {
        using var data = new TestData();
        VerifierKey log;
        await using (var before = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false))
        {
            log = before.Services.GetRequiredService<Sealer>().Verifier;
            await before.StopAsync();
        }
        await using var other = await TestGate.StartAsync(new() { Settings = settings => settings.WitnessFor = [log.ToString()] }, withUser: false);
        var witness = other.Services.GetRequiredService<WitnessKey>().Verifier;
        var anchor = new WitnessAnchor(witness, new("http://localhost:5000/witness"), other.NewClient());
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Services = services => services.AddSingleton<IAnchor>(anchor) }, withUser: false))
        {
            await KnockAsync(gate, 5);
            await gate.StopAsync();
        }
        CopyLog(data.Log, folder);
        return witness.ToString();
    }

    private static async Task<string?> RestoredAsync(string folder)
    {
        using var data = new TestData();
        using var place = new TestData();
        var (file, restored) = (Path.Combine(place.Root, "backup.tar.gz"), Path.Combine(place.Root, "restored"));
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
        {
            await (await TestClient.RegisterAsync(gate)).TokensAsync();
            await gate.StopAsync();
            await new Backup(new(data.Root), gate.Time).WriteAsync(file, Cancellation);
            await using var archive = File.OpenRead(file);
            await new Restore(new(restored), gate.Time).RunAsync(archive, keys: null, Cancellation);
        }
        CopyLog(Path.Combine(restored, "log"), folder);
        CopyLog(Path.Combine(restored, "log-epoch-1"), folder + "-from");
        return null;
    }

    private static async Task KnockAsync(TestGate gate, int times)
    {
        for (var i = 0; i < times; i++)
            (await gate.PostMcpAsync(null, "{}")).Dispose();
    }
}
