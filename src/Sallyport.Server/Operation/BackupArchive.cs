using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Serialization;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Operation;

/// <summary>What was given as a backup is none, or none of use here.</summary>
internal sealed class UnusableBackupException(string problem, string hint) : Exception(problem)
{
    public string Hint { get; } = hint;
}

/// <summary>What a backup says of itself.</summary>
/// <param name="Format">Of the archive: <see cref="BackupArchive.Format"/>.</param>
/// <param name="Product">The release that made it.</param>
/// <param name="Time">When.</param>
/// <param name="Origin">The log's; empty where the log has no key yet.</param>
/// <param name="Size">How many events the log has in it.</param>
/// <param name="Root">The root of their tree, in base64.</param>
/// <param name="Files">How many files follow.</param>
/// <param name="Bytes">How many bytes they have.</param>
internal sealed record BackupManifest(int Format, string Product, DateTimeOffset Time, string Origin, long Size, string Root, int Files, long Bytes);

/// <summary>
/// The archive: a gzipped tar (ustar) of plain files, the manifest first. Whoever reads it trusts nothing in it: names, sizes and kinds
/// are those that a backup has, or it is refused before any of it is written.
/// </summary>
internal static class BackupArchive
{
    public const int Format = 1;
    public const string Manifest = "manifest.json";
    public const string Database = "sallyport.db";
    public const string Log = "log";

    /// <summary>What a header of a tar can say.</summary>
    private const long MostDatabaseBytes = (8L * 1024 * 1024 * 1024) - 1;
    private const int MostManifestBytes = 64 * 1024;
    private const int MostListBytes = 1024 * 1024 * 1024;
    private const int MostKeyBytes = 1024;

    /// <summary>A header and the rest of a block are less; a name that is continued in further blocks is none of ours.</summary>
    private const int HeaderBytes = 4096;
    private const int BlockBytes = 512;

    /// <summary>How large a file of that name may be; null for a name that no backup has.</summary>
    public static long? MostBytesOf(string name)
    {
        if (name is Manifest)
            return MostManifestBytes;
        if (name is Database)
            return MostDatabaseBytes;
        var slash = name.IndexOf('/');
        if (slash < 0 || (name[..slash] is var folder && folder != Log && DataDirectory.EpochOf(folder) is null))
            return null;
        var rest = name[(slash + 1)..];
        return rest switch
        {
            ILogStore.Checkpoint => SignedNote.MaxBytes,
            ILogStore.VerifierKey => MostKeyBytes,
            ILogStore.VerifierKeys => LogKeys.MaxBytes,
            ILogStore.Checkpoints or Retention.SnapshotsFile => MostListBytes,
            _ when JournalFiles.IsSegment(rest) => JournalReader.MaxSegmentBytes,
            _ when TilePath.TryParse(rest, out var tile) => TilePath.Full * (tile.Level == TilePath.Entries ? EntryBundle.HeaderBytes + AuditEventJson.MaxLeafBytes : TreeHash.Bytes),
            _ => null,
        };
    }

    /// <summary>Packs what lies in a directory.</summary>
    public static BackupManifest Write(string directory, Stream archive, Checkpoint head, DateTimeOffset time)
    {
        var names = Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories)
            .Select(path => (Name: Path.GetRelativePath(directory, path).Replace('\\', '/'), new FileInfo(path).Length))
            .OrderBy(file => file.Name, StringComparer.Ordinal)
            .ToList();
        var manifest = new BackupManifest(Format, Product.Version, time, head.Origin, head.Size, head.Root.ToString(), names.Count, names.Sum(file => file.Length));
        using var gzip = new GZipStream(archive, CompressionLevel.Optimal, leaveOpen: true);
        using var tar = new TarWriter(gzip, TarEntryFormat.Ustar);
        using (var content = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(manifest, BackupJson.Default.BackupManifest)))
            tar.WriteEntry(Entry(Manifest, content, time));
        foreach (var (name, length) in names)
        {
            if (MostBytesOf(name) is not { } most || length > most)
                throw new IOException($"{name} has {length} bytes, more than a backup can hold");
            using var content = File.OpenRead(Path.Combine(directory, name));
            tar.WriteEntry(Entry(name, content, time));
        }
        return manifest;
    }

    /// <summary>Unpacks into a directory that is empty.</summary>
    /// <param name="archive">Anybody's bytes.</param>
    /// <param name="directory">Where to.</param>
    /// <param name="room">How many bytes there is room for.</param>
    /// <exception cref="UnusableBackupException">It is not as a backup is. What was unpacked so far is of no use.</exception>
    public static BackupManifest Read(Stream archive, string directory, long room)
    {
        try
        {
            using var gzip = new GZipStream(archive, CompressionMode.Decompress, leaveOpen: true);
            using var bounded = new BoundedStream(gzip);
            using var tar = new TarReader(bounded);
            var manifest = ReadManifest(Next(tar, bounded) ?? throw Unusable("it is empty"));
            if (manifest.Bytes > room)
                throw new IOException($"The backup has {manifest.Bytes} bytes, and there is room for {room}");
            var seen = new HashSet<string>(StringComparer.Ordinal);
            var left = manifest.Bytes;
            while (Next(tar, bounded) is { } entry)
            {
                if (entry.Name == Manifest || !seen.Add(entry.Name))
                    throw Unusable($"'{entry.Name}' is in it twice");
                if (seen.Count > manifest.Files || (left -= entry.Length) < 0)
                    throw Unusable("more is in it than its manifest says");
                var path = Path.Combine(directory, entry.Name);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
                if (entry.DataStream is { } content)
                    content.CopyTo(file);
                if (file.Length != entry.Length)
                    throw Unusable("it ends too early");
            }
            return seen.Count == manifest.Files && left == 0 ? manifest : throw Unusable("it ends too early");
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or NotSupportedException)
        {
            throw Unusable("it is no archive, or a damaged one");
        }
    }

    private static BackupManifest ReadManifest(TarEntry entry)
    {
        if (entry.Name != Manifest || entry.DataStream is null)
            throw Unusable($"it begins with '{entry.Name}', not with {Manifest}");
        BackupManifest? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize(entry.DataStream, BackupJson.Default.BackupManifest);
        }
        catch (JsonException)
        {
            manifest = null;
        }
        if (manifest is not { Product: not null, Origin: not null, Root: not null, Files: >= 0, Bytes: >= 0, Size: >= 0 })
            throw Unusable($"its {Manifest} cannot be read");
        return manifest.Format == Format
            ? manifest
            : throw new UnusableBackupException(
                string.Create(CultureInfo.InvariantCulture, $"The backup has format {manifest.Format}, which this release does not know"),
                "Restore it with the release that made it, or a newer one");
    }

    private static TarEntry? Next(TarReader tar, BoundedStream bounded)
    {
        bounded.Allowance = HeaderBytes;
        if (tar.GetNextEntry() is not { } entry)
            return null;
        if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile))
            throw Unusable($"'{entry.Name}' is no plain file");
        if (MostBytesOf(entry.Name) is not { } most)
            throw Unusable($"'{entry.Name}' is no file of a backup");
        if (entry.Length > most)
            throw Unusable(string.Create(CultureInfo.InvariantCulture, $"'{entry.Name}' has {entry.Length} bytes; {most} at most were expected"));
        bounded.Allowance = entry.Length + BlockBytes;
        return entry;
    }

    private static UstarTarEntry Entry(string name, Stream content, DateTimeOffset time) => new(TarEntryType.RegularFile, name)
    {
        DataStream = content,
        Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        ModificationTime = time,
    };

    private static UnusableBackupException Unusable(string why) => new($"That is no backup that can be restored: {why}", "Nothing was changed. Give a file that 'sallyport backup' made");

    /// <summary>Gives no more bytes than are expected next, whatever lengths the archive claims.</summary>
    private sealed class BoundedStream(Stream inner) : ForwardStream
    {
        public long Allowance { get; set; }

        public override int Read(Span<byte> buffer)
        {
            if (buffer.Length > 0 && Allowance == 0)
                throw new InvalidDataException("more bytes than are expected");
            var read = inner.Read(buffer[..(int)Math.Min(buffer.Length, Allowance)]);
            Allowance -= read;
            return read;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(BackupManifest))]
internal sealed partial class BackupJson : JsonSerializerContext;
