using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Sallyport.Server.Configuration;

/// <summary>What the runtime does not offer of a file system.</summary>
internal static partial class Disk
{
    private const int KeepSize = 1;
    private const int NoSpace = 28;
    private const int OverQuota = 122;

    /// <summary>Reserves room for a file without making it longer, where the system can; a write within it then cannot find the disk full.</summary>
    /// <exception cref="IOException">There is no room.</exception>
    public static void Reserve(SafeFileHandle file, long bytes)
    {
        if (OperatingSystem.IsLinux() && Allocate(file, KeepSize, 0, bytes) != 0 && Marshal.GetLastPInvokeError() is NoSpace or OverQuota)
            throw new IOException($"No space left for {bytes} bytes of the log");
    }

    /// <summary>Replaces a file by new content: after a crash there is either the old one or the new one, whole and on the disk.</summary>
    public static void Replace(string path, byte[] content) => Replace(path, file => file.Write(content));

    /// <summary>Likewise, by whoever writes the content.</summary>
    public static void Replace(string path, Action<Stream> write)
    {
        var partial = path + ".new";
        using (var file = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            write(file);
            file.Flush(flushToDisk: true);
        }
        File.Move(partial, path, overwrite: true);
        SyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>Writes zeros over a file's bytes. What a disk has written elsewhere meanwhile, nobody reaches.</summary>
    public static void Wipe(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.Read);
        file.Write(new byte[file.Length]);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Ends once the names in a directory are on the disk.</summary>
    public static void SyncDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        var descriptor = OpenDirectory(path, 0);
        if (descriptor < 0)
            return;
        _ = Sync(descriptor);
        _ = Close(descriptor);
    }

    /// <summary>Ends once a file that was written is on the disk.</summary>
    public static void SyncFile(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.FlushToDisk(file);
    }

    /// <summary>Ends once everything that was written to the file system of a directory is on the disk.</summary>
    public static void SyncFileSystem(string path)
    {
        if (!OperatingSystem.IsLinux())
            return;
        var descriptor = OpenDirectory(path, 0);
        var failed = descriptor < 0 || SyncAll(descriptor) != 0;
        if (descriptor >= 0)
            _ = Close(descriptor);
        if (failed)
            throw new IOException($"What was written to {path} did not reach the disk");
    }

    [LibraryImport("libc", EntryPoint = "syncfs")]
    private static partial int SyncAll(int descriptor);

    [LibraryImport("libc", EntryPoint = "fallocate64", SetLastError = true)]
    private static partial int Allocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenDirectory(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
