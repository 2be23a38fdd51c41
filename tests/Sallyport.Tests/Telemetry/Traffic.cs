using Sallyport.Server.Audit;

namespace Sallyport.Tests.Telemetry;

/// <summary>Something of everything that a gate is there for.</summary>
internal static class GateTraffic
{
    /// <summary>A client that has come to its token, beside one that presented its code twice.</summary>
    public static async Task<TestClient> RunOAuthAsync(TestGate gate)
    {
        var client = await TestClient.RegisterAsync(gate);
        var code = await client.CodeAsync();
        await TestClient.ReadAsync(await client.ExchangeAsync(code));
        using var again = await client.ExchangeAsync(code);
        Assert.Equal(HttpStatusCode.BadRequest, again.StatusCode);
        return await TestClient.RegisterAsync(gate);
    }

    /// <summary>An access token of who caused it.</summary>
    public static async Task<string> RunAsync(TestGate gate)
    {
        var client = await RunOAuthAsync(gate);
        var tokens = await client.TokensAsync();
        tokens = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));
        using var initialized = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        var session = initialized.Headers.GetValues("Mcp-Session-Id").Single();
        using var notified = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialized, session: session);
        using var called = await gate.PostMcpAsync(tokens.AccessToken, Messages.Call(1, "echo", new { message = "hello" }), session: session);
        await called.TextAsync();
        using var missing = await gate.PostMcpAsync(tokens.AccessToken, """{"jsonrpc":"2.0","id":2,"method":"no/such-method"}""", session: session);
        await missing.TextAsync();
        using var without = await gate.PostMcpAsync(null, Messages.Initialize);
        using var stranger = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialized, session: "0123456789abcdef");
        using var page = await new TestBrowser(gate).OpenAsync(client.AuthorizeUrl());
        await BeatAsync(gate);
        await gate.Services.GetRequiredService<Sealer>().SealAsync(TestContext.Current.CancellationToken);
        return tokens.AccessToken;
    }

    /// <summary>A round of heartbeats that the test says the outcome of.</summary>
    public static async Task BeatAsync(TestGate gate) =>
        await gate.Services.GetRequiredService<AuditLog>().AppendAsync(new HeartbeatAnswered
        {
            Id = AuditLog.NewId(),
            Audience = gate.Configuration.Default.Audience,
            Interval = 300,
            Ways = ["GET /mcp", "POST /mcp"],
            Answers = [new(HeartbeatClass.None, ByGate: true, 401, Reason.TokenMissing), new(HeartbeatClass.Forged, ByGate: false)],
        });
}
