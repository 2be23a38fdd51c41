using System.Text;
using System.Text.Json;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Gateway.Upstreams.Processes;
using Sallyport.Server.Protocol;

namespace Sallyport.Tests.Gateway.Processes;

/// <summary>What goes through a process's standard streams, and what does not.</summary>
public class ProcessStreamTests
{
    [Fact]
    public async Task STDIO_02_Arguments_of_tools_go_to_standard_input_only_as_one_line()
    {
        await using var server = await ScriptedServer.StartAsync("""*'"echo"'*) answer "$line";;""");
        var session = await server.ConnectAsync();
        var hostile = "; touch pwned; $(touch pwned) `touch pwned` | touch pwned\n{\"jsonrpc\":\"2.0\"}\r\n";
        var message = Messages.Call(1, "echo", new { message = hostile });

        // Line ends between tokens too.
        var response = await session.PostAsync(message.Replace("\"params\"", "\r\n\"params\"", StringComparison.Ordinal));

        var echoed = (await response.JsonAsync()).GetProperty("result");
        Assert.Equal(hostile, echoed.GetProperty("params").GetProperty("arguments").GetProperty("message").GetString());
        Assert.Equal(["server.sh"], Directory.EnumerateFileSystemEntries(server.Here).Select(Path.GetFileName));
    }

    [Fact]
    public async Task STDIO_03_What_is_no_message_is_dropped_and_told_and_what_follows_arrives()
    {
        await using var server = await ScriptedServer.StartAsync("""
            *'"noise"'*)
                echo 'Listening on a port'; printf '\377\376{"jsonrpc":"2.0","id":1,"result":{}}\n\r\n\n  \n'
                echo '{"jsonrpc":"2.0","id":1}'; echo '["jsonrpc"'; printf '{"jsonrpc":"2.0",'; sleep 0.1
                printf '"id":%s,"result":{"ok":true}}\r\n' "$id";;
            """);
        var session = await server.ConnectAsync();

        Assert.True((await session.ResultAsync("noise")).GetProperty("ok").GetBoolean());

        Assert.Contains(server.Gate.Log.Lines, line => line.StartsWith("Warning scripted 1 wrote", StringComparison.Ordinal) && line.Contains("Listening on a port", StringComparison.Ordinal));
        Assert.True(await session.PidAsync() > 0);
    }

    [Fact]
    public async Task STDIO_03_A_line_beyond_the_limit_ends_the_session_and_is_not_relayed()
    {
        await using var server = await ScriptedServer.StartAsync("""*'"long"'*) head -c 100000000 /dev/zero | tr '\0' x; echo;;""");
        var session = await server.ConnectAsync();

        var response = await session.CallAsync("long");

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.True((await response.TextAsync()).Length < 1_000);
        Assert.Equal(Reason.UpstreamMalformed, (await server.Gate.EventAsync<SessionClosed>()).Reason);
        Assert.Equal(HttpStatusCode.NotFound, (await session.CallAsync("pid")).StatusCode);
    }

    [Fact]
    public async Task STDIO_03_A_line_of_just_the_limit_is_relayed()
    {
        await using var server = await ScriptedServer.StartAsync("""*'"large"'*) answer "\"$(head -c 4000000 /dev/zero | tr '\0' x)\"";;""");
        var session = await server.ConnectAsync();

        Assert.Equal(4_000_000, (await session.ResultAsync("large")).GetString()!.Length);
    }

    [Fact]
    public async Task STDIO_04_The_environment_is_what_the_list_and_the_operator_let_through()
    {
        Environment.SetEnvironmentVariable("SALLYPORT_TEST_CANARY", "x");
        Environment.SetEnvironmentVariable("TEST_CANARY_SECRET", "x");
        Environment.SetEnvironmentVariable("TEST_CANARY_NAMED", "x");
        foreach (var name in (string[])["LC_TEST_CANARY", "npm_config_test_canary"])
            Environment.SetEnvironmentVariable(name, "x");
        await using var server = await ScriptedServer.StartAsync(
            """*'"environment"'*) answer "[$(env | sed 's/=.*//; s/.*/"&"/' | paste -sd,)]";;""",
            settings: settings => settings.UpstreamEnvironment = ["TEST_CANARY_NAMED", "TEST_CANARY_ABSENT"]);
        var session = await server.ConnectAsync();

        var names = (await session.ResultAsync("environment")).EnumerateArray().Select(name => name.GetString()!).ToList();

        string[] set = ["PATH", "LC_TEST_CANARY", "npm_config_test_canary", "TEST_CANARY_NAMED"];
        Assert.Empty(set.Except(names));
        // What a shell sets itself.
        string[] shells = ["PWD", "OLDPWD", "SHLVL", "_"];
        Assert.All(names.Except(s_listed).Except(shells), name => Assert.True(
            name == "TEST_CANARY_NAMED" || name.StartsWith("LC_", StringComparison.Ordinal) || name.StartsWith("npm_config_", StringComparison.Ordinal), name));
    }

    private static readonly string[] s_listed =
    [
        "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "TERM",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    ];

    /// <summary>Not set in this process, where other tests would find them.</summary>
    [Fact]
    public void STDIO_04_Of_each_kind_that_a_server_needs_all_is_let_through_and_nothing_else()
    {
        string[] through = [.. s_listed, "LC_ALL", "LC_CTYPE", "npm_config_registry", "GITHUB_TOKEN"];
        string[] kept = ["SALLYPORT_DATA", "sallyport_x", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "LD_PRELOAD", "NODE_OPTIONS", "NPM_TOKEN", "path"];
        var variables = through.Concat(kept).ToDictionary(name => name, _ => "x");

        Assert.Equal(through.Order(), ProcessEnvironment.From(variables, ["GITHUB_TOKEN", "SALLYPORT_DATA", "ABSENT"]).Keys.Order());
    }

    [Fact]
    public async Task STDIO_06_The_gates_descriptors_are_not_the_processs()
    {
        await using var server = await ScriptedServer.StartAsync("""*'"descriptors"'*) answer "[$(ls /proc/$$/fd | paste -sd,)]";;""");
        var session = await server.ConnectAsync();

        var descriptors = (await session.ResultAsync("descriptors")).EnumerateArray().Select(descriptor => descriptor.GetInt32());

        // The shell has its script open, as 10 or above; and as 3, where it is another shell.
        Assert.DoesNotContain(descriptors, descriptor => descriptor is > 3 and not (10 or 255));
    }

    [Fact]
    public async Task STDIO_07_Standard_error_goes_to_the_log_cut_redacted_and_not_all_of_a_flood()
    {
        await using var server = await ScriptedServer.StartAsync("""
            *'"talk"'*)
                printf 'the token is sp_at_abcdefghijklmnopqrstuvwxyz012345\n' >&2
                head -c 5000 /dev/zero | tr '\0' y >&2; echo >&2
                yes 'a line of a flood' | head -n 100000 >&2
                answer '{}';;
            """);
        var session = await server.ConnectAsync();

        await session.ResultAsync("talk");
        await session.CloseAsync();
        await server.Gate.StopAsync();

        var lines = server.Gate.Log.Lines;
        Assert.DoesNotContain(lines, line => line.Contains("abcdefghijklmnopqrstuvwxyz", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("scripted 1: the token is sp_at_…", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("yyyy…", StringComparison.Ordinal) && line.Length < 2_100);
        Assert.InRange(lines.Count(line => line.Contains("a line of a flood", StringComparison.Ordinal)), 1, 200);
    }

    [Theory]
    [InlineData("javascript:alert(1)")]
    [InlineData("file:///etc/passwd")]
    [InlineData("http://elsewhere.example/")]
    public async Task STDIO_08_An_address_that_no_client_should_open_is_refused_to_the_server(string url)
    {
        await using var server = await ScriptedServer.StartAsync($$$"""
            *'"ask"'*) asked=$id; echo '{"jsonrpc":"2.0","id":"e1","method":"elicitation/create","params":{"mode":"url","url":"{{{url}}}","message":"m","elicitationId":"1"}}';;
            *'"id":"e1"'*) id=$asked; answer "$line";;
            """);
        var session = await server.ConnectAsync();

        var response = await session.CallAsync("ask");

        Assert.Equal(-32600, (await response.JsonAsync()).GetProperty("result").GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal(session.Id, server.Gate.Events<GateActed>().Single(acted => acted.Act == GateAct.RequestRefused).Session);
    }

    [Theory]
    [InlineData("javascript:alert(1)", false)]
    [InlineData("\\ud800", false)]
    [InlineData("https://login.example/", true)]
    public async Task STDIO_08_An_error_that_asks_to_open_an_address_passes_if_a_client_may_open_it(string url, bool passes)
    {
        await using var server = await ScriptedServer.StartAsync($$$$"""
            *'"ask"'*) echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"https://login.example/","message":"m","elicitationId":"1"},{"mode":"url","url":"{{{{url}}}}","message":"m","elicitationId":"2"}]}}}';;
            """);
        var session = await server.ConnectAsync();

        var error = (await (await session.CallAsync("ask")).JsonAsync()).GetProperty("error");

        Assert.Equal(passes ? -32042 : -32000, error.GetProperty("code").GetInt32());
        Assert.Equal(passes, error.TryGetProperty("data", out _));
        await server.Gate.StopAsync();
        Assert.Equal(passes ? [] : [Reason.UpstreamMalformed], server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Select(failure => failure.Reason));
    }

    [Fact]
    public async Task STDIO_08_A_request_of_the_server_goes_to_the_owner_of_its_session_only()
    {
        await using var server = await ScriptedServer.StartAsync("""
            *'"ask"'*) asked=$id; echo '{"jsonrpc":"2.0","id":"e1","method":"elicitation/create","params":{"mode":"url","url":"https://login.example/","message":"m","elicitationId":"1"}}';;
            *'"id":"e1"'*) id=$asked; answer "$line";;
            """);
        var (owner, other) = (await server.ConnectAsync(), await server.ConnectAsync());
        var waiting = other.CallAsync("silent", 9);

        using var response = await owner.CallAsync("ask");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        string? line;
        while (!(line = (await reader.ReadLineAsync(TestContext.Current.CancellationToken))!).StartsWith("data: ", StringComparison.Ordinal))
        {
        }
        await owner.PostAsync("""{"jsonrpc":"2.0","id":"e1","result":{"action":"decline"}}""");
        var rest = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);

        Assert.Equal("elicitation/create", JsonDocument.Parse(line["data: ".Length..]).RootElement.GetProperty("method").GetString());
        Assert.Contains("decline", rest, StringComparison.Ordinal);
        await other.CloseAsync();
        Assert.DoesNotContain("elicitation", await (await waiting).TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_does_not_read_holds_its_callers_back_and_too_many_are_refused()
    {
        await using var server = await ScriptedServer.StartAsync("""*'"deaf"'*) exec sleep 1000;;""");
        var session = await server.ConnectAsync();
        var id = await session.PidAsync();
        List<Task<HttpResponseMessage>> posts = [session.CallAsync("deaf", 1)];

        // More than may wait, and the pipe.
        for (var i = 0; i < 12; i++)
            posts.Add(session.PostAsync(Messages.Call(2 + i, "pid", new { filler = new string('x', 1_000_000) })));
        var refused = await await Task.WhenAny(posts);

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await session.CloseAsync()).StatusCode);
        await ScriptedServer.GoneAsync(id);
        Assert.All(await Task.WhenAll(posts), response => Assert.NotEqual(HttpStatusCode.OK, response.StatusCode));
    }

    [Fact]
    public async Task Of_too_many_unanswered_requests_of_a_session_one_more_is_refused_until_a_caller_leaves()
    {
        await using var server = await ScriptedServer.StartAsync("");
        var session = await server.ConnectAsync();
        using var leaving = new CancellationTokenSource();
        List<Task<HttpResponseMessage>> posts = [];
        for (var i = 1; i <= Limits.OpenRequestsPerPrincipal; i++)
            posts.Add(server.Gate.Http.SendAsync(server.Gate.McpRequest(session.Token, Messages.Call(i, "silent"), session: session.Id), i == 1 ? leaving.Token : TestContext.Current.CancellationToken));
        await server.UntilAsync(() => server.Gate.Events<AccessAllowed>().Count(access => access.Name == "silent") == Limits.OpenRequestsPerPrincipal);

        var refused = await session.CallAsync("pid", 1000);
        await leaving.CancelAsync();
        HttpResponseMessage later;
        while ((later = await session.CallAsync("pid", 1000)).StatusCode == HttpStatusCode.TooManyRequests)
            later.Dispose();

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(Reason.SessionLimit, server.Gate.EventOf<AccessRefused>(refused).Reason);
        Assert.Equal(HttpStatusCode.OK, later.StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await session.CloseAsync()).StatusCode);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => posts[0]);
        await Task.WhenAll(posts.Skip(1));
    }

    [Fact]
    public async Task Requests_by_SSE_count_until_they_are_answered_over_all_sessions_of_their_user_and_client()
    {
        await using var server = await ScriptedServer.StartAsync("""*'"answer-all"'*) n=1; while [ $n -le 130 ]; do id=$n; answer '{}'; n=$((n+1)); done;;""");
        var token = (await (await TestClient.RegisterAsync(server.Gate)).TokensAsync()).AccessToken;
        using var first = await EventBlocks.OpenSseAsync(server.Gate, token);
        using var second = await EventBlocks.OpenSseAsync(server.Gate, token);
        string[] endpoints = [await first.EndpointAsync(), await second.EndpointAsync()];
        HttpResponseMessage refused;
        var id = 0;
        do
            refused = await server.Gate.PostMcpAsync(token, Messages.Call(++id, "silent"), endpoints[id % 2]);
        while (refused.StatusCode == HttpStatusCode.Accepted);

        while ((await server.Gate.PostMcpAsync(token, """{"jsonrpc":"2.0","method":"notifications/x","params":{"x":"answer-all"}}""", endpoints[0])).StatusCode != HttpStatusCode.Accepted)
        {
        }
        while ((await first.NextMessageAsync()).GetProperty("id").GetInt32() != 130)
        {
        }
        var later = await server.Gate.PostMcpAsync(token, Messages.Call(1000, "silent"), endpoints[0]);

        // A post takes a place itself, and the one before may still have its own.
        Assert.InRange(id, Limits.OpenRequestsPerPrincipal - 2, Limits.OpenRequestsPerPrincipal);
        Assert.Equal((HttpStatusCode.TooManyRequests, HttpStatusCode.Accepted), (refused.StatusCode, later.StatusCode));
        Assert.Equal(Reason.SessionLimit, server.Gate.EventOf<AccessRefused>(refused).Reason);
    }

    [Fact]
    public async Task SSE_02_A_reader_that_does_not_read_holds_the_server_back_by_bytes()
    {
        var queue = new MessageQueue(Limits.WaitingMessages);
        var half = new byte[Limits.MessageBytes / 2];
        await queue.WriteAsync(half, TestContext.Current.CancellationToken);
        await queue.WriteAsync(half, TestContext.Current.CancellationToken);

        var third = queue.WriteAsync(half, TestContext.Current.CancellationToken);

        Assert.False(third.IsCompleted);
        Assert.True(queue.TryRead(out _));
        await third;
        var fourth = queue.WriteAsync(new byte[Limits.MessageBytes], TestContext.Current.CancellationToken);
        Assert.False(fourth.IsCompleted);
        queue.Abandon();
        await fourth;
    }
}
