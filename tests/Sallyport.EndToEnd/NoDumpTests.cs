using System.Globalization;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>What the gate has in memory gets into no file, however it ends and whatever its surroundings ask for.</summary>
public class NoDumpTests
{
    private const int Sigquit = 3;
    private const int Sigabrt = 6;
    private const int Sigsegv = 11;

    [Theory]
    [InlineData(Sigsegv)]
    [InlineData(Sigabrt)]
    [InlineData(Sigquit)]
    public async Task A_gate_that_is_struck_down_leaves_no_core_and_no_dump(int signal)
    {
        using var data = new DataFolder();
        var place = Directory.CreateTempSubdirectory("sallyport-crash-");
        try
        {
            await using var gate = await StartWhereDumpsAreWantedAsync(data, place.FullName);
            var limit = (await File.ReadAllLinesAsync($"/proc/{gate.Process.Id}/limits", TestContext.Current.CancellationToken))
                .Single(line => line.StartsWith("Max core file size", StringComparison.Ordinal));
            Assert.Equal(["0", "0"], limit["Max core file size".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2]);
            var files = FilesIn(data);

            await gate.Process.StrikeAsync(signal);
            var finished = await gate.Process.WaitAsync();

            Assert.DoesNotContain("createdump", finished.Error, StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFileSystemEntries(place.FullName));
            Assert.Empty(FilesIn(data).Except(files));
        }
        finally
        {
            place.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Nobody_can_ask_a_running_gate_for_a_dump_or_a_trace()
    {
        using var data = new DataFolder();
        var place = Directory.CreateTempSubdirectory("sallyport-port-");
        try
        {
            await using var gate = await StartWhereDumpsAreWantedAsync(data, place.FullName);

            // The diagnostics port and the debugger's pipes would be here.
            Assert.Empty(Directory.EnumerateFileSystemEntries(place.FullName));
            // And nobody holds one open whose file is gone.
            var sockets = await File.ReadAllTextAsync("/proc/net/unix", TestContext.Current.CancellationToken);
            Assert.DoesNotContain(string.Create(CultureInfo.InvariantCulture, $"dotnet-diagnostic-{gate.Process.Id}-"), sockets, StringComparison.Ordinal);
        }
        finally
        {
            place.Delete(recursive: true);
        }
    }

    /// <summary>Cores without a limit, the runtime's own dumps switched on, and both the working and the temporary directory in one place.</summary>
    private static Task<GateProcess> StartWhereDumpsAreWantedAsync(DataFolder data, string place) =>
        GateProcess.StartAsync(data, Ports.Free(), arguments => ChildProcess.Start(
            "bash",
            ["-c", "ulimit -c unlimited; exec \"$@\"", "bash", "dotnet", Executable.Path, .. arguments],
            workingDirectory: place,
            environment: new Dictionary<string, string>
            {
                ["TMPDIR"] = place,
                ["DOTNET_EnableDiagnostics"] = "1",
                ["DOTNET_DbgEnableMiniDump"] = "1",
                ["DOTNET_DbgMiniDumpName"] = Path.Combine(place, "dump"),
                ["DOTNET_EnableCrashReport"] = "1",
            }));

    /// <summary>The log's own grow and come meanwhile, and at an orderly stop.</summary>
    private static IEnumerable<string> FilesIn(DataFolder data) =>
        Directory.GetFiles(data.Path, "*", SearchOption.AllDirectories)
            .Where(path => !path.StartsWith(Path.Combine(data.Path, "log", "tile"), StringComparison.Ordinal))
            .ToList();
}
