using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Claims;
using Sallyport.Server.Configuration;
using Sallyport.Server.Heartbeat;
using Sallyport.Server.Operation;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Storage;

namespace Sallyport.Tests.Heartbeat;

/// <summary>The gate attacks itself, through its public address.</summary>
public class HeartbeatTests
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task Every_bad_credential_gets_its_refusal_at_every_guarded_way_in_and_the_good_one_an_answer()
    {
        await using var gate = await BeatingAsync();

        var answered = await gate.EventAsync<HeartbeatAnswered>();

        Assert.Equal($"{gate.Url}/mcp", answered.Audience);
        Assert.Equal(300, answered.Interval);
        Assert.Equal(["DELETE /mcp", "GET /mcp", "GET /sse", "POST /", "POST /mcp", "POST /messages/"], answered.Ways.Order(StringComparer.Ordinal));
        Assert.Equal(Enum.GetValues<HeartbeatClass>(), answered.Answers.Select(answer => answer.Class));
        Assert.All(answered.Answers, answer =>
        {
            Assert.Equal((ClaimStatus.Proved, ""), HeartbeatRule.Judge(answer));
            Assert.Null(answer.Ways);
            Assert.True(answer.ByGate);
        });
        Assert.Equal(new(HeartbeatClass.Good, ByGate: true, 204), answered.Answers.Single(answer => answer.Class == HeartbeatClass.Good));
        Assert.Equal((ClaimStatus.Proved, 1), C5(gate));
    }

    [Fact]
    public async Task Its_own_tokens_are_good_for_nobody_and_nothing_else()
    {
        await using var gate = await BeatingAsync(settings => settings.Upstreams = ["http://127.0.0.1:9/mcp"]);
        await gate.Time.TimersAsync(s_interval, 1);
        var prepared = Assert.Single(gate.Events<HeartbeatPrepared>());
        var own = gate.Services.GetRequiredService<OwnTokens>();
        var token = (await own.OfAsync(prepared.Audience, TestContext.Current.CancellationToken))[HeartbeatClass.Good];

        // Whoever saw it on its way.
        using var seen = gate.McpRequest(token, "{}");
        var response = await gate.Http.SendAsync(seen, TestContext.Current.CancellationToken);
        var refused = gate.EventOf<AccessRefused>(response);
        Assert.Equal((HttpStatusCode.Forbidden, Reason.ScopeInsufficient), (response.StatusCode, refused.Reason));
        Assert.Equal(prepared.Tokens.Single(of => of.Class == HeartbeatClass.Good).Token, refused.Token);

        // Nor for whoever asks about it.
        var (server, secret, _, _) = await gate.Services.GetRequiredService<ClientActs>().AddAsync(new("a server", [], IsPublic: false), TestContext.Current.CancellationToken);
        var asked = await gate.PostFormAsync("/introspect", ("client_id", server!), ("client_secret", secret!), ("token", token));
        Assert.False((await asked.JsonAsync()).GetProperty("active").GetBoolean());

        // Nor does it show among those of users.
        Assert.Empty((await gate.Services.GetRequiredService<GrantActs>().ListAsync(user: null, client: null, TestContext.Current.CancellationToken))!);
        Assert.Empty(gate.Events<TokenIssued>());
        Assert.Empty(gate.Events<SessionOpened>());
        var authorize = await gate.Http.GetAsync($"/authorize?response_type=code&redirect_uri=http://127.0.0.1/&client_id={HeartbeatStore.Client}", TestContext.Current.CancellationToken);
        Assert.Equal(Reason.ClientUnknown, gate.EventOf<AuthorizationRefused>(authorize).Reason);
    }

    [Fact]
    public async Task Its_own_tokens_are_made_anew_every_half_hour_and_the_old_ones_go()
    {
        await using var gate = await BeatingAsync();
        for (var round = 1; round <= 25; round++)
        {
            await gate.Time.TimersAsync(s_interval, round);
            gate.Time.Advance(s_interval);
        }
        await gate.Time.TimersAsync(s_interval, 26);

        var prepared = gate.Events<HeartbeatPrepared>();
        Assert.Equal(5, prepared.Count);
        Assert.All(prepared, tokens => Assert.Equal(
            [HeartbeatClass.Good, HeartbeatClass.Expired, HeartbeatClass.Revoked, HeartbeatClass.WrongAudience, HeartbeatClass.WrongScope, HeartbeatClass.AnothersSession],
            tokens.Tokens.Select(token => token.Class)));
        Assert.Equal((ClaimStatus.Proved, 26), C5(gate));
        await using var db = await gate.Services.GetRequiredService<IDbContextFactory<SallyportDb>>().CreateDbContextAsync(TestContext.Current.CancellationToken);
        Assert.InRange(await db.AccessTokens.CountAsync(TestContext.Current.CancellationToken), 6, 18);
        Assert.Equal(await db.AccessTokens.CountAsync(TestContext.Current.CancellationToken), await db.Grants.CountAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_clock_that_is_set_back_or_forward_accuses_nobody()
    {
        await using var gate = await BeatingAsync();
        await gate.Time.TimersAsync(s_interval, 1);
        foreach (var (hours, round) in new[] { (-5, 2), (9, 3) })
        {
            gate.Time.Jump(TimeSpan.FromHours(hours));
            gate.Time.Advance(s_interval);
            await gate.Time.TimersAsync(s_interval, round);
        }

        Assert.Equal((ClaimStatus.Proved, 3), C5(gate));
        Assert.Equal(3, gate.Events<HeartbeatPrepared>().Count);
    }

    [Fact]
    public async Task Every_upstream_has_an_event_of_its_own()
    {
        await using var gate = await BeatingAsync(settings => settings.Upstreams = ["one=http://127.0.0.1:9/mcp", "two=http://127.0.0.1:9/mcp"]);

        var one = await gate.EventAsync<HeartbeatAnswered>(answered => answered.Audience.EndsWith("/one/mcp", StringComparison.Ordinal));
        var two = await gate.EventAsync<HeartbeatAnswered>(answered => answered.Audience.EndsWith("/two/mcp", StringComparison.Ordinal));

        await gate.Time.TimersAsync(s_interval, 1);
        gate.Time.Advance(s_interval);
        await gate.Time.TimersAsync(s_interval, 2);

        // Each has tokens of its own, and keeps them.
        Assert.Equal(2, gate.Events<HeartbeatPrepared>().Count);
        Assert.Equal((ClaimStatus.Proved, 4), C5(gate));
        Assert.Equal(["DELETE /one/mcp", "GET /one/mcp", "GET /one/sse", "POST /one/mcp", "POST /one/messages/"], one.Ways.Order(StringComparer.Ordinal));
        Assert.All(one.Answers.Concat(two.Answers), answer => Assert.Equal(ClaimStatus.Proved, HeartbeatRule.Judge(answer).Status));
    }

    [Fact]
    public async Task A_gate_that_looks_into_JWTs_refuses_them_as_forged()
    {
        await using var gate = await BeatingAsync(settings => settings.AccessTokens = ["jwt"]);

        var answered = await gate.EventAsync<HeartbeatAnswered>();

        Assert.All(
            answered.Answers.Where(answer => answer.Class is HeartbeatClass.JwtAlgNone or HeartbeatClass.JwtWrongKey),
            answer => Assert.Equal(new(answer.Class, ByGate: true, 401, Reason.TokenForged), answer));
        Assert.Equal((ClaimStatus.Proved, 1), C5(gate));
    }

    [Fact]
    public async Task It_is_done_again_and_again_and_leaves_no_other_event()
    {
        await using var gate = await BeatingAsync();
        await gate.Time.TimersAsync(s_interval, 1);
        gate.Time.Advance(s_interval);
        await gate.Time.TimersAsync(s_interval, 2);

        Assert.Equal(2, gate.Events<HeartbeatAnswered>().Count);
        Assert.Empty(gate.Events<AccessRefused>());
        Assert.Empty(gate.Events<AccessAllowed>());
        Assert.Equal((ClaimStatus.Proved, 2), C5(gate));
    }

    [Fact]
    public async Task It_can_be_turned_off()
    {
        await using var gate = await TestGate.StartAsync(new() { OverSockets = true });
        gate.Time.Advance(s_interval);

        await gate.PostMcpAsync(token: null, "{}");

        Assert.Empty(gate.Events<HeartbeatAnswered>());
        Assert.DoesNotContain(gate.Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>(), service => service is Server.Heartbeat.HeartbeatService);
    }

    [Fact]
    public async Task A_mark_of_nobodys_is_no_mark()
    {
        await using var gate = await TestGate.StartAsync();

        var response = await gate.Http.SendAsync(Marked("AAAAAAAAAAAAAAAAAAAAAA"), TestContext.Current.CancellationToken);

        Assert.Equal(Reason.TokenMissing, gate.EventOf<AccessRefused>(response).Reason);
    }

    [Fact]
    public async Task A_mark_that_was_seen_on_its_way_hides_nothing_else_and_nothing_twice()
    {
        await using var gate = await TestGate.StartAsync();
        var own = gate.Services.GetRequiredService<OwnRequests>();
        var mine = own.Begin("POST", "/mcp");

        var elsewhere = await gate.Http.SendAsync(Marked(mine.Mark, HttpMethod.Get), TestContext.Current.CancellationToken);
        Assert.Equal(Reason.TokenMissing, gate.EventOf<AccessRefused>(elsewhere).Reason);
        Assert.Null(mine.Reason);

        var first = await gate.Http.SendAsync(Marked(mine.Mark), TestContext.Current.CancellationToken);
        Assert.Equal((HttpStatusCode.Unauthorized, Reason.TokenMissing), (first.StatusCode, mine.Reason));
        Assert.False(first.Headers.Contains("Sallyport-Event"));

        var second = await gate.Http.SendAsync(Marked(mine.Mark), TestContext.Current.CancellationToken);
        Assert.Equal(Reason.TokenMissing, gate.EventOf<AccessRefused>(second).Reason);
    }

    [Fact]
    public async Task A_mark_opens_nothing_and_hides_no_access()
    {
        await using var gate = await TestGate.StartAsync();
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var mine = gate.Services.GetRequiredService<OwnRequests>().Begin("POST", "/mcp");
        using var request = gate.McpRequest(token, """{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}""");
        request.Headers.Add(OwnRequests.MarkHeader, mine.Mark);

        var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal("initialize", gate.EventOf<AccessAllowed>(response).Method);
    }

    public static TheoryData<string, HeartbeatClass> Breaks => new()
    {
        { "answers by itself", HeartbeatClass.None },
        { "gives everybody a token", HeartbeatClass.None },
        { "drops the origin", HeartbeatClass.OriginForeign },
        { "writes its own host", HeartbeatClass.HostWrong },
        { "moves the token out of the query", HeartbeatClass.InQuery },
        { "calls a refusal a success", HeartbeatClass.Malformed },
    };

    [Theory]
    [MemberData(nameof(Breaks))]
    public async Task A_wrong_answer_refutes_C5_and_is_shouted(string what, HeartbeatClass seenBy)
    {
        string? token = null;
        await using var gate = await TestGate.StartAsync(new()
        {
            OverSockets = true,
            IsBroken = true,
            Settings = settings => settings.HeartbeatSeconds = (int)s_interval.TotalSeconds,
            Services = services => services.AddSingleton<IStartupFilter>(new Before(async (context, next) =>
            {
                var headers = context.Request.Headers;
                // Only what is the gate's own, so that the test can get its token.
                var isOwn = headers.ContainsKey(OwnRequests.MarkHeader);
                switch (isOwn ? what : "")
                {
                    case "answers by itself" when headers.Authorization.Count == 0:
                        await context.Response.WriteAsync("welcome");
                        return;
                    case "gives everybody a token" when headers.Authorization.Count == 0 && token is not null:
                        headers.Authorization = "Bearer " + token;
                        break;
                    case "drops the origin":
                        headers.Remove("Origin");
                        break;
                    case "writes its own host":
                        context.Request.Host = HostString.FromUriComponent(new Uri($"http://localhost:{context.Connection.LocalPort}"));
                        break;
                    case "moves the token out of the query" when context.Request.Query["access_token"] is [{ } inQuery]:
                        headers.Authorization = "Bearer " + inQuery;
                        context.Request.QueryString = default;
                        break;
                    case "calls a refusal a success":
                        context.Response.OnStarting(() =>
                        {
                            context.Response.StatusCode = 200;
                            return Task.CompletedTask;
                        });
                        break;
                }
                await next(context);
            })),
        });
        var round = 1;
        if (what == "gives everybody a token")
        {
            await gate.Time.TimersAsync(s_interval, 1);
            token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
            gate.Time.Advance(s_interval);
            round = 2;
        }
        await gate.Time.TimersAsync(s_interval, round);

        var answered = gate.Events<HeartbeatAnswered>()[^1];
        Assert.Equal(ClaimStatus.Refuted, C5(gate).Status);
        Assert.Contains(answered.Answers, answer => answer.Class == seenBy && HeartbeatRule.Judge(answer).Status == ClaimStatus.Refuted);
        Assert.Contains(gate.Log.Lines, line => line.StartsWith("Critical A HEARTBEAT GOT A WRONG ANSWER", StringComparison.Ordinal));
    }

    /// <summary>A proxy that refuses a token in a query by itself, knows one host name only, and sends <c>/sse</c> to the server instead of the gate.</summary>
    [Fact]
    public async Task A_way_past_the_gate_is_found_and_what_else_a_proxy_answers_is_no_bypass()
    {
        var inner = new Uri($"http://localhost:{TestGate.FreePort()}");
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        await using var proxy = await HttpServer.StartAsync(async context =>
        {
            if (context.Request.Host.Host != "127.0.0.1" || context.Request.QueryString.HasValue)
            {
                context.Response.StatusCode = 404;
                return;
            }
            if (context.Request.Path == "/sse")
            {
                await context.Response.WriteAsync("event: endpoint");
                return;
            }
            using var forwarded = new HttpRequestMessage(new(context.Request.Method), new Uri(inner, context.Request.Path.Value));
            foreach (var (name, values) in context.Request.Headers.Where(header => !header.Key.StartsWith("Content-", StringComparison.Ordinal)))
                forwarded.Headers.TryAddWithoutValidation(name, values.ToArray());
            using var answer = await http.SendAsync(forwarded, context.RequestAborted);
            context.Response.StatusCode = (int)answer.StatusCode;
        });
        await using var gate = await TestGate.StartAsync(new()
        {
            OverSockets = true,
            IsBroken = true,
            Settings = settings => (settings.HeartbeatSeconds, settings.Urls, settings.PublicUrl) =
                ((int)s_interval.TotalSeconds, inner.GetLeftPart(UriPartial.Authority), new Uri(proxy.Url).GetLeftPart(UriPartial.Authority)),
        });

        var answered = await gate.EventAsync<HeartbeatAnswered>();

        var judged = answered.Answers.ToLookup(answer => HeartbeatRule.Judge(answer).Status);
        Assert.All(judged[ClaimStatus.Refuted], answer => Assert.Equal(("GET /sse", 200, false), (Assert.Single(answer.Ways!), answer.Status, answer.ByGate)));
        // The proxy keeps the session's id to itself, so that nobody can come with another's.
        Assert.Equal(
            Enum.GetValues<HeartbeatClass>().Except([HeartbeatClass.HostWrong, HeartbeatClass.InQuery, HeartbeatClass.Good, HeartbeatClass.AnothersSession]),
            judged[ClaimStatus.Refuted].Select(answer => answer.Class));
        Assert.Equal([(HeartbeatClass.InQuery, 404), (HeartbeatClass.Good, 200)], judged[ClaimStatus.Unknown].Select(answer => (answer.Class, answer.Status!.Value)));
        Assert.All(judged[ClaimStatus.Unknown], answer => Assert.False(answer.ByGate));
        Assert.DoesNotContain(answered.Answers, answer => answer.Class == HeartbeatClass.AnothersSession);
        Assert.Contains(new(HeartbeatClass.HostWrong, ByGate: false, 404), judged[ClaimStatus.Proved]);
        Assert.Equal(ClaimStatus.Refuted, C5(gate).Status);
    }

    [Fact]
    public async Task A_public_address_that_cannot_be_reached_from_here_is_said_so()
    {
        var elsewhere = $"http://localhost:{TestGate.FreePort()}";
        await using var gate = await BeatingAsync(settings => settings.PublicUrl = elsewhere);

        var answered = await gate.EventAsync<HeartbeatAnswered>();
        await gate.Time.TimersAsync(s_interval, 1);

        Assert.All(answered.Answers, answer => Assert.Equal(new(answer.Class, ByGate: false), answer));
        Assert.Equal(ClaimStatus.Unknown, C5(gate).Status);
        Assert.Contains(gate.Log.Lines, line => line.StartsWith($"Warning The gate cannot reach its own public address {elsewhere} from here", StringComparison.Ordinal));
    }

    private static Task<TestGate> BeatingAsync(Action<GateSettings>? settings = null) => TestGate.StartAsync(new()
    {
        OverSockets = true,
        Settings = given =>
        {
            given.HeartbeatSeconds = (int)s_interval.TotalSeconds;
            settings?.Invoke(given);
        },
    });

    private static HttpRequestMessage Marked(string mark, HttpMethod? method = null)
    {
        var request = new HttpRequestMessage(method ?? HttpMethod.Post, "/mcp");
        request.Headers.Add(OwnRequests.MarkHeader, mark);
        return request;
    }

    /// <summary>What the log so far says to it, and how many events it was held against.</summary>
    private static (ClaimStatus Status, long Judged) C5(TestGate gate)
    {
        var judge = new ClaimJudge();
        var events = gate.Events();
        for (var i = 0; i < events.Count; i++)
            judge.Observe(i, events[i]);
        var result = judge.Conclude(new())[Claim.C5];
        return (result.Status, result.Judged);
    }

    private sealed class Before(Func<HttpContext, RequestDelegate, Task> middleware) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => application =>
        {
            application.Use(middleware);
            next(application);
        };
    }
}
