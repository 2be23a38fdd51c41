namespace Sallyport.EndToEnd.Support;

/// <summary>A data directory that goes with its test.</summary>
internal sealed class DataFolder : IDisposable
{
    private readonly DirectoryInfo _parent;

    public DataFolder() : this(Directory.CreateTempSubdirectory("sallyport-"))
    {
    }

    /// <param name="parent">Where it lies; deleted with it.</param>
    public DataFolder(DirectoryInfo parent) => _parent = parent;

    /// <summary>The gate makes it; it does not exist before.</summary>
    public string Path => System.IO.Path.Combine(_parent.FullName, "data");

    public string Log => System.IO.Path.Combine(Path, "log");

    public string Database => System.IO.Path.Combine(Path, "sallyport.db");

    public Task<Recording> ReadLogAsync() => Recording.ReadAsync(Path);

    public void Dispose() => _parent.Delete(recursive: true);
}
