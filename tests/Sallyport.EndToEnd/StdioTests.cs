using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary><c>serve -- COMMAND</c>: real servers as processes, and what is left of them.</summary>
public sealed class StdioTests
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";
    private const string Initialize =
        """{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"tests","version":"1"}}}""";

    [Theory]
    [InlineData("streamable-http", "/mcp")]
    [InlineData("sse", "/sse")]
    public async Task The_server_that_has_everything_works_for_the_TypeScript_client(string transport, string path)
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(
            data, Ports.Free(), new Dictionary<string, string> { ["SALLYPORT_STRICT"] = "false", ["TEST_CANARY_SECRET"] = "canary" }, Repository.Everything);
        Assert.Contains("mcp-servers/everything", gate.Error, StringComparison.Ordinal);
        Assert.Contains("stdio, 2025-11-25", gate.Error, StringComparison.Ordinal);
        var token = await TokenAsync(gate, data);

        var finished = await ChildProcess.RunAsync(
            "node", ["stdio.mjs", JsonSerializer.Serialize(new { server = gate.Origin + path, transport, token })], workingDirectory: Repository.Clients);

        Assert.True(finished.ExitCode == 0, finished.Output + finished.Error + gate.Error);
        var told = JsonDocument.Parse(finished.Output).RootElement;
        Assert.Contains("echo", told.GetProperty("tools").EnumerateArray().Select(tool => tool.GetString()));
        Assert.Contains("through the gate", told.GetProperty("echo").GetString(), StringComparison.Ordinal);
        Assert.InRange(told.GetProperty("progress").GetInt32(), 1, 4);
        Assert.Contains("sampled here", told.GetProperty("sampled").GetString(), StringComparison.Ordinal);
        Assert.Contains("decline", told.GetProperty("elicited").GetString(), StringComparison.Ordinal);
        Assert.Equal("cancelled", told.GetProperty("cancelled").GetString());
        var environment = told.GetProperty("environment").GetString()!;
        Assert.Contains("PATH", environment, StringComparison.Ordinal);
        Assert.All(["SALLYPORT_", "canary", "DOTNET_"], hidden => Assert.DoesNotContain(hidden, environment, StringComparison.Ordinal));
        await gate.StopAsync();
        var log = await data.ReadLogAsync();
        var outcomes = log.All<AccessOutcome>().SelectMany(outcome => outcome.Forwarded.Concat(outcome.NotForwarded.Select(failure => failure.Access)));
        Assert.Equal(log.All<AccessAllowed>().Select(access => access.Id).Order(), outcomes.Order());
        Assert.Equal(log.All<SessionOpened>().Select(opened => opened.Session).Order(), log.All<SessionClosed>().Select(closed => closed.Session).Order());
    }

    [Fact]
    public async Task What_a_newcomer_types_is_enough_for_a_client_to_list_and_call_tools()
    {
        using var data = new DataFolder();
        // npx takes what is installed where it is called, without the network.
        await using var gate = await GateProcess.StartAsync(data, Ports.Free(), arguments => ChildProcess.Start(
            Path.Combine(Repository.Root, "sallyport"), [.. arguments, "--", "npx", "-y", "@modelcontextprotocol/server-everything"],
            workingDirectory: Repository.Clients, environment: new Dictionary<string, string> { ["npm_config_offline"] = "true" }));
        Assert.Contains("stdio, 2025-11-25", gate.Error, StringComparison.Ordinal);
        var token = await TokenAsync(gate, data);

        var finished = await ChildProcess.RunAsync(
            "node", ["modern-client.mjs", JsonSerializer.Serialize(new { server = gate.Origin + "/mcp", token, message = "through npx" })], workingDirectory: Repository.Clients);

        Assert.True(finished.ExitCode == 0, finished.Output + finished.Error + gate.Error);
        var told = JsonElement.Parse(finished.Output);
        Assert.Contains("trigger-long-running-operation", told.GetProperty("tools").EnumerateArray().Select(tool => tool.GetString()));
        Assert.Equal("Echo: through npx", told.GetProperty("text").GetString());
        await gate.StopAsync();
        Assert.Equal("echo", (await data.ReadLogAsync()).Single<AccessAllowed>(access => access.Method == AccessAllowed.ToolCall).Name);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Twenty_sessions_are_twenty_processes_and_none_outlives_the_gate(bool isKilled)
    {
        using var data = new DataFolder();
        // The server itself is a grandchild, as behind npx, and does not want to end.
        var script = Path.Combine(Path.GetDirectoryName(data.Path)!, "server.sh");
        await File.WriteAllTextAsync(script, """
            trap '' TERM
            sleep 1000 &
            read -r line
            id=${line#*'"id":'}; id=${id%%,*}
            printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"%s %s"}}}\n' "$id" $$ $!
            printf 'hostile \033[2J\007\r\342\200\256 text\n' >&2
            while read -r line; do :; done
            while :; do sleep 1000; done
            """, TestContext.Current.CancellationToken);
        // In the background a shell's standard input is empty: so the descriptor is given by hand.
        await using var gate = await GateProcess.StartAsync(data, "--", "sh", "-c", "exec 3<&0; sh \"$0\" <&3 & wait", script);
        var token = await TokenAsync(gate, data);
        using var client = new HttpClient();
        var ids = new List<int>();
        for (var i = 0; i < 20; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, gate.Origin + "/mcp") { Content = new StringContent(Initialize, Encoding.UTF8, "application/json") };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
            var answer = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken)).RootElement;
            ids.AddRange(answer.GetProperty("result").GetProperty("serverInfo").GetProperty("version").GetString()!.Split(' ').Select(int.Parse));
        }
        Assert.Equal(40, ids.Distinct().Count());
        Assert.All(ids, id => Assert.True(Directory.Exists($"/proc/{id}")));

        if (isKilled)
            await gate.KillAsync();
        else
            await gate.StopAsync();

        foreach (var id in ids)
            await GoneAsync(id);
        Assert.Contains("hostile \\u001b[2J\\u0007", gate.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', gate.Error);
        Assert.DoesNotContain('\u202e', gate.Error);
    }

    [Theory]
    [InlineData("no-such-program", "There is no program")]
    [InlineData("false", "ended with 1 instead of an answer")]
    public async Task A_command_that_does_not_work_is_told_with_a_hint(string command, string problem)
    {
        using var data = new DataFolder();

        var finished = await Executable.RunAsync("serve", "--urls", GateProcess.OriginOf(Ports.Free()), "--data", data.Path, "--", command);

        Assert.Equal((int)ExitCode.Unavailable, finished.ExitCode);
        Assert.Contains(problem, finished.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_without_the_dashes_is_a_mistake()
    {
        var finished = await Executable.RunAsync("serve", "npx");

        Faults.Assert(finished, ExitCode.Usage);
    }

    private static async Task<string> TokenAsync(GateProcess gate, DataFolder data)
    {
        await Executable.AddUserAsync(data, UserName, Password);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        return (await client.SignInAsync(UserName, Password)).AccessToken;
    }

    private static async Task GoneAsync(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);
        }
        catch (ArgumentException)
        {
            // It has gone already.
        }
    }
}
