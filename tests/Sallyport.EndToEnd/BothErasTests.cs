using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>A client that asks for 2026-07-28 first, in front of a server that speaks it and of one that does not.</summary>
public sealed class BothErasTests
{
    [Theory]
    [InlineData("modern", "2026-07-28")]
    [InlineData("streamableHttp", "2025-11-25")]
    [InlineData("sse", "2025-11-25")]
    public async Task The_client_of_both_eras_settles_on_what_the_server_speaks(string kind, string revision)
    {
        using var data = new DataFolder();
        await using var server = kind == "modern" ? await McpServerProcess.StartModernAsync() : await McpServerProcess.StartEverythingAsync(kind);
        await using var gate = await GateProcess.StartAsync(data, "--upstream", server.Url);
        await Executable.AddUserAsync(data, "alice", "correct horse");
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var tokens = await client.SignInAsync("alice", "correct horse");

        var finished = await ChildProcess.RunAsync(
            "node", ["modern-client.mjs", JsonSerializer.Serialize(new { server = gate.Origin + "/mcp", token = tokens.AccessToken, message = "Is anybody there?" })],
            workingDirectory: Repository.Clients);

        Assert.True(finished.ExitCode == 0, finished.Output + finished.Error);
        var told = JsonElement.Parse(finished.Output);
        Assert.Equal((revision, "Echo: Is anybody there?"), (told.GetProperty("revision").GetString(), told.GetProperty("text").GetString()));
        Assert.Equal(kind == "modern" ? 1 : 0, told.GetProperty("changes").GetInt32());
        await gate.StopAsync();
        var log = await data.ReadLogAsync();
        Assert.Equal("echo", log.All<AccessAllowed>().First(access => access.Method == "tools/call").Name);
        if (kind == "modern")
            Assert.Equal([log.Single<AccessAllowed>(access => access.Method == AccessAllowed.Listen).Id], log.All<AccessOutcome>().SelectMany(outcome => outcome.StreamsEnded ?? []));
        Assert.Equal(kind == "modern" ? 0 : 1, log.All<AccessRefused>().Count(refused => refused.Reason == Reason.RevisionUnsupported));
        Assert.Contains(revision, gate.Error, StringComparison.Ordinal);
    }
}
