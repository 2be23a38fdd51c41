using System.Globalization;
using System.Runtime.InteropServices;

namespace Sallyport.Server.Configuration;

/// <summary>Where a gate keeps what it owns. Only the account that runs the gate can read it.</summary>
internal sealed partial class DataDirectory
{
    public const string LockName = "lock";
    public const string LogKeyName = "log.key";
    public const string WitnessKeyName = "witness.key";

    private const string EpochPrefix = "log-epoch-";

    /// <summary>What the runtime says of a file that another process holds: Linux's EAGAIN, and Windows's own.</summary>
    private const int WouldBlock = 11;
    private const int SharingViolation = 32;

    public DataDirectory(string path)
    {
        Root = path;
        Log = Path.Combine(path, "log");
        Values = Path.Combine(Log, "values.db");
        Keys = Path.Combine(path, "keys");
        LogKey = Path.Combine(Keys, LogKeyName);
        NextLogKey = LogKey + ".new";
        WitnessKey = Path.Combine(Keys, WitnessKeyName);
        TokenKeys = Path.Combine(Keys, "token-keys.json");
        FirstTokenSecret = Path.Combine(Keys, "access-token.key");
        Database = Path.Combine(path, "sallyport.db");
        ControlSocket = Path.Combine(path, "control.sock");
        EnrolmentLink = Path.Combine(path, "owner-link");
        UnfinishedRestore = Path.Combine(path, "restore-unfinished");
    }

    public string Root { get; }
    public string Log { get; }
    /// <summary>The values that the log has commitments to.</summary>
    public string Values { get; }
    public string Keys { get; }
    /// <summary>The key that signs the log's checkpoints.</summary>
    public string LogKey { get; }
    /// <summary>The key that takes its place, while it does.</summary>
    public string NextLogKey { get; }
    /// <summary>The key that cosigns the checkpoints of other logs.</summary>
    public string WitnessKey { get; }
    /// <summary>The keys behind access tokens.</summary>
    public string TokenKeys { get; }
    /// <summary>What earlier releases had in its place.</summary>
    public string FirstTokenSecret { get; }
    public string Database { get; }
    public string ControlSocket { get; }
    public string EnrolmentLink { get; }
    /// <summary>Where a restore builds what it moves into place at its end. Who finds it finds a restore that was cut short.</summary>
    public string UnfinishedRestore { get; }

    /// <summary>Where the log of an earlier epoch is kept: the one that was restored from a backup by the restore of that number.</summary>
    public string LogOfEpoch(int epoch) => Path.Combine(Root, string.Create(CultureInfo.InvariantCulture, $"{EpochPrefix}{epoch}"));

    /// <summary>The epochs whose logs are kept here.</summary>
    public IReadOnlyList<int> Epochs() =>
        [.. Directory.EnumerateDirectories(Root, EpochPrefix + "*").Select(path => EpochOf(Path.GetFileName(path))).OfType<int>().Order()];

    /// <summary>The number in the name of an earlier log's directory; null for any other name.</summary>
    public static int? EpochOf(string name) =>
        name.StartsWith(EpochPrefix, StringComparison.Ordinal)
        && int.TryParse(name.AsSpan(EpochPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
        && epoch > 0 && name == string.Create(CultureInfo.InvariantCulture, $"{EpochPrefix}{epoch}")
            ? epoch
            : null;

    /// <summary>From now on this process makes directories 0700 and files 0600.</summary>
    public static void KeepPrivate()
    {
        if (!OperatingSystem.IsWindows())
            _ = SetFileModeMask(Convert.ToUInt32("077", 8));
    }

    /// <summary>Makes what is missing, 0700; files made from now on by this process are 0600.</summary>
    public void Create()
    {
        KeepPrivate();
        Directory.CreateDirectory(Root);
        foreach (var directory in (ReadOnlySpan<string>)[Log, Keys])
        {
            Directory.CreateDirectory(directory);
            // Where a backup or a copy left them open. The root may be a directory of the operator's that holds more.
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    /// <summary>The one who holds this may change state and write the log. Null when another process holds it.</summary>
    public IDisposable? TryLock()
    {
        try
        {
            return new FileStream(Path.Combine(Root, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception) when ((exception.HResult & 0xFFFF) is WouldBlock or SharingViolation)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial uint SetFileModeMask(uint mask);
}
