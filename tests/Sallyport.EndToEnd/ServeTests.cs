using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary><c>serve</c>, as an operator meets it.</summary>
public sealed class ServeTests
{
    [Fact]
    public async Task The_banner_names_the_addresses_and_stdout_has_the_checkpoints()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);

        Assert.Contains($"{gate.Origin}/mcp", gate.Error, StringComparison.Ordinal);
        Assert.Contains($"{gate.Origin}/sse", gate.Error, StringComparison.Ordinal);
        Assert.Contains(data.Path, gate.Error, StringComparison.Ordinal);
        await gate.StopAsync();
        Assert.NotEmpty(Checkpoints.AssertNothingElse(gate.Output));
    }

    [Fact]
    public async Task Signing_in_leaves_no_warnings_in_the_talk()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        await Executable.AddUserAsync(data, "alice", "correct horse");
        using var client = await GateClient.RegisterAsync(gate.Origin);
        Assert.NotNull(await client.AuthorizeAsync("alice", "correct horse"));

        await gate.StopAsync();

        Assert.DoesNotContain("warn:", gate.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/sse", "/sse")]
    [InlineData("GET", "/messages/", "/sse")]
    [InlineData("GET", "/mcp", "/mcp")]
    [InlineData("POST", "/mcp", "/mcp")]
    public async Task A_request_without_a_token_is_told_where_to_get_one(string method, string path, string resource)
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        using var client = new HttpClient();

        using var response = await client.SendAsync(new(new(method), gate.Origin + path), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal(
            new AuthenticationHeaderValue("Bearer", $"resource_metadata=\"{gate.Origin}/.well-known/oauth-protected-resource{resource}\", scope=\"mcp\""),
            Assert.Single(response.Headers.WwwAuthenticate));
        var refused = (await data.ReadLogAsync()).Single<AccessRefused>();
        Assert.Equal((Reason.TokenMissing, method, path, 401), (refused.Reason, refused.HttpMethod, refused.Path, refused.Status));
        Assert.Equal(refused.Id, response.Headers.GetValues("Sallyport-Event").Single());
    }

    [Fact]
    public async Task A_second_gate_on_the_same_data_is_refused_with_a_hint_and_the_first_goes_on()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);

        var second = await Executable.RunAsync("serve", "--urls", GateProcess.OriginOf(Ports.Free()), "--data", data.Path);

        Faults.Assert(second, ExitCode.Unavailable);
        Assert.Contains(data.Path, second.Error, StringComparison.Ordinal);
        await Executable.AddUserAsync(data, "alice", "correct horse");
        await gate.StopAsync();
        Assert.Single((await data.ReadLogAsync()).All<Started>());
    }

    [Fact]
    public async Task A_port_that_is_taken_is_told_with_a_hint()
    {
        using var data = new DataFolder();
        using var listener = new TcpListener(IPAddress.Loopback, Ports.Free());
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;

        var finished = await Executable.RunAsync("serve", "--urls", $"http://127.0.0.1:{port}", "--data", data.Path);

        Faults.Assert(finished, ExitCode.Unavailable);
        Assert.Contains($":{port}", finished.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_that_failed_is_no_unclean_stop_for_the_next_one()
    {
        using var data = new DataFolder();
        using (var listener = new TcpListener(IPAddress.Loopback, Ports.Free()))
        {
            listener.Start();
            await Executable.RunAsync("serve", "--urls", $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}", "--data", data.Path);
        }

        await using var gate = await GateProcess.StartAsync(data);

        Assert.All((await data.ReadLogAsync()).All<Started>(), started => Assert.True(started.AfterCleanStop));
    }

    [Fact]
    public async Task All_faults_of_a_configuration_are_told_at_once_and_nothing_is_started()
    {
        using var data = new DataFolder();

        var finished = await Executable.RunAsync(
            "serve", "--data", data.Path,
            "--urls", "ftp://localhost:8700", "--public-url", "http://mcp.example", "--upstream", "nonsense",
            "--origins", "https://chat.example/path", "--hosts", "a b", "--access-token-seconds", "0");

        Faults.Assert(finished, ExitCode.Usage);
        Assert.All(
            ["urls:", "public-url:", "upstream:", "origins:", "hosts:", "access-token-seconds:"],
            setting => Assert.Contains($"  {setting} ", finished.Error, StringComparison.Ordinal));
        Assert.False(Directory.Exists(data.Path));
    }

    [Fact]
    public async Task So_are_those_of_a_file_of_the_environment_and_of_a_flag_misspelt_names_among_them()
    {
        using var data = new DataFolder();
        Directory.CreateDirectory(data.Path);
        var file = Path.Combine(data.Path, "sallyport.json");
        await File.WriteAllTextAsync(file, """{"urls":["http://localhost:8700"],"upstreem":"x","upstream":{"a":1},"accessTokenSeconds":"soon"}""", TestContext.Current.CancellationToken);

        await using var process = ChildProcess.Start(
            "dotnet", [Executable.Path, "serve", "--config", file, "--access-token-seconds", "never"],
            environment: new Dictionary<string, string> { ["SALLYPORT_BOGUS"] = "1", ["SALLYPORT_ACCESS_TOKEN_SECONDS"] = "x", ["SALLYPORT_PUBLIC_URL"] = "nonsense" });
        var finished = await process.WaitAsync();

        Faults.Assert(finished, ExitCode.Usage);
        Assert.All(
            ["upstreem", "upstream: ", "'soon'", "SALLYPORT_BOGUS", "'x'", "'nonsense'", "'never'"],
            fault => Assert.Contains(fault, finished.Error, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_that_is_no_JSON_is_told_with_the_place()
    {
        using var data = new DataFolder();
        Directory.CreateDirectory(data.Path);
        var file = Path.Combine(data.Path, "sallyport.json");
        await File.WriteAllTextAsync(file, "{\n  \"urls\": oops\n}", TestContext.Current.CancellationToken);

        var finished = await Executable.RunAsync("serve", "--config", file);

        Faults.Assert(finished, ExitCode.Usage);
        Assert.Contains("line 2", finished.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("serve", "--no-such-option")]
    [InlineData("audit", "tail", "-n", "-1")]
    [InlineData("user", "add")]
    [InlineData("user", "forget", "alice")]
    [InlineData("no-such-command")]
    [InlineData]
    public async Task A_command_line_that_makes_no_sense_is_told_where_to_read_on(params string[] arguments)
    {
        var finished = await Executable.RunAsync(arguments);

        Faults.Assert(finished, ExitCode.Usage);
        Assert.Contains("--help'", finished.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_that_is_not_there_is_told_with_a_hint()
    {
        using var data = new DataFolder();

        Faults.Assert(await Executable.RunAsync("audit", "tail", "--data", data.Path), ExitCode.Unavailable);
    }
}
