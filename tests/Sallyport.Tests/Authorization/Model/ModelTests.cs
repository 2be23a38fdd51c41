using System.Net.Http.Headers;
using Sallyport.Server.Audit;
using Sallyport.Server.Storage;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Authorization.Model;

/// <summary>The server does what its model does, whatever is done to it in whatever order.</summary>
public sealed class ModelTests
{
    private static readonly int s_steps = Environment.GetEnvironmentVariable("SALLYPORT_SOAK") == "1" ? 1_000_000 : 20_000;

    [Fact]
    public async Task The_server_agrees_with_its_model_over_random_steps()
    {
        var dice = Dice.New();
        await using var gate = await TestGate.StartAsync(new() { Logged = Microsoft.Extensions.Logging.LogLevel.Warning });
        var walk = new Walk(gate, dice);
        await walk.BeginAsync();
        for (var step = 0; step < s_steps; step++)
        {
            try
            {
                await walk.StepAsync();
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"Step {step} of SALLYPORT_SEED={dice.Seed}: {exception.Message}", exception);
            }
        }

        Assert.DoesNotContain(gate.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal) || line.StartsWith("Critical", StringComparison.Ordinal));
        Assert.True(walk.Reasons.Count >= 14, $"The walk has been nowhere but at {string.Join(", ", walk.Reasons)}");
    }

    /// <summary>A server and its model, side by side.</summary>
    private sealed class Walk(TestGate gate, Dice dice)
    {
        private const int Clients = 4;

        /// <summary>So many of a kind are chosen from, the newest.</summary>
        private const int Kept = 40;

        private static readonly string?[] s_scopes = [null, "mcp", "mcp offline_access", "offline_access", "nonsense mcp", "nonsense", "mcp\""];

        private readonly JournalFollower _log = new(Path.Combine(gate.Data, "log"), 0);
        private readonly TestBrowser _browser = new(gate);
        private readonly List<TestClient> _clients = [];
        private readonly List<(string Code, TestClient Client, ModelGrant Model)> _codes = [];
        private readonly List<(string Token, ModelAccessToken Model)> _access = [];
        private readonly List<(string Token, ModelRefreshToken Model, Tokens? Successor)> _refresh = [];

        public HashSet<Reason> Reasons { get; } = [];

        private DateTimeOffset Now => gate.Time.GetUtcNow();

        public async Task BeginAsync()
        {
            // Each is allowed something: what nobody has used for a day goes.
            for (var i = 0; i < Clients; i++)
            {
                _clients.Add(await TestClient.RegisterAsync(gate));
                await AuthorizeAsync(_clients[^1]);
                await RedeemAsync(_codes[^1], _clients[^1], hasVerifier: true, hasRedirect: true);
            }
        }

        public async Task StepAsync()
        {
            switch (dice.Below(100))
            {
                case < 6:
                    await AuthorizeAsync(dice.Of(_clients));
                    break;
                case < 22:
                    var code = dice.Below(3) > 0 ? _codes[^1] : dice.Of(_codes);
                    await RedeemAsync(code, Mostly(code.Client), dice.Below(12) > 0, dice.Below(12) > 0);
                    break;
                case < 52:
                    await RefreshAsync(dice.Below(2) == 0 ? _refresh.Count - 1 : dice.Below(_refresh.Count));
                    break;
                case < 82:
                    await UseAsync(dice.Of(_access));
                    break;
                case < 86:
                    await RevokeAsync();
                    break;
                default:
                    await LeapAsync(dice.Below(1_000) switch
                    {
                        < 600 => TimeSpan.FromMilliseconds(1 + dice.Below(20_000)),
                        < 900 => TimeSpan.FromMilliseconds(1 + dice.Below(120_000)),
                        < 995 => TimeSpan.FromMilliseconds(1 + dice.Below(4_000_000)),
                        _ => TimeSpan.FromDays(1 + dice.Below(40)),
                    });
                    break;
            }
        }

        /// <summary>Between the gate's own changes, and not in one: an event that is stamped before and written behind those of hours later would look like another process's.</summary>
        private async Task LeapAsync(TimeSpan by)
        {
            using var turn = await gate.Services.GetRequiredService<AuditLog>().TakeStateTurnAsync(TestContext.Current.CancellationToken);
            // What was committed last may still wait for its sync.
            await gate.Services.GetRequiredService<StateSequencer>().DrainAsync();
            gate.Time.Advance(by);
        }

        private TestClient Mostly(TestClient own) => dice.Below(10) > 0 ? own : dice.Of(_clients);

        private TestClient OwnerOf(ModelGrant grant) => _clients.Single(client => client.Id == grant.Client);

        private async Task AuthorizeAsync(TestClient client)
        {
            string?[] scopes = [null, "mcp", "mcp offline_access", "offline_access", "nonsense"];
            var scope = dice.Of(scopes);
            var redirect = await _browser.AuthorizeAsync(client.AuthorizeUrl(("scope", scope)));
            string[] granted = scope?.Contains("offline_access", StringComparison.Ordinal) == true ? ["mcp", "offline_access"] : ["mcp"];
            Keep(_codes, (redirect.Query("code")!, client, new(client.Id, granted, Now)));
        }

        private async Task RedeemAsync((string Code, TestClient Client, ModelGrant Model) code, TestClient by, bool hasVerifier, bool hasRedirect)
        {
            var expected = ServerModel.Redeem(code.Model, by.Id, hasVerifier, hasRedirect, Now);
            var response = await by.ExchangeAsync(code.Code,
                ("code_verifier", hasVerifier ? code.Client.Verifier : by.Verifier[..^1] + "~"), ("redirect_uri", hasRedirect ? TestClient.RedirectUri : "https://evil.example/cb"));

            await AgreeAsync<TokenRefused>(expected, response, refused => refused.Reason);
            if (expected is null)
                await KeepTokensAsync(response, code.Model, code.Model.Scopes);
        }

        private async Task RefreshAsync(int which)
        {
            var (token, model, successor) = _refresh[which];
            var by = Mostly(OwnerOf(model.Grant));
            var scope = dice.Below(2) == 0 ? null : dice.Of(s_scopes);
            string[]? asked = scope?.Contains('"') == true ? null : [.. new[] { "mcp", "offline_access" }.Where(known => scope?.Split(' ').Contains(known) == true)];

            var expected = ServerModel.Refresh(model, by.Id, asked, Now, out var repeats);
            var response = await by.RefreshAsync(token, ("scope", scope));

            await AgreeAsync<TokenRefused>(expected, response, refused => refused.Reason);
            if (repeats)
            {
                Assert.Equal(successor, await TestClient.ReadAsync(response));
            }
            else if (expected is null)
            {
                var tokens = await KeepTokensAsync(response, model.Grant, asked is { Length: > 0 } ? asked : model.Grant.Scopes, keep: token);
                _refresh[_refresh.FindIndex(kept => kept.Token == token)] = (token, model, tokens);
            }
        }

        private async Task UseAsync((string Token, ModelAccessToken Model) access)
        {
            // What lacks its session is refused for that, not for its token.
            var expected = ServerModel.Use(access.Model, Now) ?? Reason.SessionMissing;
            var request = new HttpRequestMessage(HttpMethod.Delete, "/mcp") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", access.Token) } };
            using var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

            await AgreeAsync<AccessRefused>(expected, response, refused => refused.Reason);
        }

        private async Task RevokeAsync()
        {
            if (dice.Below(2) == 0)
            {
                var (token, model) = dice.Of(_access);
                var by = Mostly(OwnerOf(model.Grant));
                ServerModel.Revoke(model, by.Id);
                Assert.Equal(HttpStatusCode.OK, (await by.RevokeAsync(token)).StatusCode);
            }
            else
            {
                var (token, model, _) = dice.Of(_refresh);
                var by = Mostly(OwnerOf(model.Grant));
                ServerModel.Revoke(model, by.Id);
                Assert.Equal(HttpStatusCode.OK, (await by.RevokeAsync(token)).StatusCode);
            }
        }

        /// <summary>Refused for the expected reason, in the event that the answer names; or not refused.</summary>
        private async Task AgreeAsync<T>(Reason? expected, HttpResponseMessage response, Func<T, Reason> reasonOf) where T : AuditEvent
        {
            var events = _log.ReadNew();
            var named = response.Headers.GetValues("Sallyport-Event").Single();
            var reason = events.Select(leaf => leaf.Event).Single(e => e.Id == named) is T refused ? reasonOf(refused) : (Reason?)null;
            Assert.True(expected == reason, $"{expected?.Word() ?? "tokens"} was expected, and not {reason?.Word() ?? "tokens"}: {await response.TextAsync()}");
            if (reason is { } told)
                Reasons.Add(told);
        }

        private async Task<Tokens> KeepTokensAsync(HttpResponseMessage response, ModelGrant grant, IReadOnlyList<string> scopes, string? keep = null)
        {
            Assert.Equal(string.Join(' ', scopes), (await response.JsonAsync()).GetProperty("scope").GetString());
            var tokens = await TestClient.ReadAsync(response);
            Keep(_access, (tokens.AccessToken, new(grant, scopes, Now)));
            if (_refresh.Count >= Kept)
                _refresh.RemoveAt(_refresh[0].Token == keep ? 1 : 0);
            _refresh.Add((tokens.RefreshToken!, new(grant, Now), null));
            return tokens;
        }

        private static void Keep<T>(List<T> list, T item)
        {
            if (list.Count >= Kept)
                list.RemoveAt(0);
            list.Add(item);
        }
    }
}
