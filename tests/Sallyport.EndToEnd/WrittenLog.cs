using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>A data directory whose gate was killed once and has stopped in order since.</summary>
public sealed class WrittenLog : IAsyncLifetime
{
    private readonly DataFolder _files = new();

    internal DataFolder Data { get; } = new();

    /// <summary>As it was when the gate was killed.</summary>
    internal DataFolder Earlier { get; } = new();

    /// <summary>What the second gate wrote to its standard output.</summary>
    internal string Printed { get; private set; } = "";

    internal long Length { get; private set; }

    internal AccessRefused Refused { get; private set; } = null!;

    internal long RefusedNumber { get; private set; }

    public async ValueTask InitializeAsync()
    {
        await using (var first = await GateProcess.StartAsync(Data, "--checkpoint-seconds", "1"))
        {
            await Executable.AddUserAsync(Data, "alice", "correct horse");
            using var client = await GateClient.RegisterAsync(first.Origin);
            var tokens = await client.SignInAsync("alice", "correct horse");
            await client.EchoAsync(tokens.AccessToken, "hello");
            await first.KillAsync();
        }
        CopyDirectory(Data.Path, Earlier.Path);
        await using var second = await GateProcess.StartAsync(Data);
        for (var i = 0; i < 300; i++)
            await AuditCommandTests.RefusedAsync(second.Origin);
        await second.StopAsync();
        Printed = second.Output;
        var recording = await Data.ReadLogAsync();
        Length = recording.Events.Count;
        Refused = recording.All<AccessRefused>().Last();
        RefusedNumber = recording.NumberOf(Refused);
        Directory.CreateDirectory(_files.Path);
    }

    public ValueTask DisposeAsync()
    {
        Data.Dispose();
        Earlier.Dispose();
        _files.Dispose();
        return ValueTask.CompletedTask;
    }

    internal string PathOf(string name) => Path.Combine(Data.Path, "log", name);

    internal string FileWith(string text)
    {
        var path = Path.Combine(_files.Path, Path.GetRandomFileName());
        File.WriteAllText(path, text);
        return path;
    }

    internal DataFolder Copy() => CopyOf(Data);

    internal DataFolder CopyOf(DataFolder folder)
    {
        var copy = new DataFolder();
        CopyDirectory(folder.Path, copy.Path);
        return copy;
    }

    internal static void CopyDirectory(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var directory in Directory.EnumerateDirectories(from))
            CopyDirectory(directory, Path.Combine(to, Path.GetFileName(directory)));
        foreach (var file in Directory.EnumerateFiles(from).Where(file => !file.EndsWith(".sock", StringComparison.Ordinal)))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
