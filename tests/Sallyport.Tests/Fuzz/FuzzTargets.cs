using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Sallyport.Export;
using Sallyport.Log;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Import;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Report;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Index;
using Sallyport.Server.Authorization.Register;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Operation;
using Sallyport.Server.Protocol;
using Sallyport.Server.Telemetry;
using Sallyport.Server.Witness;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Fuzz;

/// <summary>
/// Every reader of bytes from outside, as a fuzzer calls it: any input is read or refused, and what was read keeps its promise. Each
/// throws where it does not.
/// </summary>
internal static class FuzzTargets
{
    private static readonly NoteSigner s_stranger = new("log.example/fuzz", "fuzz");
    private static readonly NoteSigner s_next = new("log.example/fuzz", "the next key");
    private static readonly Lazy<Dictionary<string, byte[]>> s_files = new(() => Traffic.Log(new(1), s_stranger, 20, unsigned: 3, leavesPerSegment: 10).Files());
    private static readonly AccessTokenFormat s_tokens = new(new TokenKeys([TokenKey.New(1, DateTimeOffset.UnixEpoch)], TimeProvider.System), TimeProvider.System);

    /// <summary>What the gate judged of a message is what a strict reader of JSON finds in it.</summary>
    public static void McpMessageScan(byte[] input)
    {
        if (McpMessage.Scan(input, out var message) != McpScan.Message)
            return;
        using var document = JsonDocument.Parse(input);
        var root = document.RootElement;
        Require(root.EnumerateObject().Count(member => member.Name.Equals("method", StringComparison.OrdinalIgnoreCase)) <= 1, "one method");
        Require((root.TryGetProperty("method", out var method) ? method.GetString() : null) == message.Method, "the same method");
        Require(root.TryGetProperty("id", out var id) == (message.IdJson is not null || id.ValueKind == JsonValueKind.Null), "the same id");
        if (root.TryGetProperty("params", out var parameters) && parameters.ValueKind == JsonValueKind.Object
            && parameters.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String)
            Require(name.GetString() == message.Name, "the same name");

        // Other ids in their places, and these again, change nothing else.
        var replaced = message.Places.Replace(input, "7"u8.ToArray(), "8"u8.ToArray());
        Require(McpMessage.Scan(replaced, out var other) == McpScan.Message, "a message with other ids");
        Require((other.Kind, other.Method, other.Name, other.Revision) == (message.Kind, message.Method, message.Name, message.Revision), "the same but for its ids");
        Require(other.IdKey == (McpPlaces.IsEmpty(message.Places.Id) ? null : "n7"), "its other id");
        if (McpPlaces.IsEmpty(message.Places.RequestId) && McpPlaces.IsEmpty(message.Places.SubscriptionId))
            Require(input.AsSpan().SequenceEqual(other.Places.Replace(replaced, input[message.Places.Id], input[message.Places.ProgressToken])), "the same bytes again");
    }

    /// <summary>A trace is the one that a strict reader finds, in no other place; and what is no message has none or one, and does no harm.</summary>
    public static void MessageTraceRead(byte[] input)
    {
        if (MessageTrace.Of(input) is not { } context || McpMessage.Scan(input, out _) != McpScan.Message)
            return;
        using var document = JsonDocument.Parse(input);
        var named = document.RootElement.GetProperty("params").GetProperty("_meta").EnumerateObject().First(member => member.Name == "traceparent").Value.GetString()!;
        Require(named.Contains(context.TraceId.ToString(), StringComparison.Ordinal) && named.Contains(context.SpanId.ToString(), StringComparison.Ordinal), "the same trace");
        Require(context.TraceState is null, "nothing else of it");
    }

    /// <summary>Each line is counted once, nothing is ever proved, and every format of the report is plain text.</summary>
    public static void AccessLogRead(byte[] input)
    {
        var log = new AccessLog(new());
        log.Read("fuzz", new MemoryStream(input), static _ => { });
        var report = log.Build();
        var lines = input.Count(b => b == '\n') + (input.Length == 0 || input[^1] == '\n' ? 0 : 1);
        Require(report.Events == lines && report.Judgement.Unreadable <= lines, "all its lines");
        Require(report.Judgement.Verdict is Verdict.NotProven or Verdict.Bypassed && report.Judgement.Claims.All(claim => claim.Status != ClaimStatus.Proved), "no proof");
        var blocks = ReportComposer.Compose(report);
        Require(!PlainRenderer.Render(blocks, 80).Any(c => char.IsControl(c) && c != '\n') && !MarkdownRenderer.Render(blocks).Any(c => char.IsControl(c) && c != '\n'), "no control character");
    }

    public static void JournalRecordRead(byte[] input)
    {
        if (JournalRecord.TryRead(input, out var leaf) != JournalReadResult.Record)
            return;
        var again = new byte[JournalRecord.SizeOf(leaf.Length)];
        JournalRecord.Write(leaf, again);
        Require(input.AsSpan(0, again.Length).SequenceEqual(again), "a record is the bytes that it would be written as");
    }

    /// <summary>A name that a backup may have stays within the directory that it is unpacked into, and is one of no key.</summary>
    public static void BackupEntryName(byte[] input)
    {
        var name = Encoding.Latin1.GetString(input);
        if (BackupArchive.MostBytesOf(name) is not { } most)
            return;
        Require(most is > 0 and < 1L << 33, "a size that a header can say");
        Require(Path.GetFullPath(Path.Combine("/unpacked", name)) == "/unpacked/" + name, "a path as it is");
        Require(!name.StartsWith("keys", StringComparison.Ordinal), "no key");
    }

    /// <summary>An event that is read by hand is the one that the serializer makes of it, and one that it refuses is refused.</summary>
    public static void AuditEventRead(byte[] input)
    {
        var (read, expected) = (Again(AuditEventJson.Read), Again(AuditEventJson.Deserialize));
        Require(read.AsSpan().SequenceEqual(expected), "what the serializer reads");

        byte[]? Again(Func<ReadOnlySpan<byte>, AuditEvent> reader)
        {
            try
            {
                return AuditEventJson.Write(reader(input));
            }
            catch (JsonException)
            {
                return null;
            }
        }
    }

    /// <summary>Any leaf has an entry in the index, and any bytes are one of the one number that they were written for, or of none.</summary>
    public static void IndexEntryRead(byte[] input)
    {
        var entry = IndexEntry.Of(input, 7);
        Require(entry.Offset == 7, "its place");
        var written = new byte[IndexEntry.Bytes];
        entry.Write(written, 5);
        Require(IndexEntry.TryRead(written, 5, out var again) && again == entry, "the same entry again");
        Require(!IndexEntry.TryRead(written, 6, out _), "of one number");
        if (!IndexEntry.TryRead(input, 5, out var read))
            return;
        read.Write(written, 5);
        Require(input.AsSpan(0, written.Length).SequenceEqual(written), "the bytes that it would be written as");
    }

    /// <summary>Whatever is read of a list of snapshots can be written, and is the same again.</summary>
    public static void SnapshotsRead(byte[] input)
    {
        var read = Retention.Read(input);
        Require(Retention.Read(Retention.Write(read)).SequenceEqual(read), "the same list again");
    }

    /// <summary>Whatever stands in a log is shown on one printable line, and every form of it is JSON on one line.</summary>
    public static void EventLineShow(byte[] input)
    {
        var line = new EventLine(new(7, input));
        Require(line.ForPeople().All(c => c is >= ' ' and <= '~'), "printable ASCII");
        using var output = new MemoryStream();
        foreach (var writer in (IEventWriter[])[new JsonLinesWriter(output), new OcsfWriter(output), new EcsWriter(output)])
        {
            output.SetLength(0);
            if (!writer.Write(line))
                continue;
            Require(output.ToArray().AsSpan().IndexOf((byte)'\n') == output.Length - 1, "one line");
            using var document = JsonDocument.Parse(output.ToArray());
        }
    }

    public static void RegistrationRead(byte[] input)
    {
        var (request, fault) = RegistrationRequest.Read(input, uri => RedirectUri.Judge(uri));
        Require(request is null == fault is not null, "a request or a fault");
        if (request is not null)
            Require(request.RedirectUris.All(uri => RedirectUri.Judge(uri) is null), "suitable addresses only");
    }

    /// <summary>A witness takes one spelling of a request, so that what it checked is what it was sent.</summary>
    public static void AddCheckpointRead(byte[] input)
    {
        if (!AddCheckpointRequest.TryParse(input, out var request))
            return;
        Require(input.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(request.ToString())), "a request is the bytes that it would be written as");
        Require(request.OldSize >= 0 && request.Checkpoint.Size >= 0, "sizes of trees");
        Require(request.Proof.Count <= MerkleProof.MaxHashes && request.Note.Text.Length <= Limits.CheckpointLength, "within the limits");
        Require(request.Note.Text.StartsWith(request.Checkpoint.ToString(), StringComparison.Ordinal), "the checkpoint that is signed");
    }

    /// <summary>A target in normal form is one that a resolver leaves as it is.</summary>
    public static void RequestTargetNormal(byte[] input)
    {
        var target = Encoding.Latin1.GetString(input);
        if (!RequestTarget.IsNormal(target))
            return;
        var path = target.Split('?')[0];
        // Uri writes the hexadecimal digits of escapes in upper case; that is all that it may do.
        var upper = Regex.Replace(path, "%..", escape => escape.Value.ToUpperInvariant());
        Require(Regex.Replace(new Uri("http://host" + path).AbsolutePath, "%..", escape => escape.Value.ToUpperInvariant()) == upper, "nothing to resolve");
        Require(!Uri.UnescapeDataString(path).Split('/').Any(segment => segment is "." or ".."), "no dot segments when unescaped");
    }

    /// <summary>Two addresses match only where both are the same, or both are loopback and differ in the port.</summary>
    public static void RedirectUriMatch(byte[] input)
    {
        var halves = Encoding.Latin1.GetString(input).Split('\n', 2);
        var (registered, requested) = (halves[0], halves[^1]);
        RedirectUri.Judge(requested);
        if (RedirectUri.Judge(registered) is not null || !RedirectUri.Matches(registered, requested) || registered == requested)
            return;
        var (first, second) = (new Uri(registered), new Uri(requested));
        Require(first.Scheme == "http" && second.Scheme == "http" && RedirectUri.IsLoopbackHost(second), "loopback only");
        Require(first.Host == second.Host && first.PathAndQuery == second.PathAndQuery && second.UserInfo.Length == 0, "nothing but the port");
    }

    public static void ResourceUriCanonical(byte[] input)
    {
        if (ResourceUri.Canonical(Encoding.Latin1.GetString(input)) is { } canonical)
            Require(ResourceUri.Canonical(canonical) == canonical, "canonical for good");
    }

    public static void ScopeParse(byte[] input)
    {
        if (Scope.Parse(Encoding.Latin1.GetString(input)) is { } scopes)
            Require(scopes.All(scope => scope is Scope.Mcp or Scope.OfflineAccess), "known scopes only");
    }

    public static void AccessTokenRead(byte[] input) =>
        Require(s_tokens.Read(Encoding.Latin1.GetString(input), out _) != AccessTokenReading.Authentic, "no token out of nothing");

    /// <summary>A journal of one segment is read to its end, leaf by leaf, and no leaf is made up.</summary>
    public static void JournalRead(byte[] input)
    {
        using var reader = new JournalReader(new MemoryLogStore(new Dictionary<string, byte[]> { [MemoryLogStore.SegmentName(0)] = input }));
        var read = 0L;
        for (var item = reader.Read(); item != JournalItem.End; item = reader.Read())
        {
            if (item != JournalItem.Leaf)
                continue;
            read += reader.Leaf.Length + JournalRecord.HeaderBytes;
            Require(input.AsSpan().IndexOf(reader.Leaf) >= 0, "a leaf that stands there");
        }
        Require(read + reader.TornBytes <= input.Length, "no byte twice");
        Require(reader.Read() == JournalItem.End, "the end is the end");
    }

    public static void EntryBundleRead(byte[] input)
    {
        ReadOnlySpan<byte> rest = input;
        var leaves = new List<byte[]>();
        while (EntryBundle.TryRead(ref rest, out var leaf))
            leaves.Add(leaf.ToArray());
        Require(LogWriter.Bundle(leaves).AsSpan().SequenceEqual(input.AsSpan(0, input.Length - rest.Length)), "the bytes that it would be written as");
    }

    public static void TilePathParse(byte[] input)
    {
        var text = Encoding.Latin1.GetString(input);
        if (TilePath.TryParse(text, out var path))
            Require(path.ToString() == text && path.Width is > 0 and <= TilePath.Full && path.Index >= 0 && !text.Contains(".."), "one spelling, below the prefix");
    }

    public static void SignedNoteParse(byte[] input)
    {
        if (!SignedNote.TryParse(input, out var note))
            return;
        Require(note.ToBytes().AsSpan().SequenceEqual(input), "a note is its bytes");
        Require(!note.IsSignedBy(s_stranger.Verifier, NoteSigner.Check), "no signature out of nothing");
        foreach (var signature in note.Signatures)
            Require(Cosignature.TimeOf(signature) is null or >= 0, "a time");
    }

    public static void CheckpointParse(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        if (Checkpoint.TryParse(text, out var checkpoint))
            Require(text.StartsWith(checkpoint.ToString(), StringComparison.Ordinal) && checkpoint.Size >= 0, "one spelling");
    }

    public static void CheckpointLineParse(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        foreach (var note in CheckpointLine.ReadAll(text))
            Require(CheckpointLine.TryParse(CheckpointLine.Format(note), out var again) && again.ToString() == note.ToString(), "the same note again");
    }

    public static void VerifierKeyParse(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        if (VerifierKey.TryParse(text, out var key))
            Require(key.ToString() == text && new VerifierKey(key.Name, key.Type, key.PublicKey).Id == key.Id, "one spelling");
    }

    /// <summary>No key is taken but by the word of the one before it, whatever the file says.</summary>
    public static void LogKeysRead(byte[] input)
    {
        var keys = LogKeys.Read(new MemoryLogStore(new Dictionary<string, byte[]> { [ILogStore.VerifierKeys] = input }), s_stranger.Verifier, NoteSigner.Check, out var fault);
        Require(keys.Has(s_stranger.Verifier) && keys.For(0) == s_stranger.Verifier, "the key that is known, and first");
        Require(keys.Newest == s_stranger.Verifier ? keys.Handovers.Count == 0 : keys.Newest == s_next.Verifier && keys.Handovers.Count == 1, "no key but the one that it introduced");
        Require(fault is not null || input.Length == 0 || keys.Newest == s_next.Verifier, "a fault where it introduces none");
        Require(keys.Handovers.All(note => note.IsSignedBy(s_stranger.Verifier, NoteSigner.Check) && note.IsSignedBy(s_next.Verifier, NoteSigner.Check)), "a head that both have signed");
    }

    /// <summary>What <see cref="LogKeysRead"/> takes, of a log whose key was changed once.</summary>
    public static byte[] KeysOfLog()
    {
        var log = new LogWriter(s_stranger);
        log.Start();
        log.Rotate(s_next);
        return log.Files()[ILogStore.VerifierKeys];
    }

    public static void TlogProofParse(byte[] input)
    {
        if (!TlogProof.TryParse(input, out var proof))
            return;
        Require(Encoding.UTF8.GetBytes(proof.ToString()).AsSpan().SequenceEqual(input), "a proof is its bytes");
        Require(!proof.Shows([], s_stranger.Verifier, NoteSigner.Check), "it shows nothing to whom the key is unknown");
    }

    /// <summary>The first two bytes say which file of a whole log is replaced by the rest.</summary>
    public static void LogVerify(byte[] input)
    {
        if (input.Length < 2)
            return;
        var files = new Dictionary<string, byte[]>(s_files.Value);
        files[files.Keys.Order(StringComparer.Ordinal).ElementAt(input[0] % files.Count)] = input[2..];
        try
        {
            LogVerifier.Verify(new MemoryLogStore(files), NoteSigner.Check, input[1] % 2 == 0 ? s_stranger.Verifier : null);
        }
        catch (InvalidDataException)
        {
            // What is larger than any file of a log.
        }
    }

    /// <summary>A file of that log, as <see cref="LogVerify"/> takes it.</summary>
    public static byte[] FileOfLog(byte which) => [which, 0, .. s_files.Value[s_files.Value.Keys.Order(StringComparer.Ordinal).ElementAt(which % s_files.Value.Count)]];

    private static void Require(bool holds, string what)
    {
        if (!holds)
            throw new InvalidOperationException($"It does not hold: {what}");
    }
}
