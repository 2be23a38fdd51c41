using System.Globalization;
using Sallyport.Proof.Verification;

namespace Sallyport.Tests.Proof.Support;

/// <summary>The files of a log as a dictionary, for whoever wants to change them.</summary>
internal sealed class MemoryLogStore(IReadOnlyDictionary<string, byte[]> files) : ILogStore
{
    private const string Journal = "journal-";
    private const string Bundles = "tile/entries/";

    public static Dictionary<string, byte[]> FilesOf(string directory) =>
        Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories)
            .ToDictionary(path => Path.GetRelativePath(directory, path).Replace('\\', '/'), File.ReadAllBytes);

    public static string SegmentName(long firstIndex) => Journal + firstIndex.ToString("D20", CultureInfo.InvariantCulture);

    /// <summary>The largest of all where the number is larger.</summary>
    public static long? SegmentIndex(string name) =>
        !name.StartsWith(Journal, StringComparison.Ordinal) || !name[Journal.Length..].All(char.IsAsciiDigit) ? null
        : long.TryParse(name[Journal.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index
        : long.MaxValue;

    public IReadOnlyList<(long FirstIndex, string Name)> Segments() =>
        [.. files.Keys.Where(name => SegmentIndex(name) is not null).Select(name => (SegmentIndex(name)!.Value, name)).Order()];

    public long? FirstBundle() => files.Keys
        .Where(name => name.StartsWith(Bundles, StringComparison.Ordinal))
        .Select(name => name[Bundles.Length..].Split(".p/")[0].Where(char.IsAsciiDigit).Aggregate((long?)0, (index, digit) => unchecked((index * 10) + digit - '0')))
        .Min();

    public Stream? Open(string name) => files.TryGetValue(name, out var bytes) ? new MemoryStream(bytes, writable: false) : null;
}
