using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Gateway.Upstreams.Processes;

namespace Sallyport.Tests.Gateway.Processes;

/// <summary>The command is tried at the start, and what is wrong with it is told.</summary>
public class ProcessProbeTests
{
    [Fact]
    public async Task The_gate_asks_the_server_who_it_is_and_records_that_it_did()
    {
        await using var server = await ScriptedServer.StartAsync("");

        var known = server.Gate.Services.GetRequiredService<UpstreamList>().All.Single().Known!;
        Assert.Equal((UpstreamTransport.Stdio, "scripted 1", "2025-11-25"), (known.Transport, known.Server, known.Revisions[0]));
        var acted = server.Gate.Events<GateActed>().Single();
        Assert.Equal((GateAct.Discovery, server.Gate.Configuration.Upstreams.Single().Audience), (acted.Act, acted.Audience));
    }

    [Fact]
    public async Task A_client_of_a_newer_revision_is_told_what_the_server_speaks()
    {
        await using var server = await ScriptedServer.StartAsync("", begin: """
            read -r line; id='"sallyport"'; answer '{"protocolVersion":"2025-03-26","capabilities":{},"serverInfo":{"name":"old","version":"1"}}'
            """);
        var token = (await (await TestClient.RegisterAsync(server.Gate)).TokensAsync()).AccessToken;

        var response = await server.Gate.PostMcpAsync(token, """{"jsonrpc":"2.0","id":7,"method":"server/discover","params":{}}""");

        var error = (await response.JsonAsync()).GetProperty("error");
        Assert.Equal(-32022, error.GetProperty("code").GetInt32());
        Assert.Equal(["2025-03-26"], error.GetProperty("data").GetProperty("supported").EnumerateArray().Select(revision => revision.GetString()));
    }

    public static TheoryData<string, string, string, string?> Eras => new()
    {
        { "both", ScriptedServer.Discovered, "2026-07-28 2025-11-25", "scripted 1" },
        { "new only", ScriptedServer.Discovered + ScriptedServer.NoSessions, "2026-07-28", "new 2" },
        { "newer only", """*) refuse '{"code":-32022,"message":"no","data":{"supported":["2027-03-01","2025-06-18"],"requested":"2026-07-28"}}';;""", "2027-03-01", null },
        { "new only, which ends upon initialize", ScriptedServer.Discovered + """*'"method":"initialize"'*) exit 1;;""", "2026-07-28", "new 2" },
        { "old, which ends upon what it does not know", """*'"method":"server/discover"'*) exit 1;;""", "2025-11-25", "scripted 1" },
        { "old, which answers anything with nothing", """*'"method":"server/discover"'*) answer '{}';;""", "2025-11-25", "scripted 1" },
    };

    [Theory]
    [MemberData(nameof(Eras))]
    public async Task The_gate_learns_which_revisions_a_command_speaks(string _, string arms, string revisions, string? name)
    {
        await using var server = await ScriptedServer.StartAsync(arms);

        var known = server.Gate.Services.GetRequiredService<UpstreamList>().All.Single().Known!;

        Assert.Equal((revisions, name), (string.Join(' ', known.Revisions), known.Server));
        Assert.Single(server.Gate.Events<GateActed>());
    }

    [Fact]
    public async Task A_server_that_drops_what_it_does_not_know_is_asked_the_older_way_after_a_while()
    {
        using var folder = new TestData();
        Directory.CreateDirectory(folder.Root);
        var time = new TestClock();

        var starting = StartAsync([ScriptedServer.Write(folder.Root, """*'"method":"server/discover"'*) ;;""", "")], time);
        await time.TimersAsync(TimeSpan.FromSeconds(5), 1);
        Assert.False(starting.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(5));

        await starting;
    }

    [Fact]
    public async Task A_server_that_names_no_revision_at_all_is_a_fault()
    {
        var fault = await Assert.ThrowsAsync<UpstreamFaultException>(async () =>
        {
            await using var server = await ScriptedServer.StartAsync("*) answer '{}';;");
        });

        Assert.Contains("names no revision", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no-such-program-anywhere", "There is no program 'no-such-program-anywhere'")]
    [InlineData("false", "'false' ended with 1 instead of an answer")]
    [InlineData("sh -c 'exit", "It said:\n  ")]
    [InlineData("echo nonsense", "but wrote what is no MCP: nonsense")]
    [InlineData("/etc/passwd", "There is no program '/etc/passwd'")]
    public async Task A_command_that_does_not_work_is_told_before_the_gate_serves(string command, string problem)
    {
        var fault = await Assert.ThrowsAsync<UpstreamFaultException>(() => StartAsync(command.Split(' ', 3)));

        Assert.Contains(problem, fault.Message, StringComparison.Ordinal);
        Assert.NotEmpty(fault.Hint);
    }

    [Fact]
    public async Task A_command_that_prints_nothing_is_given_up_and_ended()
    {
        using var data = new TestData();
        var time = new TestClock();

        var starting = Assert.ThrowsAsync<UpstreamFaultException>(() => StartAsync(["sleep", "1000"], time));
        await time.TimersAsync(TimeSpan.FromMinutes(2), 1);
        time.Advance(TimeSpan.FromMinutes(2));

        Assert.Contains("did not answer within 120 seconds", (await starting).Message, StringComparison.Ordinal);
    }

    private static async Task StartAsync(string[] command, TestClock? time = null)
    {
        await using var gate = await TestGate.StartAsync(new()
        {
            Settings = settings => settings.Command = command,
            Services = services =>
            {
                services.AddSingleton(Supervisor.OfThisProgram());
                if (time is not null)
                    services.AddSingleton<TimeProvider>(time);
            },
        });
    }
}
