using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>Real clients of 2026-07-28 in front of a command that speaks it.</summary>
public sealed class StatelessStdioTests
{
    private const string Password = "correct horse battery staple";

    [Theory]
    [InlineData("both", "stdio, 2026-07-28 2025-11-25")]
    [InlineData("new", "stdio, 2026-07-28, modern-stdio")]
    public async Task Clients_with_the_same_ids_at_the_same_time_get_what_is_theirs(string eras, string banner)
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data, "--", Repository.NewerNode, Path.Combine(Repository.Clients, "modern-stdio-server.mjs"), eras);
        Assert.Contains(banner, gate.Error, StringComparison.Ordinal);
        var tokens = new List<string>();
        foreach (var user in new[] { "alice", "bob" })
        {
            await Executable.AddUserAsync(data, user, Password);
            using var client = await GateClient.RegisterAsync(gate.Origin);
            tokens.Add((await client.SignInAsync(user, Password)).AccessToken);
        }

        var finished = await ChildProcess.RunAsync(
            Repository.NewerNode, ["modern-stdio.mjs", JsonSerializer.Serialize(new { server = gate.Origin + "/mcp", tokens })], workingDirectory: Repository.Clients);

        Assert.True(finished.ExitCode == 0, finished.Output + finished.Error + gate.Error);
        var told = JsonElement.Parse(finished.Output);
        Assert.Equal(Enumerable.Repeat("2026-07-28", 4), told.GetProperty("revisions").EnumerateArray().Select(each => each.GetString()));
        var pids = told.GetProperty("pids").EnumerateArray().Select(each => each.GetString()).ToList();
        Assert.Equal((pids[0], pids[2]), (pids[1], pids[3]));
        Assert.NotEqual(pids[0], pids[2]);
        Assert.Equal((0, 0, 120), (told.GetProperty("wrong").GetInt32(), told.GetProperty("foreign").GetInt32(), told.GetProperty("progress").GetInt32()));
        Assert.Equal(("accept alice", "1", 1), (told.GetProperty("asked").GetString(), told.GetProperty("cancelled").GetString(), told.GetProperty("changes").GetInt32()));
        await gate.StopAsync();
        var log = await data.ReadLogAsync();
        Assert.Equal(2, log.All<SessionOpened>().Count());
        Assert.Empty(log.All<AccessRefused>());
        var outcomes = log.All<AccessOutcome>().SelectMany(outcome => outcome.Forwarded.Concat(outcome.NotForwarded.Select(failure => failure.Access)));
        Assert.Equal(log.All<AccessAllowed>().Select(access => access.Id).Order(), outcomes.Order());
    }
}
