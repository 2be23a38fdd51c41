using System.Globalization;
using System.IO.Enumeration;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;

namespace Sallyport.Server.Audit;

/// <summary>A log's files in a directory. Reading needs no lock.</summary>
internal sealed class LogFiles(string directory) : ILogStore
{
    public string Directory => directory;

    public string PathOf(string name) => Path.Combine(directory, name);

    public IReadOnlyList<(long FirstIndex, string Name)> Segments() =>
        [.. JournalFiles.Segments(directory).Select(segment => (segment.FirstIndex, Path.GetFileName(segment.Path)))];

    public long? FirstBundle() => First(TilePath.Entries);

    /// <summary>The index of the first tile of a level that there is, full or partial; null where there is none.</summary>
    public long? First(int level) => First(PathOf(new TilePath(level, 0).ToString()[..^"/000".Length]), 0);

    public Stream? Open(string name)
    {
        try
        {
            return new FileStream(PathOf(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException
            || (exception is UnauthorizedAccessException && System.IO.Directory.Exists(PathOf(name))))
        {
            // A directory is no file of a log, whatever it is called.
            return null;
        }
    }

    /// <summary>The key that lies beside the log; null where there is none that can be read.</summary>
    public VerifierKey? ReadKey()
    {
        using var stream = Open(ILogStore.VerifierKey);
        return stream is { Length: <= SignedNote.MaxBytes } && VerifierKey.TryParse(new StreamReader(stream).ReadToEnd().TrimEnd('\n'), out var key) ? key : null;
    }

    /// <summary>The bytes of all files, while some of them may be removed.</summary>
    public long Size() => System.IO.Directory.Exists(directory)
        ? new FileSystemEnumerable<long>(directory, static (ref entry) => entry.IsDirectory ? 0 : entry.Length, new() { RecurseSubdirectories = true }).Sum()
        : 0;

    /// <summary>They are named by three digits, or by those behind any number of folders of an x and three digits.</summary>
    private static long? First(string folder, long above)
    {
        if (!System.IO.Directory.Exists(folder))
            return null;
        var files = System.IO.Directory.EnumerateFileSystemEntries(folder)
            .Select(Path.GetFileName)
            .Select(name => name!.EndsWith(".p", StringComparison.Ordinal) ? name[..^2] : name)
            .Where(name => name.Length == 3 && name.All(char.IsAsciiDigit))
            .ToList();
        if (files.Count > 0)
            return (above * 1000) + int.Parse(files.Min()!, CultureInfo.InvariantCulture);
        return System.IO.Directory.EnumerateDirectories(folder, "x???")
            .Where(path => Path.GetFileName(path).AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0)
            .Order(StringComparer.Ordinal)
            .Select(path => First(path, (above * 1000) + int.Parse(Path.GetFileName(path)[1..], CultureInfo.InvariantCulture)))
            .FirstOrDefault(index => index is not null);
    }
}
