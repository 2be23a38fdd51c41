using System.Globalization;

namespace Sallyport.EndToEnd.Support;

/// <summary>
/// A data directory on a disk that keeps only what was synced when the power goes, and that fails when it is told to:
/// <c>tests/faults/powerloss.c</c>, between the gate and the real one.
/// </summary>
internal sealed class ForgetfulDisk : IDisposable
{
    private static readonly Lazy<Task<string>> s_library = new(CompileAsync);

    private readonly DirectoryInfo _parent = Directory.CreateTempSubdirectory("sallyport-disk-");
    private readonly string _disk;

    private ForgetfulDisk(string library)
    {
        Data = new(_parent);
        _disk = Path.Combine(_parent.FullName, "disk");
        Directory.CreateDirectory(_disk);
        Environment = new Dictionary<string, string> { ["LD_PRELOAD"] = library, ["POWERLOSS_ROOT"] = Data.Path, ["POWERLOSS_DISK"] = _disk };
    }

    public DataFolder Data { get; }

    /// <summary>For the process that is to use this disk.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; }

    public static async Task<ForgetfulDisk> CreateAsync() => new(await s_library.Value);

    /// <summary>From now on everything that writes or syncs fails so, until <see cref="Heal"/>.</summary>
    public void Fail(int error) => File.WriteAllText(_disk + ".fail", error.ToString(CultureInfo.InvariantCulture));

    public void Heal() => File.Delete(_disk + ".fail");

    /// <summary>Waits until a text in a file has been synced, and so would survive.</summary>
    public Task HoldsAsync(string file, string text)
    {
        var second = SecondOf(file);
        return FileChanges.UntilAsync(
            _disk, () => File.Exists(second) && File.ReadAllBytes(second).AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(text)) >= 0, () => $"{text} in {file} was not synced");
    }

    /// <summary>
    /// With the process dead: takes what was not synced out of every file. Of what was written to a file since its last sync, a
    /// beginning of any length may have reached the disk; the dice say how much.
    /// </summary>
    /// <returns>How many bytes were lost.</returns>
    public long LosePower(Dice dice)
    {
        var lost = 0L;
        foreach (var path in Directory.EnumerateFiles(Data.Path, "*", SearchOption.AllDirectories))
        {
            // A socket is no data, and SQLite makes its -shm anew from its write-ahead log.
            if (path.EndsWith(".sock", StringComparison.Ordinal) || path.EndsWith("-shm", StringComparison.Ordinal))
            {
                File.Delete(path);
                continue;
            }
            var second = SecondOf(Path.GetRelativePath(Data.Path, path));
            var synced = File.Exists(second) ? File.ReadAllBytes(second) : [];
            var written = File.ReadAllBytes(path);
            var same = synced.AsSpan().CommonPrefixLength(written);
            if (same == written.Length && same == synced.Length)
                continue;
            // Nothing of it in one case of two: the worst there is.
            var kept = dice.Throw(0, 1) == 0 ? same : dice.Throw(same, written.Length);
            byte[] found = [.. written.AsSpan(0, kept), .. synced.AsSpan(Math.Min(kept, synced.Length))];
            lost += written.Length - kept;
            File.WriteAllBytes(path, found);
            File.WriteAllBytes(second, found);
        }
        return lost;
    }

    public void Dispose() => Data.Dispose();

    private string SecondOf(string file) => Path.Combine(_disk, file.Replace('/', '@'));

    private static async Task<string> CompileAsync()
    {
        var directory = Directory.CreateDirectory(Path.Combine(Repository.Root, "artifacts", "faults")).FullName;
        var library = Path.Combine(directory, "powerloss.so");
        // Made beside and moved: another run may be using it.
        var partial = Path.Combine(directory, Path.GetRandomFileName());
        try
        {
            var compiled = await ChildProcess.RunAsync(
                "cc", ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", partial, Path.Combine(Repository.Root, "tests", "faults", "powerloss.c"), "-ldl"]);
            Assert.True(compiled.ExitCode == 0, compiled.Error);
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new InvalidOperationException("These tests need a C compiler: ./test installs one on Debian, elsewhere put cc into the PATH", exception);
        }
        File.Move(partial, library, overwrite: true);
        return library;
    }
}
