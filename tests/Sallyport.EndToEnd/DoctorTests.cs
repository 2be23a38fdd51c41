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
    public async Task It_starts_a_command_to_see_what_it_is_and_says_why_another_does_not_work()
    {
        using var data = new DataFolder();

        var works = await Executable.RunAsync("doctor", "--data", data.Path, "--json", "--", "node", Path.Combine(Repository.Clients, "node_modules/@modelcontextprotocol/server-everything/dist/index.js"));
        var fails = await Executable.RunAsync("doctor", "--data", data.Path, "--json", "--", "no-such-program");

        Assert.Equal(((int)ExitCode.Success, (int)ExitCode.Unavailable), (works.ExitCode, fails.ExitCode));
        var (found, missed) = (JsonElement.Parse(works.Output).GetProperty("upstreams")[0], JsonElement.Parse(fails.Output).GetProperty("upstreams")[0]);
        Assert.Equal(("stdio", "2025-11-25"), (found.GetProperty("transport").GetString(), found.GetProperty("revisions")[0].GetString()));
        Assert.Equal("upstream.unreachable", missed.GetProperty("reason").GetString());
        Assert.Contains("Check its spelling", missed.GetProperty("hint").GetString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(data.Path));
    }

    [Theory]
    [InlineData(302, "upstream.redirected", "Write the address that it redirects to")]
    [InlineData(308, "upstream.redirected", "Write the address that it redirects to")]
    [InlineData(401, "upstream.refused", "--upstream-header Authorization=ENVVAR")]
    [InlineData(403, "upstream.refused", "--upstream-header Authorization=ENVVAR")]
    [InlineData(500, "upstream.failed", "Look into the server's own log")]
    [InlineData(200, "upstream.malformed", "Write the address of an MCP endpoint")]
    public async Task It_says_why_an_upstream_gives_no_usable_answer_and_what_to_change(int status, string reason, string hint)
    {
        using var data = new DataFolder();
        await using var server = await StatusServer.StartAsync(status);

        var json = await Executable.RunAsync("doctor", "--data", data.Path, "--upstream", server.Url, "--json");
        var text = await Executable.RunAsync("doctor", "--data", data.Path, "--upstream", server.Url);

        var found = JsonElement.Parse(json.Output).GetProperty("upstreams")[0];
        Assert.Equal(((int)ExitCode.Unavailable, (int)ExitCode.Unavailable), (json.ExitCode, text.ExitCode));
        Assert.Equal((false, reason), (found.GetProperty("well").GetBoolean(), found.GetProperty("reason").GetString()));
        Assert.Contains(hint, found.GetProperty("hint").GetString(), StringComparison.Ordinal);
        Assert.Contains($"({reason})", text.Output, StringComparison.Ordinal);
        Assert.Contains(hint, text.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_knows_a_server_of_HTTP_SSE_beside_one_that_lets_nobody_in()
    {
        using var data = new DataFolder();
        await using var sse = await McpServerProcess.StartEverythingAsync("sse");
        await using var closed = await StatusServer.StartAsync(401);

        var finished = await Executable.RunAsync("doctor", "--data", data.Path, "--upstream", $"old={sse.Url}", "--upstream", $"closed={closed.Url}", "--json");

        Assert.Equal((int)ExitCode.Unavailable, finished.ExitCode);
        var upstreams = JsonElement.Parse(finished.Output).GetProperty("upstreams");
        Assert.Equal((true, "HTTP+SSE", "2025-11-25"), (upstreams[0].GetProperty("well").GetBoolean(), upstreams[0].GetProperty("transport").GetString(), upstreams[0].GetProperty("revisions")[0].GetString()));
        Assert.Equal(("closed", "upstream.refused"), (upstreams[1].GetProperty("name").GetString(), upstreams[1].GetProperty("reason").GetString()));
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
