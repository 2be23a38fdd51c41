namespace Sallyport.EndToEnd.Support;

/// <summary>A data directory that goes with its test.</summary>
internal sealed class DataFolder : IDisposable
{
    private readonly DirectoryInfo _parent = Directory.CreateTempSubdirectory("sallyport-");

    /// <summary>The gate makes it; it does not exist before.</summary>
    public string Path => System.IO.Path.Combine(_parent.FullName, "data");

    public Task<Recording> ReadLogAsync() => Recording.ReadAsync(Path);

    public void Dispose() => _parent.Delete(recursive: true);
}
