using Sallyport.Server.Operation;

namespace Sallyport.Tests.Operation;

/// <summary>What an operator does to users, clients and tokens is in force when it returns, and an event.</summary>
public class OperatorActsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<OperatorAct> WhatEndsTokens => [OperatorAct.UserDisabled, OperatorAct.UserRemoved, OperatorAct.ClientRevoked, OperatorAct.ClientDisabled, OperatorAct.TokenRevoked];

    [Theory]
    [MemberData(nameof(WhatEndsTokens))]
    public async Task It_ends_tokens_at_once_and_their_open_streams(OperatorAct act)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        var stream = await gate.GetWithTokenAsync("/sse", tokens.AccessToken);
        Assert.True(await DoAsync(gate, act, client));

        Assert.Equal(Reason.TokenRevoked, gate.EventOf<AccessRefused>(await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).Reason);
        // No clock moves here: it ends by itself.
        await stream.TextAsync();
        Assert.False((await client.RefreshAsync(tokens.RefreshToken!)).IsSuccessStatusCode);
        Assert.Equal(act, gate.Events<OperatorActed>()[^1].Act);
        Assert.Equal(Reason.RevokedByOperator, Assert.Single(gate.Events<TokenRevoked>()).Reason);
        Assert.Empty((await gate.Services.GetRequiredService<GrantActs>().ListAsync(null, null, Cancellation))!);
    }

    [Theory]
    [InlineData(OperatorAct.UserDisabled, "invalid_grant", Reason.GrantRevoked)]
    [InlineData(OperatorAct.UserRemoved, "invalid_grant", Reason.GrantRevoked)]
    [InlineData(OperatorAct.ClientRevoked, "invalid_client", Reason.ClientUnknown)]
    [InlineData(OperatorAct.ClientDisabled, "unauthorized_client", Reason.ClientDisabled)]
    [InlineData(OperatorAct.TokenRevoked, "invalid_grant", Reason.GrantRevoked)]
    public async Task CODE_09_a_code_is_void_once_its_user_client_or_grant_is(OperatorAct act, string error, Reason reason)
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var code = await client.CodeAsync();

        Assert.True(await DoAsync(gate, act, client));
        var response = await client.ExchangeAsync(code);

        Assert.Equal(error, await response.ErrorAsync());
        Assert.Equal(reason, gate.EventOf<TokenRefused>(response).Reason);
        Assert.Empty(gate.Events<TokenIssued>());
    }

    [Fact]
    public async Task A_disabled_user_cannot_sign_in_nor_go_on_and_an_enabled_one_can_sign_in_anew()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.AuthorizeAsync(client.AuthorizeUrl());
        var users = gate.Services.GetRequiredService<UserActs>();

        await users.DisableAsync(TestGate.UserName, Cancellation);
        await browser.OpenAsync(client.AuthorizeUrl());
        Assert.Equal("/signin", browser.Response.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password))).StatusCode);
        Assert.NotNull(Assert.Single(await users.ListAsync(Cancellation)).DisabledAt);

        await users.EnableAsync(TestGate.UserName, Cancellation);
        gate.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.NotNull((await browser.AuthorizeAsync(client.AuthorizeUrl())).Query("code"));
    }

    [Fact]
    public async Task A_disabled_client_stays_out_however_often_it_registers_and_an_enabled_one_is_let_in_anew()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate, name: "Notes");
        var clients = gate.Services.GetRequiredService<ClientActs>();
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl());
        var formBefore = browser.Response.RequestMessage!.RequestUri!.AbsolutePath;

        Assert.True(await clients.DisableAsync(client.Id, Cancellation));
        // Who was at the sign-in page already gets no further than consent.
        await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password));
        Assert.Equal(("/signin", HttpStatusCode.BadRequest), (formBefore, browser.Response.StatusCode));
        gate.Time.Advance(TimeSpan.FromDays(2));
        var again = await TestClient.RegisterAsync(gate, name: "Notes");
        Assert.Equal(client.Id, again.Id);
        await browser.OpenAsync(again.AuthorizeUrl());
        Assert.Equal(HttpStatusCode.BadRequest, browser.Response.StatusCode);
        Assert.Contains("The operator of this server has disabled this client.", await browser.Response.TextAsync(), StringComparison.Ordinal);
        Assert.All(gate.Events<AuthorizationRefused>(), refused => Assert.Equal((Reason.ClientDisabled, client.Id), (refused.Reason, refused.Client)));
        Assert.Empty(gate.Events<CodeIssued>());

        Assert.True(await clients.EnableAsync(client.Id, Cancellation));
        Assert.NotNull((await browser.AuthorizeAsync(client.AuthorizeUrl())).Query("code"));
        Assert.Equal([OperatorAct.ClientDisabled, OperatorAct.ClientEnabled], gate.Events<OperatorActed>().Where(acted => acted.Target == client.Id).Select(acted => acted.Act));
    }

    [Fact]
    public async Task A_disabled_resource_server_may_not_ask_about_tokens()
    {
        await using var gate = await TestGate.StartAsync();
        var clients = gate.Services.GetRequiredService<ClientActs>();
        var (id, secret, _, _) = await clients.AddAsync(new("a server", [], IsPublic: false), Cancellation);
        Task<HttpResponseMessage> AskAsync(string with) => gate.PostFormAsync("/introspect", ("client_id", id!), ("client_secret", with), ("token", "sp_at_none"));
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(secret!)).StatusCode);

        await clients.DisableAsync(id!, Cancellation);

        Assert.Equal("unauthorized_client", await (await AskAsync(secret!)).ErrorAsync());
        // Whoever has not its secret does not learn of it.
        Assert.Equal("invalid_client", await (await AskAsync("another")).ErrorAsync());
    }

    [Fact]
    public async Task A_new_password_is_the_only_one_and_ends_the_sign_ins_before()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);
        await browser.AuthorizeAsync(client.AuthorizeUrl());
        var users = gate.Services.GetRequiredService<UserActs>();

        Assert.Equal(Reason.PasswordUnsuitable, (await users.SetPasswordAsync(TestGate.UserName, "short", Cancellation)).Fault);
        Assert.NotNull((await users.SetPasswordAsync(TestGate.UserName, "another good password", Cancellation)).Subject);

        await browser.OpenAsync(client.AuthorizeUrl());
        Assert.Equal("/signin", browser.Response.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password))).StatusCode);
        await browser.OpenAsync(client.AuthorizeUrl());
        gate.Time.Advance(TimeSpan.FromSeconds(1));
        await browser.SubmitAsync(("username", TestGate.UserName), ("password", "another good password"));
        Assert.Equal("/consent", browser.Response.RequestMessage!.RequestUri!.AbsolutePath);
    }

    [Fact]
    public async Task R6_a_client_that_cannot_register_is_added_with_its_callbacks()
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => { settings.Registration = false; settings.Clients = ["claude"]; } });
        var clients = gate.Services.GetRequiredService<ClientActs>();

        var (id, secret, _, _) = await clients.AddAsync(new("n8n", [TestClient.RedirectUri], IsPublic: false), Cancellation);
        var refused = await clients.AddAsync(new("bad", ["javascript:alert(1)"], IsPublic: true), Cancellation);

        var client = TestClient.Of(gate, System.Text.Json.JsonSerializer.SerializeToElement(new { client_id = id, client_secret = secret }));
        Assert.NotEmpty((await client.TokensAsync()).AccessToken);
        Assert.Equal(Reason.RedirectForbiddenScheme, refused.Fault);
        Assert.Equal(id, Assert.Single(await clients.ListAsync(Cancellation)).Id);
        Assert.Equal(OperatorAct.ClientAdded, gate.Events<OperatorActed>()[^1].Act);
    }

    [Fact]
    public async Task What_there_is_none_of_is_said_and_nothing_recorded()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var (users, clients, grants) = (gate.Services.GetRequiredService<UserActs>(), gate.Services.GetRequiredService<ClientActs>(), gate.Services.GetRequiredService<GrantActs>());

        Assert.Null(await users.DisableAsync("nobody", Cancellation));
        Assert.False(await clients.RevokeAsync("none", Cancellation));
        Assert.False(await clients.DisableAsync("none", Cancellation));
        Assert.False(await clients.EnableAsync("none", Cancellation));
        Assert.Null(await users.EnableAsync("nobody", Cancellation));
        Assert.False(await grants.RevokeAsync("none", Cancellation));
        Assert.Null(await grants.RevokeAllAsync("nobody", null, Cancellation));
        Assert.Null(await grants.RevokeAllAsync(null, "none", Cancellation));
        Assert.Null(await grants.RevokeAllAsync(null, null, Cancellation));
        Assert.Empty(gate.Events<OperatorActed>());
    }

    private static async Task<bool> DoAsync(TestGate gate, OperatorAct act, TestClient client)
    {
        var (users, clients, grants) = (gate.Services.GetRequiredService<UserActs>(), gate.Services.GetRequiredService<ClientActs>(), gate.Services.GetRequiredService<GrantActs>());
        return act switch
        {
            OperatorAct.UserDisabled => await users.DisableAsync(TestGate.UserName, Cancellation) is not null,
            OperatorAct.UserRemoved => await users.RemoveAsync(TestGate.UserName, Cancellation) is not null,
            OperatorAct.ClientRevoked => await clients.RevokeAsync(client.Id, Cancellation),
            OperatorAct.ClientDisabled => await clients.DisableAsync(client.Id, Cancellation),
            _ => await grants.RevokeAsync(Assert.Single((await grants.ListAsync(null, null, Cancellation))!).Id, Cancellation),
        };
    }
}
