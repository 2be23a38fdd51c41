using System.Buffers.Binary;
using System.Text;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;

namespace Sallyport.Tests.Proof.Support;

/// <summary>
/// Writes a whole log: journal, bundles, tiles, checkpoints. Made from the specifications and slow; it shares nothing with the gate's
/// writer, so that the verifier has to agree with both.
/// </summary>
internal sealed class LogWriter(NoteSigner signer)
{
    private readonly List<byte[]> _leaves = [];
    private readonly List<byte[]> _hashes = [];
    private readonly List<SignedNote> _checkpoints = [];
    private readonly List<int> _sizes = [];
    private readonly List<string> _changes = [];
    private NoteSigner _signer = signer;

    public int LeavesPerSegment { get; init; } = 100;

    /// <summary>What is made of a leaf before it is appended.</summary>
    public Func<byte[], byte[]> Written { get; init; } = leaf => leaf;

    public IReadOnlyList<byte[]> Leaves => _leaves;

    public int Size => _leaves.Count;

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<SignedNote> Checkpoints => _checkpoints;

    public byte[] Root() => ReferenceTree.Root(_hashes);

    public void Append(byte[] leaf)
    {
        leaf = Written(leaf);
        _leaves.Add(leaf);
        _hashes.Add(ReferenceTree.Leaf(leaf));
    }

    public void Append(AuditEvent auditEvent) => Append(AuditEventJson.Write(auditEvent));

    /// <summary>A process begins: its event names the head that it follows.</summary>
    public void Start(bool afterCleanStop = true) => Append(new Started
    {
        Id = $"start-{Size}",
        Time = Traffic.Time(Size),
        Process = "serve",
        Version = "0.0.0",
        AfterCleanStop = afterCleanStop,
        BytesCut = 0,
        Recovered = 0,
        Durability = Started.SurvivesPowerLoss,
        FollowsSize = Size,
        FollowsRoot = Convert.ToBase64String(Root()),
    });

    public SignedNote Sign()
    {
        var note = _signer.Sign($"{_signer.Verifier.Name}\n{Size}\n{Convert.ToBase64String(Root())}\n");
        _checkpoints.Add(note);
        _sizes.Add(Size);
        return note;
    }

    /// <summary>From here on another key signs, which the one so far introduces.</summary>
    public void Rotate(NoteSigner next)
    {
        var at = Size;
        Append(new LogKeyRotated { Id = $"rotated-{Size}", Time = Traffic.Time(Size), Previous = _signer.Verifier.ToString(), Key = next.Verifier.ToString() });
        var note = Sign();
        note = note with { Signatures = [.. note.Signatures, next.SignatureOf(note.Text)] };
        _checkpoints[^1] = note;
        var path = ReferenceTree.Path(at, _hashes, 0, _hashes.Count).Select(hash => Convert.ToBase64String(hash) + "\n");
        var proof = $"c2sp.org/tlog-proof@v1\nextra {Convert.ToBase64String(_leaves[at])}\nindex {at}\n{string.Concat(path)}\n{note}";
        _changes.Add($"{{\"proof\":{System.Text.Json.JsonSerializer.Serialize(proof)}}}\n");
        _signer = next;
    }

    /// <summary>Signs, and says so in the log.</summary>
    public void Seal()
    {
        Sign();
        Append(new CheckpointSigned { Id = $"checkpoint-{Size}", Time = Traffic.Time(Size), Size = Size, Root = Convert.ToBase64String(Root()) });
    }

    public Dictionary<string, byte[]> Files()
    {
        var files = new Dictionary<string, byte[]> { [ILogStore.VerifierKey] = Encoding.UTF8.GetBytes(_signer.Verifier + "\n") };
        if (_changes.Count > 0)
            files[ILogStore.VerifierKeys] = Encoding.UTF8.GetBytes(string.Concat(_changes));
        for (var first = 0; first < Size; first += LeavesPerSegment)
            files[MemoryLogStore.SegmentName(first)] = Journal(_leaves.Skip(first).Take(LeavesPerSegment));
        if (_checkpoints.Count > 0)
        {
            files[ILogStore.Checkpoint] = _checkpoints[^1].ToBytes();
            files[ILogStore.Checkpoints] = Encoding.UTF8.GetBytes(string.Concat(_checkpoints.Select(note => CheckpointLine.Format(note) + "\n")));
        }
        foreach (var size in _sizes)
            WriteTree(files, size, _sizes[^1]);
        return files;
    }

    public static byte[] Journal(IEnumerable<byte[]> leaves)
    {
        using var journal = new MemoryStream();
        foreach (var leaf in leaves)
            journal.Write(Record(leaf));
        return journal.ToArray();
    }

    public static byte[] Record(byte[] leaf)
    {
        var record = new byte[8 + leaf.Length];
        BinaryPrimitives.WriteInt32LittleEndian(record, leaf.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(4), Crc32C([.. record[..4], .. leaf]));
        leaf.CopyTo(record, 8);
        return record;
    }

    /// <summary>The records of a segment that hold, in order.</summary>
    public static List<byte[]> LeavesOf(byte[] segment)
    {
        var leaves = new List<byte[]>();
        for (var offset = 0; offset + 8 <= segment.Length;)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(segment.AsSpan(offset));
            if (length <= 0 || offset + 8 + length > segment.Length)
                break;
            leaves.Add(segment[(offset + 8)..(offset + 8 + length)]);
            offset += 8 + length;
        }
        return leaves;
    }

    public static byte[] Bundle(IEnumerable<byte[]> leaves)
    {
        using var bundle = new MemoryStream();
        foreach (var leaf in leaves)
            bundle.Write([(byte)(leaf.Length >> 8), (byte)leaf.Length, .. leaf]);
        return bundle.ToArray();
    }

    /// <summary>The tiles and bundles that a checkpoint of <paramref name="size"/> needs, but for the partial ones that are full at <paramref name="finalSize"/>.</summary>
    private void WriteTree(Dictionary<string, byte[]> files, int size, int finalSize)
    {
        var span = 1; // leaves under one hash of this level: 256^level
        for (var level = 0; size / span > 0; level++, span *= 256)
        {
            var hashes = size / span;
            for (var n = 0; n * 256 < hashes; n++)
            {
                var width = Math.Min(256, hashes - (n * 256));
                if (width < 256 && finalSize / span >= (n + 1) * 256)
                    continue;
                var name = Name(n, width);
                files[$"tile/{level}/{name}"] = [.. Enumerable.Range(n * 256, width).SelectMany(i => ReferenceTree.Root(_hashes, i * span, (i + 1) * span))];
                if (level == 0)
                    files[$"tile/entries/{name}"] = Bundle(_leaves.Skip(n * 256).Take(width));
            }
        }

        static string Name(int n, int width) => $"{n:d3}" + (width < 256 ? $".p/{width}" : "");
    }

    private static readonly uint[] s_crcOfByte = [.. Enumerable.Range(0, 256).Select(value =>
        Enumerable.Range(0, 8).Aggregate((uint)value, (crc, _) => (crc >> 1) ^ (0x82f63b78 & (0 - (crc & 1)))))];

    private static uint Crc32C(byte[] bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
            crc = (crc >> 8) ^ s_crcOfByte[(byte)(crc ^ b)];
        return ~crc;
    }
}

/// <summary>Events as a gate has them, at random.</summary>
internal static class Traffic
{
    private static readonly string[] s_paths = ["/mcp", "/.well-known/nothing", "/é", "/e\u0301", "/\u202e", "/" + new string('a', 200)];
    private static readonly string[] s_methods = ["tools/call", "tools/list", "initialize", "ping"];

    public static DateTimeOffset Time(long index) => new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddMilliseconds(index * 10);

    public static AuditEvent Event(Dice dice, long index)
    {
        var id = Convert.ToHexString(dice.Bytes(8));
        return dice.Below(5) switch
        {
            0 => new AccessRefused { Id = id, Time = Time(index), Elapsed = index * 10, Reason = dice.Of(Enum.GetValues<Reason>()), HttpMethod = "POST", Path = dice.Of(s_paths), Status = 401 },
            1 => new DiscoveryAnswered { Id = id, Time = Time(index), Elapsed = index * 10, Document = "oauth-protected-resource", Path = dice.Of(s_paths) },
            2 => new AccessOutcome { Id = id, Time = Time(index), Elapsed = index * 10, Forwarded = [.. Enumerable.Range(0, dice.Below(5)).Select(_ => Convert.ToHexString(dice.Bytes(8)))] },
            3 => new ClientRefused { Id = id, Time = Time(index), Elapsed = index * 10, Reason = Reason.MetadataInvalid },
            _ => new AccessAllowed
            {
                Id = id,
                Time = Time(index),
                Elapsed = index * 10,
                Token = "t" + dice.Below(9),
                Subject = "s" + dice.Below(3),
                Client = "c" + dice.Below(3),
                Audience = "http://localhost:8700/mcp",
                AsOf = index - 1,
                ScopesNeeded = ["mcp"],
                Transport = "streamable-http",
                HttpMethod = "POST",
                Method = dice.Of(s_methods),
                Name = dice.Below(2) == 0 ? "echo" : null,
            },
        };
    }

    /// <summary>A log of a few processes and checkpoints; its last <paramref name="unsigned"/> leaves nobody has signed yet.</summary>
    public static LogWriter Log(Dice dice, NoteSigner signer, int size, int unsigned = 0, int leavesPerSegment = 100)
    {
        var log = new LogWriter(signer) { LeavesPerSegment = leavesPerSegment };
        log.Start();
        while (log.Size < size)
        {
            if (log.Size == size - unsigned)
                log.Sign();
            else if (log.Size % 97 == 96)
                log.Seal();
            else if (log.Size % 151 == 150)
                log.Append(new Stopped { Id = $"stop-{log.Size}", Time = Time(log.Size) });
            else if (log.Size % 151 == 0)
                log.Start();
            if (log.Size < size)
                log.Append(Event(dice, log.Size));
        }
        if (unsigned == 0)
            log.Sign();
        return log;
    }
}
