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

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
