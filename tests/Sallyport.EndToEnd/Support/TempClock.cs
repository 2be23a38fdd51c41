namespace Sallyport.EndToEnd.Support;

/// <summary>A wall clock that a file sets, for processes with this environment.</summary>
internal sealed class TempClock : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public TempClock()
    {
        var library = Directory.EnumerateFiles("/usr/lib", "libfaketimeMT.so.1", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }).FirstOrDefault();
        Assert.True(library is not null, "This test needs libfaketime: ./test installs it on Debian");
        Environment = new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = library,
            ["FAKETIME_TIMESTAMP_FILE"] = _file,
            ["FAKETIME_NO_CACHE"] = "1",
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
            ["DONT_FAKE_MONOTONIC"] = "1",
            ["NO_FAKE_STAT"] = "1",
        };
        Set("+0");
    }

    public IReadOnlyDictionary<string, string> Environment { get; }

    public void Set(string offset)
    {
        // Moved into place: it is read at any moment.
        File.WriteAllText(_file + ".new", offset + "\n");
        File.Move(_file + ".new", _file, overwrite: true);
    }

    public void Dispose() => File.Delete(_file);
}
