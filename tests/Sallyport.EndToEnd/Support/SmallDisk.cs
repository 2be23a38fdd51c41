namespace Sallyport.EndToEnd.Support;

/// <summary>A data directory on a file system of its own, in memory, which a test can fill or make read-only.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private const int Megabytes = 96;

    private readonly DirectoryInfo _mounted = Directory.CreateTempSubdirectory("sallyport-mount-");

    private SmallDisk() => Data = new(new DirectoryInfo(Path.Combine(_mounted.FullName, "disk")));

    public DataFolder Data { get; }

    private string Ballast => Path.Combine(_mounted.FullName, "ballast");

    public static async Task<SmallDisk> MountAsync()
    {
        var disk = new SmallDisk();
        var mounted = await ChildProcess.RunAsync("mount", ["-t", "tmpfs", "-o", $"size={Megabytes}m", "tmpfs", disk._mounted.FullName]);
        Assert.True(mounted.ExitCode == 0, $"These tests mount a file system of their own, which needs root: {mounted.Error}");
        Directory.CreateDirectory(Path.GetDirectoryName(disk.Data.Path)!);
        return disk;
    }

    /// <summary>Takes all the space that is left.</summary>
    public void Fill()
    {
        using var ballast = new FileStream(Ballast, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        foreach (var bytes in (ReadOnlySpan<int>)[1 << 20, 4096])
        {
            var block = new byte[bytes];
            try
            {
                while (true)
                    ballast.Write(block);
            }
            catch (IOException)
            {
                // It is full.
            }
        }
    }

    public void Free() => File.Delete(Ballast);

    /// <summary>Nobody may have a file open for writing.</summary>
    public Task MakeReadOnlyAsync() => RemountAsync("ro");

    public Task MakeWritableAsync() => RemountAsync("rw");

    public async ValueTask DisposeAsync()
    {
        await ChildProcess.RunAsync("umount", ["--lazy", _mounted.FullName]);
        _mounted.Delete();
    }

    private async Task RemountAsync(string mode)
    {
        var remounted = await ChildProcess.RunAsync("mount", ["-o", $"remount,{mode}", _mounted.FullName]);
        Assert.True(remounted.ExitCode == 0, remounted.Error);
    }
}
