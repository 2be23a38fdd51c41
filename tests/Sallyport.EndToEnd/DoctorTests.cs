using System.Globalization;
using System.Text.Json;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary><c>doctor</c>, as an operator meets it.</summary>
public sealed class DoctorTests
{
    [Fact]
    public async Task It_says_what_each_upstream_is_and_what_to_change()
    {
        using var data = new DataFolder();
        await using var server = await McpServerProcess.StartEverythingAsync();
        var nobody = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{Ports.Free()}/mcp");
        string[] arguments = ["doctor", "--data", data.Path, "--upstream", $"notes={server.Url}", "--upstream", $"gone={nobody}"];

        var json = await Executable.RunAsync([.. arguments, "--json"]);
        var text = await Executable.RunAsync(arguments);

        Assert.Equal((int)ExitCode.Unavailable, json.ExitCode);
        var root = JsonElement.Parse(json.Output);
        Assert.False(root.GetProperty("well").GetBoolean());
        var (notes, gone) = (root.GetProperty("upstreams")[0], root.GetProperty("upstreams")[1]);
        Assert.Equal(("notes", true, "Streamable HTTP", "2025-11-25"), (notes.GetProperty("name").GetString(), notes.GetProperty("well").GetBoolean(), notes.GetProperty("transport").GetString(), notes.GetProperty("revisions")[0].GetString()));
        Assert.Equal(("gone", "upstream.unreachable"), (gone.GetProperty("name").GetString(), gone.GetProperty("reason").GetString()));
        Assert.Contains("Start the server", gone.GetProperty("hint").GetString(), StringComparison.Ordinal);
        Assert.Equal((int)ExitCode.Unavailable, text.ExitCode);
        Assert.Contains("upstream.unreachable", text.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(data.Path, "log")));
    }

    [Fact]
    public async Task Faults_of_the_configuration_are_told_with_what_to_do()
    {
        using var data = new DataFolder();

        var finished = await Executable.RunAsync("doctor", "--data", data.Path, "--upstream", "token=http://127.0.0.1:9/mcp", "--json");

        Assert.Equal((int)ExitCode.Usage, finished.ExitCode);
        var fault = JsonElement.Parse(finished.Output).GetProperty("faults")[0];
        Assert.Equal(("upstream", "Choose another name"), (fault.GetProperty("setting").GetString(), fault.GetProperty("hint").GetString()));
    }
}
