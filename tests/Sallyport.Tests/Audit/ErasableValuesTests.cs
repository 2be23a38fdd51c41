using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;

namespace Sallyport.Tests.Audit;

/// <summary>What events say of where they came from, and what is left of it when an operator erases it (attack AUD-16).</summary>
public class ErasableValuesTests
{
    private const string Agent = "Curious-Agent/1.0 (x y)";
    private const string ClientName = "Test client";
    private static readonly string s_peer = InMemoryListener.Peer.ToString();

    [Fact]
    public async Task Events_carry_commitments_that_open_to_where_their_request_came_from()
    {
        await using var gate = await TestGate.StartAsync();
        await WalkThroughAsync(gate);

        var opened = Opened(gate);

        Assert.Equal(
            ["access.allowed", "access.refused", "authorization.refused", "authorization.started", "client.refused", "client.registered", "session.opened",
                "token.issued", "token.refused", "token.revoked", "user.authenticated", "user.refused"],
            opened.Where(one => one.Member == "source").Select(one => one.Type).Distinct().Order());
        Assert.Equal(["authorization.started", "client.registered", "session.opened", "user.authenticated"],
            opened.Where(one => one.Member == "user_agent").Select(one => one.Type).Distinct().Order());
        Assert.Equal(["client.registered", "operator.acted", "user.authenticated"],
            opened.Where(one => one.Member == "name").Select(one => one.Type).Distinct().Order());
        Assert.All(opened, one => Assert.Equal((ValueState.Open, one.Kind switch
        {
            ValueKind.Address => s_peer,
            ValueKind.UserAgent => Agent,
            ValueKind.ClientName => ClientName,
            _ => TestGate.UserName,
        }), (one.State, one.Text)));
        // And nothing that a request brought about goes without.
        Assert.All(gate.Events().OfType<RequestEvent>(), e => Assert.NotNull(e.Source));
        Assert.All(gate.Events().OfType<AgentEvent>(), e => Assert.NotNull(e.UserAgent));
        Assert.Single(gate.Events().OfType<RequestEvent>().Select(e => e.Source).Distinct());
    }

    [Fact]
    public async Task No_value_is_in_a_file_of_the_log()
    {
        await using var gate = await TestGate.StartAsync();
        await WalkThroughAsync(gate);
        await gate.Services.GetRequiredService<Sealer>().SealAsync(TestContext.Current.CancellationToken);

        var log = Bytes(gate, values: false);
        var store = Bytes(gate, values: true);

        Assert.Contains("client.registered", log, StringComparison.Ordinal);
        foreach (var value in (string[])[s_peer, Agent, ClientName, TestGate.UserName])
        {
            Assert.DoesNotContain(value, log, StringComparison.Ordinal);
            Assert.Contains(value, store, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Erasing_a_user_leaves_the_log_whole_and_the_values_nowhere()
    {
        await using var gate = await TestGate.StartAsync();
        var subject = gate.Events<OperatorActed>().Single().Target;
        await WalkThroughAsync(gate);
        var before = gate.Events<AccessAllowed>()[^1].Source!;
        await gate.Services.GetRequiredService<Sealer>().SealAsync(TestContext.Current.CancellationToken);

        var erased = await EraseAsync(gate, new(Subject: subject));

        Assert.Equal([new(ValueKind.Address, 1), new(ValueKind.UserAgent, 1), new(ValueKind.UserName, 1)], erased);
        await gate.Services.GetRequiredService<Sealer>().SealAsync(TestContext.Current.CancellationToken);
        Assert.Empty(LogVerifier.Verify(new LogFiles(Path.Combine(gate.Data, "log")), NoteKey.Check).Faults);
        var bytes = Bytes(gate, values: true) + Bytes(gate, values: false);
        foreach (var value in (string[])[s_peer, Agent, TestGate.UserName])
            Assert.DoesNotContain(value, bytes, StringComparison.Ordinal);
        // The client's name is nobody's.
        Assert.Contains(ClientName, bytes, StringComparison.Ordinal);
        Assert.All(Opened(gate).Where(one => one.Kind != ValueKind.ClientName), one => Assert.Equal((ValueState.Erased, null), (one.State, one.Text)));
        var acted = gate.Events<OperatorActed>()[^1];
        Assert.Equal((OperatorAct.ValuesErased, subject), (acted.Act, acted.Target));
        Assert.Equal(erased, acted.Erased);

        // Also for a connection that stood all the while.
        await gate.PostMcpAsync(null, "{}");
        var after = gate.Events<AccessRefused>()[^1].Source;
        Assert.NotNull(after);
        Assert.NotEqual(before, after);
    }

    [Fact]
    public async Task Erasing_an_address_leaves_other_addresses()
    {
        await using var gate = await TestGate.StartAsync();
        var other = gate.NewClient(from: "198.51.100.9");
        await gate.PostMcpAsync(null, "{}");
        await other.GetAsync("/mcp", TestContext.Current.CancellationToken);
        var sources = gate.Events<AccessRefused>().Select(refused => refused.Source!).ToList();
        Assert.NotEqual(sources[0], sources[1]);

        Assert.Empty(await EraseAsync(gate, new(Address: "192.0.2.1")));
        await EraseAsync(gate, new(Address: s_peer));

        using var reader = new ValueReader(Path.Combine(gate.Data, "log"));
        Assert.Equal(ValueState.Erased, reader.Open(ValueKind.Address, sources[0]).State);
        Assert.Equal((ValueState.Open, "198.51.100.9"), reader.Open(ValueKind.Address, sources[1]));
        // An erasure of nothing is none.
        var acted = gate.Events<OperatorActed>().Single(acted => acted.Act == OperatorAct.ValuesErased);
        Assert.Equal(sources[0], acted.Target);
        await other.GetAsync("/mcp", TestContext.Current.CancellationToken);
        Assert.Equal(sources[1], gate.Events<AccessRefused>()[^1].Source);
    }

    [Fact]
    public async Task An_address_of_IPv6_is_known_by_its_network()
    {
        await using var gate = await TestGate.StartAsync();

        foreach (var address in (string[])["2001:db8:1:2:3:4:5:6", "2001:db8:1:2:ffff::1", "2001:db8:1:3::1", "::ffff:203.0.113.7"])
            await gate.NewClient(from: address).GetAsync("/mcp", TestContext.Current.CancellationToken);

        Assert.Equal(["2001:db8:1:2::/64", "2001:db8:1:2::/64", "2001:db8:1:3::/64", "203.0.113.7"], Opened(gate).Where(one => one.Member == "source").Select(one => one.Text));
    }

    [Fact]
    public async Task Behind_a_proxy_the_peer_is_not_the_client_and_goes_unnamed()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => settings.PublicUrl = "https://mcp.example" });

        var request = new HttpRequestMessage(HttpMethod.Post, "/register") { Content = new StringContent("""{"redirect_uris":["https://a.example/"]}""", Encoding.UTF8, "application/json") };
        request.Headers.Host = "mcp.example";
        request.Headers.UserAgent.ParseAdd("Curious-Agent/1.0");
        var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        var registered = gate.EventOf<ClientRegistered>(response);
        Assert.Null(registered.Source);
        Assert.NotNull(registered.UserAgent);
        Assert.DoesNotContain(s_peer, Bytes(gate, values: true), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_somebody_typed_as_their_name_is_kept_nowhere()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl());

        await browser.SubmitAsync(("username", "my-password-by-mistake"), ("password", "alice"));

        Assert.Single(gate.Events<UserRefused>());
        Assert.DoesNotContain("my-password-by-mistake", Bytes(gate, values: true) + Bytes(gate, values: false), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_long_user_agent_is_cut_and_a_secret_in_it_blotted_out()
    {
        const string Hostile = "red\u00e9 \u202e\u2028\";}'";
        await using var gate = await TestGate.StartAsync();

        await RegisterAsync(gate, $"sp_at_{new string('s', 40)} {new string('x', 20_000)}");
        const string Body = """{"redirect_uris":["https://a.example/"]}""";
        // Bytes as a client may send them; control characters never get past the server's own parser.
        var hostile = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(Hostile));
        await gate.SendRawAsync($"POST /register HTTP/1.1\r\nHost: localhost:5000\r\nConnection: close\r\nUser-Agent: {hostile}\r\nContent-Type: application/json\r\nContent-Length: {Body.Length}\r\n\r\n{Body}");

        var agents = Opened(gate).Where(one => one.Member == "user_agent").Select(one => one.Text!).ToList();
        Assert.StartsWith("sp_at_… xxx", agents[0]);
        Assert.InRange(agents[0].Length, 256, 300);
        Assert.Equal(Hostile, agents[1]);
    }

    [Fact]
    public async Task A_flood_of_user_agents_costs_them_their_place_in_the_record_and_nothing_else()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => settings.RegistrationsPerMinute = 1_000 });

        for (var i = 0; i < 120; i++)
            await RegisterAsync(gate, $"flood/{i}");

        var registered = gate.Events<ClientRegistered>();
        Assert.Equal(120, registered.Count);
        Assert.Equal(100, registered.Count(one => one.UserAgent is not null));
        Assert.All(registered, one => Assert.NotNull(one.Source));
    }

    [Fact]
    public async Task A_broken_store_stops_neither_the_gate_nor_the_record()
    {
        using var data = new TestData();
        Directory.CreateDirectory(data.Log);
        await File.WriteAllTextAsync(Path.Combine(data.Log, "values.db"), new string('x', 8192), TestContext.Current.CancellationToken);
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });

        await WalkThroughAsync(gate);

        Assert.NotEmpty(gate.Events<AccessAllowed>());
        Assert.All(gate.Events().OfType<RequestEvent>(), e => Assert.Null(e.Source));
        Assert.All(gate.Events<UserAuthenticated>(), e => Assert.Null(e.Name));
        Assert.Single(gate.Log.Lines, line => line.Contains("values.db can't be used", StringComparison.Ordinal));
        await Assert.ThrowsAsync<ValuesUnavailableException>(() => EraseAsync(gate, new(Address: s_peer)));
    }

    [Fact]
    public async Task Values_that_no_kept_event_names_go_with_the_retention()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => settings.LogRetain = "7" });
        await gate.NewClient(from: "198.51.100.9").GetAsync("/mcp", TestContext.Current.CancellationToken);
        var gone = gate.Events<AccessRefused>()[^1].Source!;
        gate.Time.Advance(TimeSpan.FromDays(5));
        // A connection that stands for days keeps its address in use.
        await gate.PostMcpAsync(null, "{}");
        var kept = gate.Events<AccessRefused>()[^1].Source;

        // The daily snapshot comes by itself, and what is too old goes with it.
        gate.Time.Advance(TimeSpan.FromDays(5));

        using var reader = new ValueReader(Path.Combine(gate.Data, "log"));
        var log = gate.Services.GetRequiredService<AuditLog>();
        for (var begun = TimeProvider.System.GetTimestamp(); reader.Open(ValueKind.Address, gone).State != ValueState.Erased;)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(30), "it is still there");
            await log.SyncAsync();
        }
        await gate.PostMcpAsync(null, "{}");
        Assert.Equal((ValueState.Open, s_peer), reader.Open(ValueKind.Address, gate.Events<AccessRefused>()[^1].Source!));
        Assert.Equal(kept, gate.Events<AccessRefused>()[^1].Source);
    }

    [Fact]
    public async Task The_tool_for_recent_events_opens_nothing()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.AddUserAsync("bob");
        var client = await TestClient.RegisterAsync(gate);
        foreach (var user in (string[])[TestGate.UserName, "bob"])
        {
            var token = (await client.TokensAsync(user)).AccessToken;
            var session = (await gate.PostMcpAsync(token, Messages.Initialize)).Headers.GetValues("Mcp-Session-Id").Single();
            await gate.PostMcpAsync(token, Messages.Initialized, session: session);

            var answer = await (await gate.PostMcpAsync(token, Messages.Call(1, "recent_events", new { count = 100 }), session: session)).TextAsync();

            Assert.Contains("source", answer, StringComparison.Ordinal);
            Assert.DoesNotContain(s_peer, answer, StringComparison.Ordinal);
        }
    }

    /// <summary>Every event that a request brings about, once at least.</summary>
    private static async Task WalkThroughAsync(TestGate gate)
    {
        gate.Http.DefaultRequestHeaders.UserAgent.ParseAdd(Agent);
        await gate.Http.PostAsync("/register", new StringContent("no JSON"), TestContext.Current.CancellationToken);
        var client = await TestClient.RegisterAsync(gate);
        await gate.Http.GetAsync(client.AuthorizeUrl(("code_challenge", null)), TestContext.Current.CancellationToken);
        var browser = new TestBrowser(gate, Agent);
        await browser.OpenAsync(client.AuthorizeUrl());
        await browser.SubmitAsync(("username", TestGate.UserName), ("password", "wrong"));
        await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password));
        await browser.SubmitAsync(("decision", "allow"));
        var tokens = await TestClient.ReadAsync(await client.ExchangeAsync(browser.Response.Headers.Location!.Query("code")!));
        await client.ExchangeAsync("sp_code_of_nobody");
        await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        await gate.PostMcpAsync(null, "{}");
        await client.RevokeAsync(tokens.RefreshToken!);
    }

    private static async Task RegisterAsync(TestGate gate, string agent)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/register") { Content = new StringContent("""{"redirect_uris":["https://a.example/"]}""", new MediaTypeHeaderValue("application/json")) };
        request.Headers.TryAddWithoutValidation("User-Agent", agent);
        using var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
    }

    private static Task<IReadOnlyList<ErasedCount>> EraseAsync(TestGate gate, Erasure erasure) =>
        gate.Services.GetRequiredService<OperatorActs>().EraseValuesAsync(erasure, TestContext.Current.CancellationToken);

    /// <summary>Every commitment of the log.</summary>
    private static List<(string Type, string Member, ValueKind Kind, ValueState State, string? Text)> Opened(TestGate gate)
    {
        var log = Path.Combine(gate.Data, "log");
        using var reader = new ValueReader(log);
        var opened = new List<(string, string, ValueKind, ValueState, string?)>();
        foreach (var leaf in JournalFiles.ReadAll(log))
        {
            using var document = JsonDocument.Parse(leaf.Bytes);
            var type = document.RootElement.GetProperty("type").GetString()!;
            foreach (var member in document.RootElement.EnumerateObject())
            {
                if (ValueKinds.Of(type, member.Name) is { } kind)
                {
                    var (state, text) = reader.Open(kind, member.Value.GetString()!);
                    opened.Add((type, member.Name, kind, state, text));
                }
            }
        }
        return opened;
    }

    private static string Bytes(TestGate gate, bool values) => string.Concat(Directory.EnumerateFiles(Path.Combine(gate.Data, "log"), "*", SearchOption.AllDirectories)
        .Where(path => Path.GetFileName(path).StartsWith("values.db", StringComparison.Ordinal) == values)
        .Order()
        .Select(path =>
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return Encoding.Latin1.GetString(bytes);
        }));
}
