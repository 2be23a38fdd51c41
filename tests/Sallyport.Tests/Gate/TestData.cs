namespace Sallyport.Tests.Gate;

/// <summary>A data directory that outlives a gate, for tests that start another one on it.</summary>
/// <param name="inMemory">Where there is a place for it: for many starts that would wait for the disk, one after the other.</param>
internal sealed class TestData(bool inMemory = false) : IDisposable
{
    private const string Memory = "/dev/shm";

    public string Root { get; } = inMemory && Directory.Exists(Memory)
        ? Directory.CreateDirectory(Path.Combine(Memory, Path.GetRandomFileName())).FullName
        : Directory.CreateTempSubdirectory("sallyport-test-").FullName;
    public string Log => Path.Combine(Root, "log");

    /// <summary>Takes what lies in another one now: all but what no crash leaves behind, as locks, sockets, and SQLite's index of its write-ahead log.</summary>
    public void CopyFrom(TestData other) => Copy(other.Root, Root);

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var path in Directory.EnumerateFiles(from).Where(path => Path.GetFileName(path) is not ("lock" or "control.sock" or "sallyport.db-shm")))
        {
            using var source = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var target = File.Create(Path.Combine(to, Path.GetFileName(path)));
            source.CopyTo(target);
        }
        foreach (var directory in Directory.EnumerateDirectories(from))
            Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
