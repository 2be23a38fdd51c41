namespace Sallyport.Tests.Audit;

/// <summary>
/// The machine's clock jumps (DOS-14, AUD-17). Tokens and codes end at the wall time that they were given; what is measured runs on
/// as if nothing had happened; and the order of the log is its numbers', whatever the times say.
/// </summary>
public class ClockTests
{
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task DOS_14_When_the_clock_jumps_ahead_what_ends_by_then_has_ended_and_refresh_goes_on()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        var code = await client.CodeAsync();
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);

        gate.Time.Jump(s_hour);

        var refused = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        Assert.Equal(Reason.TokenExpired, gate.EventOf<AccessRefused>(refused).Reason);
        Assert.Equal("invalid_grant", await (await client.ExchangeAsync(code)).ErrorAsync());
        var refreshed = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(refreshed.AccessToken, Messages.Initialize)).StatusCode);
        // Its hour is a whole one, from the new time on.
        gate.Time.Jump(s_hour - s_second);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(refreshed.AccessToken, Messages.Initialize)).StatusCode);
        gate.Time.Jump(s_second);
        Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(refreshed.AccessToken, Messages.Initialize)).StatusCode);
    }

    /// <summary>A clock that goes back lengthens a token's life by what it went back, and by no more.</summary>
    [Fact]
    public async Task DOS_14_When_the_clock_goes_back_a_token_lives_that_much_longer_and_then_ends()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        gate.Time.Jump(-s_hour);

        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        gate.Time.Advance((2 * s_hour) - s_second);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        gate.Time.Advance(s_second);
        Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
    }

    /// <summary>Expiry is not remembered: it is what the clock says now. What ended for another reason stays ended.</summary>
    [Fact]
    public async Task DOS_14_A_token_refused_as_expired_is_good_again_when_the_clock_goes_back_and_a_revoked_one_is_not()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        var revoked = await client.TokensAsync();
        await client.RevokeAsync(revoked.AccessToken);

        gate.Time.Jump(s_hour);
        Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        gate.Time.Jump(-s_hour);

        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await gate.PostMcpAsync(revoked.AccessToken, Messages.Initialize)).StatusCode);
    }

    [Fact]
    public async Task DOS_14_When_the_clock_goes_back_a_used_code_and_a_used_refresh_token_stay_used()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var code = await client.CodeAsync();
        var tokens = await TestClient.ReadAsync(await client.ExchangeAsync(code));
        var refreshed = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));

        gate.Time.Jump(-s_hour);

        // The window of grace was measured by the clock too; within it there is the same answer, and no other.
        Assert.Equal(refreshed, await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!)));
        Assert.Equal("invalid_grant", await (await client.ExchangeAsync(code)).ErrorAsync());
        Assert.Equal("invalid_grant", await (await client.RefreshAsync(refreshed.RefreshToken!)).ErrorAsync());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task AUD_17_The_log_goes_on_in_order_over_a_jump_and_its_monotonic_time_does_not_jump(int hours)
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
        {
            var client = await TestClient.RegisterAsync(gate);
            var before = Assert.Single(gate.Events<ClientRegistered>());
            gate.Time.Advance(s_second);

            gate.Time.Jump(hours * s_hour);
            gate.Time.Advance(s_second);
            await client.CodeAsync();

            // What the gate did by itself in the first second came before the jump.
            var after = gate.Events().Where(e => e.Elapsed > before.Elapsed + 1_000).ToList();
            Assert.NotEmpty(after);
            Assert.All(after, e => Assert.Equal(before.Time + (hours * s_hour) + (2 * s_second), e.Time));
            Assert.All(after, e => Assert.Equal(before.Elapsed + 2_000, e.Elapsed));
        }

        // And so it does over a restart.
        await using var next = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);
        Assert.True(next.Events<Started>().Last().AfterCleanStop);
    }
}
