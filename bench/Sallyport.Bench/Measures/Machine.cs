using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Sallyport.Bench.Processes;

namespace Sallyport.Bench.Measures;

/// <summary>On what it was measured.</summary>
internal static class Machine
{
    public static async Task<JsonObject> DescribeAsync() => new()
    {
        ["processor"] = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim(),
        ["cores"] = Environment.ProcessorCount,
        ["memory_gib"] = Math.Round(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1073741824.0, 1),
        ["system"] = RuntimeInformation.OSDescription,
        ["dotnet"] = Environment.Version.ToString(),
        ["wrk"] = await FirstLineAsync("wrk", "-v"),
        ["nginx"] = await FirstLineAsync("nginx", "-v"),
        ["node"] = await FirstLineAsync(OidcProvider.Node, "--version"),
        ["commit"] = await FirstLineAsync("git", "-C", Paths.Root, "rev-parse", "--short", "HEAD"),
        ["measured_at"] = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
    };

    private static async Task<string?> FirstLineAsync(string file, params string[] arguments)
    {
        try
        {
            var finished = await ChildProcess.RunAsync(file, arguments);
            return (finished.Output + finished.Error).Split('\n')[0].Trim();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
