using System.Text.Json;

namespace Sallyport.Tests.Gateway.Processes;

/// <summary>2026-07-28 before a command: one process for each user and client, which their requests share.</summary>
public class ProcessStatelessTests
{
    private const string Modern = ScriptedServer.Discovered + ScriptedServer.NoSessions;
    private const string Progress = ",\"progressToken\":\"t\"";

    [Fact]
    public async Task A_request_reaches_the_process_whole_but_for_its_ids_and_its_client_gets_its_own_id_back()
    {
        await using var server = await ScriptedServer.StartAsync(Modern + """*'"echo"'*) id=1; answer "$line";;""");
        var client = await server.ClientAsync();
        const string Body = """{ "x":[1.0, {"id":1}],"params":{"name":"echo","arguments":{"id":"mine","progressToken":"mine"},"_meta":{"progressToken":"\u0074","io.modelcontextprotocol/protocolVersion":"2026-07-28","y/z":{"progressToken":1e3}}},"\u0069d":"\u0061b","method":"tools/call","jsonrpc":"2.0"}""";

        var response = await client.PostAsync(Body);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.False(response.Headers.Contains("Mcp-Session-Id"));
        var text = await response.TextAsync();
        var answer = JsonDocument.Parse(text).RootElement;
        Assert.Equal("ab", answer.GetProperty("id").GetString());
        Assert.Contains(Body.Replace("\"\\u0061b\"", "1", StringComparison.Ordinal).Replace("\"\\u0074\"", "1", StringComparison.Ordinal), text, StringComparison.Ordinal);
        await server.Gate.StopAsync();
        var allowed = server.Gate.EventOf<AccessAllowed>(response);
        var opened = server.Gate.Events<SessionOpened>().Single();
        Assert.Equal(("echo", opened.Session, opened.Subject, opened.Client), (allowed.Name, allowed.Session, allowed.Subject, allowed.Client));
        Assert.Equal([allowed.Id], server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Forwarded));
        Assert.Equal(Reason.ClosedGateStopping, server.Gate.Events<SessionClosed>().Single().Reason);
    }

    [Fact]
    public async Task Requests_with_equal_ids_and_progress_tokens_get_what_is_theirs()
    {
        await using var server = await ScriptedServer.StartAsync(Modern + """
            *'"first"'*) first=$id;;
            *'"second"'*)
                for each in "$first" "$id"; do
                    echo '{"jsonrpc":"2.0","method":"notifications/progress","params":{"message":"'$each'","progressToken":'$each',"progress":1}}'
                done
                answer '{"who":"second"}'
                id=$first; answer '{"who":"first"}';;
            """);
        var client = await server.ClientAsync();
        var waiting = client.CallAsync("first", meta: Progress);
        await server.UntilAsync(() => server.Gate.Events<AccessAllowed>().Any(access => access.Name == "first"));
        // It is sent in order, so this one is answered after that one was read.
        await client.PidAsync();

        var second = EventsOf(await (await client.CallAsync("second", meta: Progress)).TextAsync());
        var first = EventsOf(await (await waiting).TextAsync());

        Assert.NotEqual(Said(first), Said(second));
        Assert.All(["first", "second"], who =>
        {
            var events = who == "first" ? first : second;
            Assert.Equal(2, events.Count);
            Assert.Equal("t", events[0].GetProperty("params").GetProperty("progressToken").GetString());
            Assert.Equal((1, who), (events[1].GetProperty("id").GetInt32(), events[1].GetProperty("result").GetProperty("who").GetString()));
        });
        static string Said(List<JsonElement> events) => events[0].GetProperty("params").GetProperty("message").GetString()!;
    }

    [Fact]
    public async Task STDIO_05_Each_user_and_client_has_a_process_of_its_own_and_keeps_it()
    {
        await using var server = await ScriptedServer.StartAsync(Modern);
        await server.Gate.AddUserAsync("bob");
        var clients = new[] { await server.ClientAsync(), await server.ClientAsync(), await server.ClientAsync("bob") };

        var pids = await Task.WhenAll(clients.Concat(clients).Select(client => client.PidAsync()));

        Assert.Equal(3, pids.Distinct().Count());
        Assert.Equal(pids[..3], pids[3..]);
        Assert.Equal(3, server.Gate.Events<SessionOpened>().DistinctBy(opened => (opened.Subject, opened.Client)).Count());
        Assert.Equal(6, server.Gate.Events<AccessAllowed>().Count(access => server.Gate.Events<SessionOpened>().Any(
            opened => (opened.Session, opened.Subject, opened.Client) == (access.Session, access.Subject, access.Client))));
    }

    [Fact]
    public async Task L1_14_a_task_is_unknown_to_whoever_did_not_begin_it()
    {
        await using var server = await ScriptedServer.StartAsync(Modern + """
            *'"begin"'*) task=begun; answer '{"taskId":"1"}';;
            *'"tasks/get"'*) if [ "$task" ]; then answer '{"status":"working"}'; else refuse '{"code":-32602,"message":"no such task"}'; fi;;
            """);
        await server.Gate.AddUserAsync("bob");
        var (owner, otherClient, otherUser) = (await server.ClientAsync(), await server.ClientAsync(), await server.ClientAsync("bob"));
        await owner.ResultAsync("begin");
        var get = StatelessClient.Body("tasks/get", "1", "\"taskId\":\"1\",");

        var own = await (await owner.PostAsync(get)).JsonAsync();

        Assert.Equal("working", own.GetProperty("result").GetProperty("status").GetString());
        foreach (var other in new[] { otherClient, otherUser })
            Assert.Equal(-32602, (await (await other.PostAsync(get)).JsonAsync()).GetProperty("error").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task A_client_that_leaves_takes_its_request_back()
    {
        await using var server = await ScriptedServer.StartAsync(Modern + """
            *'"notifications/cancelled"'*) cancelled=${line#*'"requestId":'}; cancelled=${cancelled%%[!0-9]*};;
            *'"silent"'*) silent=$id;;
            *'"what"'*) answer "[$silent,${cancelled:-0}]";;
            """);
        var client = await server.ClientAsync();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var waiting = client.PostUntilAsync(StatelessClient.Call("silent"), leaving.Token);
        await server.UntilAsync(() => server.Gate.Events<AccessAllowed>().Any(access => access.Name == "silent"));
        await client.PidAsync();

        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        var acted = await server.Gate.EventAsync<GateActed>(acted => acted.Act == GateAct.RequestCancelled);
        Assert.Equal(server.Gate.Events<SessionOpened>().Single().Session, acted.Session);
        List<int> told;
        while ((told = [.. (await client.ResultAsync("what")).EnumerateArray().Select(each => each.GetInt32())])[1] == 0)
        {
            // It is on its way.
        }
        Assert.Equal(told[0], told[1]);
        await server.Gate.StopAsync();
        Assert.Equal(Reason.CallerLeft, server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Single().Reason);
    }

    [Fact]
    public async Task A_request_that_its_client_takes_back_by_a_message_reaches_the_process_by_its_number()
    {
        await using var server = await ScriptedServer.StartAsync(Modern + """
            *'"notifications/cancelled"'*) cancelled=$line;;
            *'"silent"'*) silent=$id;;
            *'"what"'*) answer "[$silent,$cancelled]";;
            """);
        var client = await server.ClientAsync();
        var waiting = client.CallAsync("silent", "\"listen:0\"");
        await server.UntilAsync(() => server.Gate.Events<AccessAllowed>().Any(access => access.Name == "silent"));
        await client.PidAsync();

        var unknown = await client.PostAsync(Cancelled("\"listen:1\""));
        var known = await client.PostAsync(Cancelled("\"listen:0\""));

        Assert.Equal((HttpStatusCode.Accepted, HttpStatusCode.Accepted), (unknown.StatusCode, known.StatusCode));
        Assert.DoesNotContain("data:", await (await waiting).TextAsync());
        var told = await client.ResultAsync("what");
        Assert.Equal(told[0].GetInt32(), told[1].GetProperty("params").GetProperty("requestId").GetInt32());
        Assert.Equal("kept", told[1].GetProperty("params").GetProperty("reason").GetString());
        await server.Gate.StopAsync();
        Assert.Equal((server.Gate.EventOf(unknown).Id, Reason.StreamUnknown),
            server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.NotForwarded).Select(failure => (failure.Access, failure.Reason)).Single());

        static string Cancelled(string id) =>
            $$$$"""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{{{{id}}}},"reason":"kept","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}""";
    }

    [Fact]
    public async Task A_crash_is_told_to_all_who_wait_and_the_next_request_has_another_process()
    {
        await using var server = await ScriptedServer.StartAsync(Modern + """
            *'"crash"'*) exit 3;;
            *'"subscriptions/listen"'*) echo '{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":'$id'},"notifications":{}}}';;
            *'"silent"'*) ;;
            """);
        var client = await server.ClientAsync();
        var pid = await client.PidAsync();
        var listening = await client.PostAsync(StatelessClient.Body("subscriptions/listen", "\"l\"", "\"notifications\":{},"));
        var waiting = client.CallAsync("silent", "7");
        await server.UntilAsync(() => server.Gate.Events<AccessAllowed>().Any(access => access.Name == "silent"));

        var crashed = await client.CallAsync("crash", "8");

        foreach (var (response, id) in new[] { (await waiting, 7), (crashed, 8) })
        {
            Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
            Assert.Equal(id, (await response.JsonAsync()).GetProperty("id").GetInt32());
        }
        var events = EventsOf(await listening.TextAsync());
        Assert.Equal(("l", -32000), (events[^1].GetProperty("id").GetString(), events[^1].GetProperty("error").GetProperty("code").GetInt32()));
        Assert.NotEqual(pid, await client.PidAsync());
        Assert.Equal(Reason.UpstreamEnded, (await server.Gate.EventAsync<SessionClosed>()).Reason);
        await server.Gate.StopAsync();
        Assert.Equal(Enumerable.Repeat(Reason.UpstreamEnded, 3), server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Select(failure => failure.Reason));
        Assert.Equal(
            server.Gate.Events<AccessAllowed>().Select(access => access.Id).Order(),
            server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Forwarded.Concat(outcome.NotForwarded.Select(failure => failure.Access))).Order());
        Assert.Equal(
            server.Gate.Events<AccessAllowed>().Where(access => access.Method == "subscriptions/listen").Select(access => access.Id),
            server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.StreamsEnded ?? []));
    }

    [Fact]
    public async Task What_is_subscribed_to_comes_to_its_own_stream_only_until_the_server_or_the_token_ends_it()
    {
        await using var server = await ScriptedServer.StartAsync(
            Modern + """
            *'"subscriptions/listen"'*)
                set -- "$@" "$id"
                echo '{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":'$id'},"notifications":{}}}';;
            *'"change"'*)
                shift
                for each in "$@"; do
                    echo '{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"test://'$each'","_meta":{"io.modelcontextprotocol/subscriptionId":'$each'}}}'
                done
                asked=$id; id=$1; answer '{"_meta":{"io.modelcontextprotocol/subscriptionId":'$id'}}'
                id=$asked; answer '{}';;
            *'"notifications/cancelled"'*) cancelled=${line#*'"requestId":'}; cancelled=${cancelled%%[!0-9]*};;
            *'"what"'*) answer "[${cancelled:-0}]";;
            """,
            settings: settings => settings.AccessTokenSeconds = 600);
        var client = await server.ClientAsync();
        var listen = StatelessClient.Body("subscriptions/listen", "\"l\"", "\"notifications\":{\"resourceSubscriptions\":[\"test://x\"]},");
        var streams = new List<HttpResponseMessage> { await client.PostAsync(listen), await client.PostAsync(listen) };

        await client.ResultAsync("change");
        var first = EventsOf(await streams[0].TextAsync());
        // What has come is out before the token ends: what lies in the gate then is not sent any more.
        using var events = await EventBlocks.OfAsync(streams[1]);
        var second = new List<JsonElement> { await events.NextMessageAsync(), await events.NextMessageAsync() };
        server.Gate.Time.Advance(TimeSpan.FromSeconds(601));
        second.Add(await events.NextMessageAsync());
        Assert.Null(await events.NextAsync());

        Assert.Equal(3, first.Count);
        Assert.All(first[..2].Concat(second[..2]), each => Assert.Equal("l", each.GetProperty("params").GetProperty("_meta").GetProperty("io.modelcontextprotocol/subscriptionId").GetString()));
        Assert.NotEqual(first[1].GetProperty("params").GetProperty("uri").GetString(), second[1].GetProperty("params").GetProperty("uri").GetString());
        Assert.Equal(("l", "l"), (first[2].GetProperty("id").GetString(), first[2].GetProperty("result").GetProperty("_meta").GetProperty("io.modelcontextprotocol/subscriptionId").GetString()));
        Assert.Equal("l", second[2].GetProperty("id").GetString());
        Assert.True(second[2].TryGetProperty("error", out _));
        await server.Gate.EventAsync<GateActed>(acted => acted.Act == GateAct.RequestCancelled);
        await server.Gate.StopAsync();
        Assert.Equal(Reason.TokenExpired, server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Single().Reason);
    }

    [Fact]
    public async Task What_names_no_request_goes_to_the_newest_and_what_names_none_that_waits_to_nobody()
    {
        await using var server = await ScriptedServer.StartAsync(Modern + """
            *'"talk"'*)
                echo '{"jsonrpc":"2.0","id":99,"result":{}}'
                echo '{"jsonrpc":"2.0","id":"'$id'","result":{}}'
                echo '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}'
                echo '{"jsonrpc":"2.0","id":'$id',"method":"roots/list"}'
                echo '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":'$id',"progress":1}}'
                echo '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":99,"progress":1}}'
                echo '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"heard"}}'
                answer '{}';;
            """);
        var client = await server.ClientAsync();

        var events = EventsOf(await (await client.CallAsync("talk")).TextAsync());

        Assert.Equal(2, events.Count);
        Assert.Equal("heard", events[0].GetProperty("params").GetProperty("data").GetString());
        Assert.Equal(1, events[1].GetProperty("id").GetInt32());
    }

    [Theory]
    [InlineData(-32601, HttpStatusCode.NotFound)]
    [InlineData(-32021, HttpStatusCode.BadRequest)]
    [InlineData(-32602, HttpStatusCode.OK)]
    public async Task An_error_of_the_protocols_own_has_its_status(int code, HttpStatusCode status)
    {
        await using var server = await ScriptedServer.StartAsync(Modern + $$$"""*'"fail"'*) refuse '{"code":{{{code}}},"message":"no","data":{"kept":true}}';;""");

        var response = await (await server.ClientAsync()).CallAsync("fail");

        Assert.Equal(status, response.StatusCode);
        Assert.True((await response.JsonAsync()).GetProperty("error").GetProperty("data").GetProperty("kept").GetBoolean());
    }

    [Fact]
    public async Task What_a_client_may_not_send_starts_no_process()
    {
        await using var server = await ScriptedServer.StartAsync(Modern, begin: "echo >>\"$here/started\"");
        var client = await server.ClientAsync();

        var answer = await client.PostAsync("""{"jsonrpc":"2.0","id":1,"result":{}}""");
        var silent = await client.PostAsync("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pid"}}""");
        var old = await server.Gate.PostMcpAsync(client.Token, Messages.Initialize);
        var stranger = await new StatelessClient(server.Gate, "none").CallAsync("pid");

        Assert.Equal([HttpStatusCode.BadRequest, HttpStatusCode.BadRequest, HttpStatusCode.BadRequest, HttpStatusCode.Unauthorized],
            new[] { answer, silent, old, stranger }.Select(response => response.StatusCode));
        Assert.Equal(-32020, (await silent.JsonAsync()).GetProperty("error").GetProperty("code").GetInt32());
        var error = (await old.JsonAsync()).GetProperty("error");
        Assert.Equal((-32022, "2026-07-28"), (error.GetProperty("code").GetInt32(), error.GetProperty("data").GetProperty("supported").EnumerateArray().Single().GetString()));
        Assert.Empty(server.Gate.Events<AccessAllowed>());
        Assert.Single(await File.ReadAllLinesAsync(Path.Combine(server.Here, "started"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Clients_of_both_eras_have_processes_side_by_side()
    {
        await using var server = await ScriptedServer.StartAsync(ScriptedServer.Discovered);

        var session = await (await server.ConnectAsync()).PidAsync();
        var stateless = await (await server.ClientAsync()).PidAsync();

        Assert.NotEqual(session, stateless);
    }

    [Fact]
    public async Task Too_many_processes_are_refused_and_one_that_idles_makes_room()
    {
        await using var server = await ScriptedServer.StartAsync(
            Modern, settings: settings => (settings.UpstreamProcessesPerUser, settings.SessionIdleSeconds) = (1, 60));
        var (client, other) = (await server.ClientAsync(), await server.ClientAsync());
        var pid = await client.PidAsync();

        var refused = await other.CallAsync("pid");
        await server.Gate.Time.TimersAsync(TimeSpan.FromMinutes(1), 1);
        server.Gate.Time.Advance(TimeSpan.FromSeconds(61));
        await ScriptedServer.GoneAsync(pid);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotEmpty(refused.Headers.GetValues("Retry-After"));
        Assert.Equal(Reason.ClosedIdle, (await server.Gate.EventAsync<SessionClosed>()).Reason);
        HttpResponseMessage later;
        // Its place is free when it and its children are gone, which nobody else tells.
        while ((later = await other.CallAsync("pid")).StatusCode == HttpStatusCode.ServiceUnavailable)
        {
        }
        Assert.Equal(HttpStatusCode.OK, later.StatusCode);
        Assert.Equal(Reason.UpstreamLimit, server.Gate.EventOf<AccessRefused>(refused).Reason);
    }

    [Theory]
    [InlineData("javascript:alert(1)", false)]
    [InlineData("https://login.example/", true)]
    public async Task STDIO_08_An_answer_that_asks_to_open_an_address_passes_if_a_client_may_open_it(string url, bool passes)
    {
        await using var server = await ScriptedServer.StartAsync(Modern + $$$$$"""
            *'"ask"'*) answer '{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"{{{{{url}}}}}","message":"m","elicitationId":"1"}}}}';;
            """);

        var answer = await (await (await server.ClientAsync()).CallAsync("ask")).JsonAsync();

        Assert.Equal(passes, answer.TryGetProperty("result", out _));
        Assert.Equal(!passes, answer.TryGetProperty("error", out _));
        await server.Gate.StopAsync();
        Assert.Equal(passes ? [] : [Reason.UpstreamMalformed], server.Gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Select(failure => failure.Reason));
    }

    private static List<JsonElement> EventsOf(string stream) =>
        [.. stream.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => JsonDocument.Parse(line["data: ".Length..]).RootElement)];
}
