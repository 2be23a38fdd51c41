using System.Text.Json;

namespace Sallyport.Tests.Gateway.Processes;

/// <summary>Sessions before a command: whose process it is, and how it and the session end.</summary>
public class ProcessSessionTests
{
    [Fact]
    public async Task STDIO_05_Each_session_has_a_process_of_its_own()
    {
        await using var server = await ScriptedServer.StartAsync("");
        await server.Gate.AddUserAsync("bob");
        var sessions = await Task.WhenAll(server.ConnectAsync(), server.ConnectAsync(), server.ConnectAsync("bob"));

        var first = await Task.WhenAll(sessions.Select(session => session.PidAsync()));
        var again = await Task.WhenAll(sessions.Select(session => session.PidAsync()));
        var foreign = await server.Gate.PostMcpAsync(sessions[2].Token, Messages.Call(1, "pid"), session: sessions[0].Id);

        Assert.Equal(3, first.Distinct().Count());
        Assert.Equal(first, again);
        Assert.Equal(Reason.SessionOfAnother, server.Gate.EventOf<AccessRefused>(foreign).Reason);
    }

    [Fact]
    public async Task STDIO_11_Without_a_token_no_process_is_started()
    {
        await using var server = await ScriptedServer.StartAsync("", begin: "echo >>\"$here/started\"");

        Assert.Equal(HttpStatusCode.Unauthorized, (await server.Gate.PostMcpAsync(null, Messages.Initialize)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.Gate.Http.GetAsync("/sse", TestContext.Current.CancellationToken)).StatusCode);

        // Once, when the gate started.
        Assert.Single(await File.ReadAllLinesAsync(Path.Combine(server.Here, "started"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task STDIO_01_Nothing_that_a_client_sends_says_what_is_run()
    {
        await using var server = await ScriptedServer.StartAsync("""*'"arguments"'*) answer "{\"command\":\"$0 $#\"}";;""");
        var session = await server.ConnectAsync();
        var opened = await server.Gate.PostMcpAsync(session.Token,
            """{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","command":"/bin/false","args":["-c","x"],"env":{"A":"b"},"cwd":"/"}}""");

        var command = (await (session with { Id = opened.Headers.GetValues("Mcp-Session-Id").Single() }).ResultAsync("any")).GetProperty("command").GetString();

        Assert.Equal($"{server.Here}/server.sh 1", command);
        foreach (var path in new[] { "/servers", "/api/servers", "/mcp/command", "/config" })
            Assert.Equal(HttpStatusCode.NotFound, (await server.Gate.GetWithTokenAsync(path, session.Token)).StatusCode);
    }

    [Fact]
    public async Task STDIO_06_A_sessions_end_ends_its_process_and_all_that_it_has_started()
    {
        await using var server = await ScriptedServer.StartAsync("""
            *'"family"'*)
                sleep 1000 & a=$!
                setsid sh -c 'trap "" TERM; sleep 1000 & echo $! >"$0/b"; wait' "$here" </dev/null >/dev/null 2>&1 &
                while [ ! -s "$here/b" ]; do sleep 0.05; done
                answer "[$$,$a,$(cat "$here/b")]";;
            """);
        var session = await server.ConnectAsync();
        var family = (await session.ResultAsync("family")).EnumerateArray().Select(id => id.GetInt32()).ToList();

        Assert.Equal(HttpStatusCode.NoContent, (await session.CloseAsync()).StatusCode);

        foreach (var id in family)
            await ScriptedServer.GoneAsync(id);
        Assert.Equal(HttpStatusCode.NotFound, (await session.CallAsync("pid")).StatusCode);
        Assert.Equal(Reason.ClosedByClient, server.Gate.Events<SessionClosed>().Single().Reason);
    }

    [Fact]
    public async Task A_session_that_idles_ends_with_its_process()
    {
        await using var server = await ScriptedServer.StartAsync("", settings: settings => settings.SessionIdleSeconds = 60);
        var session = await server.ConnectAsync();
        var id = await session.PidAsync();

        await server.Gate.Time.TimersAsync(TimeSpan.FromMinutes(1), 1);
        server.Gate.Time.Advance(TimeSpan.FromSeconds(61));

        await ScriptedServer.GoneAsync(id);
        Assert.Equal(Reason.ClosedIdle, (await server.Gate.EventAsync<SessionClosed>()).Reason);
    }

    [Fact]
    public async Task A_crash_ends_the_session_its_callers_get_an_error_and_the_log_says_so()
    {
        await using var server = await ScriptedServer.StartAsync("""
            *'"crash"'*) exit 3;;
            *'"silent"'*) ;;
            """);
        var session = await server.ConnectAsync();
        var id = await session.PidAsync();
        var waiting = session.CallAsync("silent", 7);

        var crashed = await session.CallAsync("crash", 8);

        foreach (var (response, callId) in new[] { (await waiting, 7), (crashed, 8) })
        {
            Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
            var error = await response.JsonAsync();
            Assert.Equal((callId, -32000), (error.GetProperty("id").GetInt32(), error.GetProperty("error").GetProperty("code").GetInt32()));
        }
        Assert.Equal(Reason.UpstreamEnded, (await server.Gate.EventAsync<SessionClosed>()).Reason);
        Assert.Equal(HttpStatusCode.NotFound, (await session.CallAsync("pid")).StatusCode);
        Assert.NotEqual(id, await (await server.ConnectAsync()).PidAsync());
        await server.Gate.StopAsync();
        var outcomes = server.Gate.Events<AccessOutcome>();
        Assert.Equal([Reason.UpstreamEnded, Reason.UpstreamEnded], outcomes.SelectMany(outcome => outcome.Unanswered).Select(failure => failure.Reason));
        Assert.Equal(
            server.Gate.Events<AccessAllowed>().Select(access => access.Id).Order(),
            outcomes.SelectMany(outcome => outcome.Forwarded.Concat(outcome.NotForwarded.Select(failure => failure.Access))).Order());
    }

    [Fact]
    public async Task Over_HTTP_SSE_a_crash_ends_the_stream_after_an_error_for_whoever_waits()
    {
        await using var server = await ScriptedServer.StartAsync("""*'"crash"'*) exit 3;;""");
        var token = (await (await TestClient.RegisterAsync(server.Gate)).TokensAsync()).AccessToken;
        using var response = await server.Gate.GetWithTokenAsync("/sse", token);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        string? line;
        while (!(line = (await reader.ReadLineAsync(TestContext.Current.CancellationToken))!).StartsWith("data: ", StringComparison.Ordinal))
        {
        }
        await server.Gate.PostMcpAsync(token, Messages.Call(5, "crash"), line["data: ".Length..]);

        var rest = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);

        var error = JsonDocument.Parse(rest.Split('\n').Single(each => each.StartsWith("data: ", StringComparison.Ordinal))["data: ".Length..]).RootElement;
        Assert.Equal((5, -32000), (error.GetProperty("id").GetInt32(), error.GetProperty("error").GetProperty("code").GetInt32()));
        await server.Gate.StopAsync();
        Assert.Equal(Reason.UpstreamEnded, server.Gate.Events<SessionClosed>().Single().Reason);
        Assert.Equal(Reason.UpstreamEnded, server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Single().Reason);
    }

    [Fact]
    public async Task STDIO_10_A_gate_that_stops_ends_processes_that_do_not_want_to_and_no_caller_hangs()
    {
        await using var server = await ScriptedServer.StartAsync("""
            *'"stubborn"'*) trap '' TERM HUP INT; while :; do sleep 1000; done;;
            """);
        var session = await server.ConnectAsync();
        var id = await session.PidAsync();
        var waiting = session.CallAsync("stubborn");
        await server.UntilAsync(() => server.Gate.Events<AccessAllowed>().Any(access => access.Name == "stubborn"));

        var stopping = server.Gate.StopAsync();
        // Calls may go on for this long.
        await server.Gate.Time.TimersAsync(TimeSpan.FromSeconds(10), 1);
        server.Gate.Time.Advance(TimeSpan.FromSeconds(10));
        await stopping;

        Assert.True((await waiting).StatusCode is HttpStatusCode.NotFound or HttpStatusCode.BadGateway);
        await ScriptedServer.GoneAsync(id);
        Assert.Equal(Reason.ClosedGateStopping, server.Gate.Events<SessionClosed>().Single().Reason);
        Assert.Equal(Reason.ClosedGateStopping, server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Single().Reason);
    }

    [Fact]
    public async Task A_request_that_is_taken_back_reaches_the_process_and_its_post_ends()
    {
        await using var server = await ScriptedServer.StartAsync("""
            *'"notifications/cancelled"'*) cancelled=${line#*'"requestId":'}; cancelled=${cancelled%%[!0-9]*};;
            *'"what"'*) answer "{\"cancelled\":$cancelled}";;
            *'"silent"'*) ;;
            """);
        var session = await server.ConnectAsync();
        var waiting = session.CallAsync("silent", 42);
        await server.UntilAsync(() => server.Gate.Events<AccessAllowed>().Any(access => access.Name == "silent"));
        // It is sent in order, so this one is answered after that one was read.
        await session.PidAsync();

        var told = await session.PostAsync("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":42}}""");

        Assert.Equal(HttpStatusCode.Accepted, told.StatusCode);
        Assert.Equal(42, (await session.ResultAsync("what")).GetProperty("cancelled").GetInt32());
        Assert.DoesNotContain("data:", await (await waiting).TextAsync());
    }

    [Fact]
    public async Task A_request_that_is_taken_back_reaches_the_process_within_a_second()
    {
        await using var server = await ScriptedServer.StartAsync("""
            *'"notifications/cancelled"'*) id=$witness; answer '{}';;
            *'"witness"'*) witness=$id;;
            *'"silent"'*) ;;
            """);
        var session = await server.ConnectAsync();
        var witness = session.CallAsync("witness", 41);
        await server.UntilAsync(() => server.Gate.Events<AccessAllowed>().Any(access => access.Name == "witness"));
        var waiting = session.CallAsync("silent", 42);
        await server.UntilAsync(() => server.Gate.Events<AccessAllowed>().Any(access => access.Name == "silent"));
        // It is sent in order, so this one is answered after those were read.
        await session.PidAsync();

        var taken = TimeProvider.System.GetTimestamp();
        await session.PostAsync("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":42}}""");
        await (await witness).TextAsync();

        Assert.InRange(TimeProvider.System.GetElapsedTime(taken).TotalSeconds, 0, 1);
        await (await waiting).TextAsync();
    }

    [Fact]
    public async Task Too_many_processes_of_one_user_or_of_all_are_refused_until_one_is_gone()
    {
        await using var server = await ScriptedServer.StartAsync("", settings: settings => (settings.UpstreamProcesses, settings.UpstreamProcessesPerUser) = (3, 2));
        await server.Gate.AddUserAsync("bob");
        var own = new[] { await server.ConnectAsync(), await server.ConnectAsync() };

        var beyondOwn = await server.ConnectAsync();
        var bobs = await server.ConnectAsync("bob");
        var beyondAll = await server.ConnectAsync("bob");

        Assert.Equal(HttpStatusCode.OK, bobs.Opened.StatusCode);
        foreach (var refused in new[] { beyondOwn, beyondAll })
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Opened.StatusCode);
            Assert.NotEmpty(refused.Opened.Headers.GetValues("Retry-After"));
            Assert.Equal(-32000, (await refused.Opened.JsonAsync()).GetProperty("error").GetProperty("code").GetInt32());
        }
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await server.Gate.GetWithTokenAsync("/sse", beyondOwn.Token)).StatusCode);
        var pid = await own[0].PidAsync();
        await own[0].CloseAsync();
        // Its place is free when it and its children are gone, which nobody else tells.
        await ScriptedServer.GoneAsync(pid);
        HttpStatusCode status;
        while ((status = (await server.ConnectAsync()).Opened.StatusCode) == HttpStatusCode.ServiceUnavailable)
        {
        }
        Assert.Equal(HttpStatusCode.OK, status);
        await server.Gate.StopAsync();
        Assert.Contains(server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.NotForwarded), failure => failure.Reason == Reason.UpstreamLimit);
    }

    [Fact]
    public async Task STDIO_06_A_crash_loop_makes_its_user_wait_and_nobody_else()
    {
        await using var server = await ScriptedServer.StartAsync("""*'"crash"'*) exit 3;;""");
        await server.Gate.AddUserAsync("bob");
        for (var i = 0; i < 3; i++)
        {
            var session = await server.ConnectAsync();
            Assert.Equal(HttpStatusCode.OK, session.Opened.StatusCode);
            await session.CallAsync("crash");
        }

        // The supervisor's end, which counts, comes a moment after the last line.
        await server.UntilAsync(() => server.Gate.Log.Lines.Count(line => line.Contains("ended by itself with 3", StringComparison.Ordinal)) == 3);

        var refused = await server.ConnectAsync();
        var bobs = await server.ConnectAsync("bob");
        server.Gate.Time.Advance(TimeSpan.FromSeconds(2));
        var later = await server.ConnectAsync();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Opened.StatusCode);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (bobs.Opened.StatusCode, later.Opened.StatusCode));
        await server.Gate.StopAsync();
        Assert.Contains(server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.NotForwarded),
            failure => failure == new AccessFailure(refused.Opened.Headers.GetValues("Sallyport-Event").Single(), Reason.UpstreamBackingOff));
    }
}
