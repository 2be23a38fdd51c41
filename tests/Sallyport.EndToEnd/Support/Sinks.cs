using System.Globalization;
using System.IO.Compression;
using System.Text;
using Sallyport.Proof.Events;
using Sallyport.Tests.Telemetry;

namespace Sallyport.EndToEnd.Support;

/// <summary>A gate that is made to say as much as it can, and all that it and its commands wrote: no secret may be in any of it.</summary>
internal sealed class Sinks : IAsyncDisposable
{
    /// <summary>All that an operator may try to make it say more.</summary>
    private static readonly Dictionary<string, string> s_verbose = new()
    {
        ["Logging__LogLevel__Default"] = "Trace",
        ["Logging__LogLevel__Microsoft.AspNetCore"] = "Trace",
        ["Logging__Console__LogLevel__Default"] = "Trace",
        ["ASPNETCORE_Logging__LogLevel__Default"] = "Trace",
        ["DOTNET_Logging__LogLevel__Default"] = "Trace",
        ["ASPNETCORE_ENVIRONMENT"] = "Development",
        ["DOTNET_ENVIRONMENT"] = "Development",
        ["ASPNETCORE_DETAILEDERRORS"] = "true",
        ["DOTNET_EnableEventPipe"] = "1",
    };

    private readonly DirectoryInfo _place = Directory.CreateTempSubdirectory("sallyport-secrets-");
    private readonly string _adminUrl = GateProcess.OriginOf(Ports.Free());
    private readonly OtlpReceiver _collector;

    private Sinks(OtlpReceiver collector) => _collector = collector;

    public DataFolder Data { get; } = new();

    public Canaries Canaries { get; } = new();

    /// <summary>What the gate wrote to its standard output and error.</summary>
    public string Words { get; private set; } = "";

    private string Metrics { get; set; } = "";

    public static async Task<Sinks> OpenAsync() => new(await OtlpReceiver.StartAsync());

    /// <param name="environment">What it has beside that.</param>
    public Task<GateProcess> StartGateAsync(int port, IEnumerable<KeyValuePair<string, string>>? environment = null, params IEnumerable<string> options) =>
        GateProcess.StartAsync(Data, port, arguments => ChildProcess.Start(
            "dotnet", [Executable.Path, .. arguments, "--admin-urls", _adminUrl, .. options], workingDirectory: _place.FullName,
            environment: new Dictionary<string, string>([.. s_verbose, .. _collector.Variables, .. environment ?? []])
            {
                ["OTEL_EXPORTER_OTLP_HEADERS"] = "api-key=" + Canaries.Plant("collector's key"),
                ["TMPDIR"] = _place.FullName,
                ["DOTNET_EventPipeOutputPath"] = Path.Combine(_place.FullName, "trace.nettrace"),
            }));

    /// <summary>Stops the gate, and keeps what it said.</summary>
    public async Task StopAsync(GateProcess gate)
    {
        using (var http = new HttpClient())
            Metrics = await http.GetStringAsync(_adminUrl + "/metrics", TestContext.Current.CancellationToken);
        await gate.StopAsync();
        Words = gate.Output + gate.Error;
    }

    /// <summary>Where there is a secret all the same, and as what.</summary>
    /// <param name="shown">What does stand in the log, so that the search can find.</param>
    /// <param name="mayLie">Whether a secret is meant to lie in this file.</param>
    public async Task<IReadOnlyList<string>> SearchAsync(string shown, Func<string, string, bool> mayLie)
    {
        var log = new List<byte>();
        foreach (var file in Directory.EnumerateFiles(Data.Log))
            log.AddRange(await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken));
        Assert.True(log.ToArray().AsSpan().IndexOf(Encoding.ASCII.GetBytes(shown)) >= 0);
        Assert.Contains("sallyport_refusals_total", Metrics, StringComparison.Ordinal);
        Assert.NotEmpty(_collector.Traces);
        Assert.NotEmpty(_collector.Metrics);

        var found = new List<string>();
        foreach (var path in Directory.EnumerateFiles(Data.Path, "*", SearchOption.AllDirectories).Concat(_place.EnumerateFiles().Select(file => file.FullName)))
            found.AddRange(Canaries.FindIn(await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken)).Where(secret => !mayLie(secret, path)).Select(secret => $"{path}: {secret}"));
        found.AddRange(FindIn(Words, "stdout, stderr"));
        found.AddRange(FindIn(Metrics, "metrics"));
        found.AddRange(_collector.Traces.Concat(_collector.Metrics).SelectMany(Canaries.FindIn).Select(secret => $"OTLP: {secret}"));
        foreach (var reader in ReadersOf(Recording.ReadFiles(Data)))
        {
            var finished = await Executable.RunAsync([.. reader, "--data", Data.Path]);
            // A report ends with its verdict.
            Assert.True(finished.ExitCode == (int)ExitCode.Success || (reader[1] == "report" && finished.ExitCode == (int)ExitCode.NotProven), $"{string.Join(' ', reader)}: {finished.ExitCode} {finished.Error}");
            Assert.NotEmpty(finished.Output);
            found.AddRange(FindIn(finished.Output + finished.Error, string.Join(' ', reader)));
        }
        found.AddRange(await SearchBackupAsync(shown));
        return found;
    }

    public async ValueTask DisposeAsync()
    {
        await _collector.DisposeAsync();
        Data.Dispose();
        _place.Delete(recursive: true);
    }

    /// <summary>Every command that reads the log out, in each format; of one event it is asked about an access and a refusal.</summary>
    private static IEnumerable<string[]> ReadersOf(Recording log)
    {
        string[] numbers = [.. ((AuditEvent[])[log.All<AccessAllowed>().Last(), log.All<AccessRefused>().Last()]).Select(e => log.NumberOf(e).ToString(CultureInfo.InvariantCulture))];
        return
        [
            ["audit", "tail", "-n", "1000000"],
            ["audit", "tail", "-n", "1000000", "--json"],
            .. ((string[])["jsonl", "ocsf", "ecs"]).Select(format => (string[])["audit", "export", "--format", format]),
            .. ((string[])["text", "md", "html", "json"]).Select(format => (string[])["audit", "report", "--format", format]),
            .. numbers.Select(number => (string[])["audit", "explain", number]),
            .. numbers.Select(number => (string[])["audit", "prove", number]),
        ];
    }

    /// <summary>A backup that was stolen has no usable secret: neither what it says nor the files that are made on the way.</summary>
    private async Task<IEnumerable<string>> SearchBackupAsync(string shown)
    {
        var (file, keys, passphrase) = (Path.Combine(_place.FullName, "backup.tar.gz"), Path.Combine(_place.FullName, "keys"), Canaries.Plant("passphrase"));
        var finished = await Executable.RunWithInputAsync(passphrase, "backup", file, "--keys", keys, "--passphrase-stdin", "--data", Data.Path);
        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        await using var archive = File.OpenRead(file);
        await using var gzip = new GZipStream(archive, CompressionMode.Decompress);
        using var unpacked = new MemoryStream();
        await gzip.CopyToAsync(unpacked, TestContext.Current.CancellationToken);
        Assert.True(unpacked.ToArray().AsSpan().IndexOf(Encoding.ASCII.GetBytes(shown)) >= 0);
        return
        [
            .. Canaries.FindIn(unpacked.ToArray()).Select(secret => $"backup: {secret}"),
            .. Canaries.FindIn(await File.ReadAllBytesAsync(keys, TestContext.Current.CancellationToken)).Select(secret => $"key file: {secret}"),
            .. FindIn(finished.Output + finished.Error, "backup's words"),
        ];
    }

    private IEnumerable<string> FindIn(string text, string where) => Canaries.FindIn(Encoding.UTF8.GetBytes(text)).Select(secret => $"{where}: {secret}");
}
