using Sallyport.Server.Pipeline.Providers;

namespace Sallyport.Tests.Authorization.Providers;

/// <summary>What a provider answers is as little to be trusted as what anybody else sends.</summary>
public class HostileProviderTests
{
    public static TheoryData<string> Everyone => [.. HostileAnswers.All.Keys];

    [Theory]
    [MemberData(nameof(Everyone))]
    public async Task A_hostile_answer_is_refused_with_its_reason_in_the_log_and_no_code(string name)
    {
        var hostile = HostileAnswers.All[name];
        await using var journey = await ProviderJourney.StartAsync(hostile.Admitted);
        hostile.Arrange(journey.Provider);

        var response = await journey.AskAsync();
        if (response.StatusCode == HttpStatusCode.Found)
            response = await journey.Browser.OpenAsync(journey.Provider.Authorize(response.Headers.Location!));

        var refused = journey.Gate.EventOf<UserRefused>(response);
        Assert.Equal((hostile.Reason, journey.Provider.Issuer), (refused.Reason, refused.Provider));
        Assert.True((int)response.StatusCode is >= 400 and < 500 or 502, $"{(int)response.StatusCode}");
        Assert.DoesNotContain("<script", await response.TextAsync());
        Assert.Empty(journey.Gate.Events<UserAuthenticated>());
        Assert.Empty(journey.Gate.Events<CodeIssued>());
        Assert.DoesNotContain("/elsewhere", journey.Provider.BackChannel);
    }

    [Fact]
    public async Task A_provider_that_does_not_answer_is_waited_for_ten_seconds()
    {
        await using var journey = await ProviderJourney.StartAsync();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        journey.Provider.Instead["/token"] = context =>
        {
            reached.TrySetResult();
            return context.LeftAsync();
        };
        var address = journey.Provider.Authorize((await journey.AskAsync()).Headers.Location!);

        var answer = journey.Browser.OpenAsync(address);
        await reached.Task.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);
        journey.Gate.Time.Advance(BackChannel.Patience);
        var response = await answer;

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal(Reason.ProviderUnreachable, journey.Gate.EventOf<UserRefused>(response).Reason);
    }

    [Fact]
    public async Task A_provider_that_is_not_there_gives_a_page_and_leaves_nothing_behind()
    {
        await using var journey = await ProviderJourney.StartAsync();
        await journey.Provider.DisposeAsync();

        var response = await journey.AskAsync();

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal(Reason.ProviderUnreachable, journey.Gate.EventOf<UserRefused>(response).Reason);
        Assert.Empty(journey.Gate.Events<ProviderAsked>());
    }

    [Fact]
    public async Task A_provider_that_was_away_is_asked_again()
    {
        await using var journey = await ProviderJourney.StartAsync();
        journey.Provider.Instead["/.well-known/openid-configuration"] = context =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        };
        Assert.Equal(HttpStatusCode.BadGateway, (await journey.AskAsync()).StatusCode);
        journey.Provider.Instead.Clear();

        var response = await journey.SignInAsync();

        Assert.Equal("/consent", response.RequestMessage!.RequestUri!.AbsolutePath);
    }

    [Fact]
    public async Task A_state_is_good_once_even_where_the_sign_in_came_to_nothing()
    {
        await using var journey = await ProviderJourney.StartAsync();
        var address = journey.Provider.Authorize((await journey.AskAsync()).Headers.Location!);
        journey.Provider.Instead["/token"] = context =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        };
        await journey.Browser.OpenAsync(address);
        journey.Provider.Instead.Clear();
        var asked = journey.Provider.BackChannel.Count;

        var response = await journey.Browser.OpenAsync(address);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(Reason.ProviderStateUsed, journey.Gate.EventOf<UserRefused>(response).Reason);
        Assert.Equal(asked, journey.Provider.BackChannel.Count);
    }

    [Fact]
    public async Task A_state_presented_twelve_times_at_once_signs_in_once()
    {
        await using var journey = await ProviderJourney.StartAsync();
        var address = journey.Provider.Authorize((await journey.AskAsync()).Headers.Location!);

        await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => journey.Browser.SendAsync(address)));

        Assert.Single(journey.Gate.Events<ProviderAnswered>());
        Assert.Single(journey.Gate.Events<UserAuthenticated>());
        Assert.All(journey.Gate.Events<UserRefused>(), refused => Assert.Equal(Reason.ProviderStateUsed, refused.Reason));
        Assert.Single(journey.Provider.BackChannel, path => path == "/token");
    }

    [Fact]
    public async Task A_state_of_another_browser_is_refused_and_stays_good_for_its_own()
    {
        await using var journey = await ProviderJourney.StartAsync();
        var address = journey.Provider.Authorize((await journey.AskAsync()).Headers.Location!);
        var victim = new TestBrowser(journey.Gate);
        await journey.AskAsync(victim);

        var response = await victim.OpenAsync(address);

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal(Reason.ProviderBrowserForeign, journey.Gate.EventOf<UserRefused>(response).Reason);
        Assert.Empty(journey.Gate.Events<UserAuthenticated>());
        Assert.Empty(journey.Gate.Events<ProviderAnswered>());
        Assert.Equal("/consent", (await journey.Browser.OpenAsync(address)).RequestMessage!.RequestUri!.AbsolutePath);
    }

    [Fact]
    public async Task A_state_ends_with_its_transaction()
    {
        await using var journey = await ProviderJourney.StartAsync();
        var address = journey.Provider.Authorize((await journey.AskAsync()).Headers.Location!);
        journey.Gate.Time.Advance(TimeSpan.FromMinutes(10.1));

        var response = await journey.Browser.OpenAsync(address);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(Reason.ProviderStateExpired, journey.Gate.EventOf<UserRefused>(response).Reason);
    }

    [Fact]
    public async Task An_answer_of_one_provider_at_the_address_of_another_is_refused()
    {
        await using var other = await ScriptedProvider.StartAsync();
        await using var journey = await ProviderJourney.StartAsync(settings: s => s.Providers = [.. s.Providers, $"{other.Issuer} another name=other everyone"]);
        var address = journey.Provider.Authorize((await journey.AskAsync()).Headers.Location!);

        var response = await journey.Browser.OpenAsync(address.Replace("/oauth/callback?", "/oauth/callback/other?", StringComparison.Ordinal));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var refused = journey.Gate.EventOf<UserRefused>(response);
        Assert.Equal((Reason.ProviderStateOfAnother, other.Issuer), (refused.Reason, refused.Provider));
        Assert.Empty(other.BackChannel);
    }

    [Fact]
    public async Task An_answer_by_a_form_is_not_taken()
    {
        await using var journey = await ProviderJourney.StartAsync();
        var address = journey.Provider.Authorize((await journey.AskAsync()).Headers.Location!);

        var response = await journey.Browser.PostAsync("/oauth/callback", new() { ["state"] = new Uri("http://x" + address).Query("state")!, ["code"] = ScriptedProvider.Code });

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal(Reason.MethodNotAllowed, journey.Gate.EventOf<AccessRefused>(response).Reason);
    }

    [Fact]
    public async Task A_user_who_denies_at_the_provider_is_a_denial_to_the_client()
    {
        await using var journey = await ProviderJourney.StartAsync();
        journey.Provider.Return = parameters => (parameters["error"], _) = ("access_denied", parameters.Remove("code"));

        var response = await journey.SignInAsync();

        var redirect = response.Headers.Location!;
        Assert.Equal(TestClient.RedirectUri, redirect.GetLeftPart(UriPartial.Path));
        Assert.Equal(("access_denied", "the state"), (redirect.Query("error"), redirect.Query("state")));
        Assert.Equal(Reason.ProviderDenied, journey.Gate.EventOf<UserRefused>(response).Reason);
    }
}
