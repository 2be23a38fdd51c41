namespace Sallyport.Tests.Gate;

/// <summary>A data directory that outlives a gate, for tests that start another one on it.</summary>
internal sealed class TestData : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("sallyport-test-").FullName;
    public string Log => Path.Combine(Root, "log");

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
