namespace Sallyport.Tests.Telemetry;

/// <summary>Secrets in their places and out of them.</summary>
internal static class SecretTraffic
{
    private const string State = "canary-state-0123456789";

    /// <summary>All that may stand nowhere.</summary>
    public static async Task<IReadOnlyList<string>> RunAsync(TestGate gate)
    {
        var client = await TestClient.RegisterAsync(gate, "client_secret_post");
        var code = await client.CodeAsync(TestGate.UserName, ("state", State));
        var tokens = await TestClient.ReadAsync(await client.ExchangeAsync(code));
        var refreshed = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));
        var token = refreshed.AccessToken;
        using var initialized = await gate.PostMcpAsync(token, Messages.Initialize);
        var session = initialized.Headers.GetValues("Mcp-Session-Id").Single();
        using var called = await gate.PostMcpAsync(token, Messages.Call(1, "echo", new { message = "canary-argument" }), session: session);
        Assert.Contains("canary-argument", await called.TextAsync());
        using var resource = await gate.PostMcpAsync(token, """{"jsonrpc":"2.0","id":"canary-id","method":"resources/read","params":{"uri":"https://canary-user:canary-password@a.example/?key=canary-key","_meta":{"tracestate":"v=canary-tracestate","baggage":"v=canary-baggage"}}}""", session: session);
        await resource.TextAsync();
        using var misnamed = await gate.PostMcpAsync(token, Messages.Call(2, token), session: session);
        await misnamed.TextAsync();
        foreach (var path in (string[])[
            $"/mcp?access_token={token}", $"/enrol?token=canary-enrolment", $"/{token}", $"/oauth/callback?code=canary-code&state=canary-callback-state", $"/messages/?session_id={session}",
            $"/authorize?client_id={client.Id}&state=canary-other-state", $"/register/{token}"])
        {
            var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Add("Cookie", "a=canary-cookie");
            request.Headers.Add("User-Agent", "canary-agent/1");
            request.Headers.Add("tracestate", "v=canary-header-tracestate");
            request.Headers.Add("baggage", "v=canary-header-baggage");
            using var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);
        }
        using var forged = await gate.PostMcpAsync("canary-token", Messages.Initialize);
        using var stream = await gate.GetWithTokenAsync("/sse", token);
        await using var body = await stream.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        await body.ReadExactlyAsync(new byte[1], TestContext.Current.CancellationToken);
        return
        [
            TestGate.Password, TestGate.UserName, State, code, client.Verifier, client.Secret!, tokens.AccessToken, tokens.RefreshToken!, token, refreshed.RefreshToken!, session,
            // Wherever they stood.
            "canary-", InMemoryListener.Peer.ToString(),
        ];
    }
}
