using Sallyport.Server.Authorization.Enrol;

namespace Sallyport.Tests.Authorization;

public class EnrolmentTests
{
    [Fact]
    public async Task The_link_makes_one_owner_who_can_then_sign_in()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var link = gate.Services.GetRequiredService<OwnerLink>().New();
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(link);

        var enrolled = await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password));

        Assert.Equal(HttpStatusCode.OK, enrolled.StatusCode);
        Assert.Equal(OperatorAct.OwnerEnrolled, gate.Events<OperatorActed>().Single().Act);
        var again = await new TestBrowser(gate).OpenAsync(link);
        Assert.Equal(HttpStatusCode.Forbidden, again.StatusCode);
        Assert.Equal(Reason.EnrolmentInvalid, gate.EventOf<UserRefused>(again).Reason);
        var client = await TestClient.RegisterAsync(gate);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync((await client.TokensAsync()).AccessToken, Messages.Initialize)).StatusCode);
    }

    [Fact]
    public async Task Two_browsers_with_the_link_make_one_owner()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var link = gate.Services.GetRequiredService<OwnerLink>().New();
        var browsers = Enumerable.Range(0, 4).Select(_ => new TestBrowser(gate)).ToList();
        foreach (var browser in browsers)
            await browser.OpenAsync(link);

        var responses = await Task.WhenAll(browsers.Select((browser, i) => browser.SubmitAsync(("username", $"owner{i}"), ("password", TestGate.Password))));

        Assert.Single(responses, response => response.StatusCode == HttpStatusCode.OK);
        Assert.Single(gate.Events<OperatorActed>());
    }

    [Fact]
    public async Task A_made_up_link_and_one_beside_a_user_are_refused()
    {
        await using var gate = await TestGate.StartAsync();
        var link = gate.Services.GetRequiredService<OwnerLink>().New();

        foreach (var url in new[] { link, link[..^2] + "AA", "/enrol" })
            Assert.Equal(HttpStatusCode.Forbidden, (await new TestBrowser(gate).OpenAsync(url)).StatusCode);
    }

    [Theory]
    [InlineData("owner", "1234567", "A password has 8 to 256 characters.")]
    [InlineData("an owner", "long enough", "A user name has 1 to 64 letters")]
    public async Task An_unsuitable_name_or_password_is_told_and_the_link_stays_good(string name, string password, string told)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var browser = new TestBrowser(gate);
        await browser.OpenAsync(gate.Services.GetRequiredService<OwnerLink>().New());

        var refused = await browser.SubmitAsync(("username", name), ("password", password));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains(told, await refused.TextAsync());

        Assert.Equal(HttpStatusCode.OK, (await browser.SubmitAsync(("username", "owner"), ("password", "long enough"))).StatusCode);
    }
}
