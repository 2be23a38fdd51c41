using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Web;
using Microsoft.Playwright;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>A gate with a user, and a browser.</summary>
public sealed class GateAndBrowser : IAsyncLifetime
{
    internal const string UserName = "alice";
    internal const string Password = "correct horse battery staple";

    internal DataFolder Data { get; } = new();
    internal GateProcess Gate { get; private set; } = null!;
    internal Chromium Chromium { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await Executable.AddUserAsync(Data, UserName, Password);
        Gate = await GateProcess.StartAsync(Data);
        Chromium = await Chromium.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Chromium.DisposeAsync();
        Assert.Empty(Chromium.TakeViolations());
        await Gate.DisposeAsync();
        Data.Dispose();
    }
}

/// <summary>The pages in a real browser, without JavaScript unless a test says otherwise. What their policy blocks fails the test.</summary>
public sealed partial class BrowserTests(GateAndBrowser both) : IClassFixture<GateAndBrowser>, IDisposable
{
    private const string UserName = GateAndBrowser.UserName;
    private const string Password = GateAndBrowser.Password;
    private const string Notes = "Example notes";
    private const string OnTheWeb = "https://client.example/callback";
    private const string Editor = "cursor://anysphere.cursor-mcp/oauth/callback";
    private const string OnThisComputer = "http://127.0.0.1:33418/";

    private readonly DataFolder _data = both.Data;
    private readonly GateProcess _gate = both.Gate;
    private readonly Chromium _chromium = both.Chromium;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Assert.Empty(_chromium.TakeViolations());

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Somebody_signs_in_allows_and_arrives_at_the_client_with_or_without_JavaScript(bool script)
    {
        var page = await _chromium.OpenAsync(script: script);

        await SignInAsync(page, await AuthorizationUrlAsync(OnTheWeb));
        await page.GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        await ArrivedAsync(page, AnswerAtTheWeb());

        var answer = HttpUtility.ParseQueryString(new Uri(page.Url).Query);
        Assert.StartsWith("sp_code_", answer["code"], StringComparison.Ordinal);
        Assert.Equal((State, _gate.Origin), (answer["state"], answer["iss"]));
        Assert.Equal("arrived", await page.TextContentAsync("body"));
    }

    [Fact]
    public async Task Somebody_who_denies_arrives_at_the_client_with_a_denial()
    {
        var page = await _chromium.OpenAsync();

        await SignInAsync(page, await AuthorizationUrlAsync(OnTheWeb));
        await page.GetByRole(AriaRole.Button, new() { Name = "Deny" }).ClickAsync();
        await ArrivedAsync(page, AnswerAtTheWeb());

        Assert.Equal("access_denied", HttpUtility.ParseQueryString(new Uri(page.Url).Query)["error"]);
    }

    [Fact]
    public async Task Somebody_who_ticks_the_box_is_not_asked_again_until_they_withdraw_it()
    {
        const string Name = "dora";
        await Executable.AddUserAsync(_data, Name, Password);
        var page = await _chromium.OpenAsync(Chromium.Phone);
        await SignInAsync(page, await AuthorizationUrlAsync(OnTheWeb), Name);
        var box = page.GetByLabel("Do not ask me again for this application");
        Assert.False(await box.IsCheckedAsync());

        await page.GetByText("Do not ask me again for this application").ClickAsync();
        Assert.True(await box.IsCheckedAsync());
        await page.GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        await ArrivedAsync(page, AnswerAtTheWeb());
        var first = page.Url;
        await page.GotoAsync(await AuthorizationUrlAsync(OnTheWeb));
        await ArrivedAsync(page, AnswerAtTheWeb());
        Assert.NotEqual(first, page.Url);

        await page.GotoAsync($"{_gate.Origin}/account");
        Assert.Contains("You are not asked again", await page.TextContentAsync("body"), StringComparison.Ordinal);
        await LookAsync(page, "account-remembered");
        await page.GetByRole(AriaRole.Button, new() { Name = "Withdraw access" }).ClickAsync();
        await page.GetByText("you have allowed none").WaitForAsync();
        await page.GotoAsync(await AuthorizationUrlAsync(OnTheWeb));
        await page.GetByRole(AriaRole.Button, new() { Name = "Allow" }).WaitForAsync();
    }

    [Fact]
    public async Task An_editor_s_own_scheme_and_a_client_that_redirects_on_are_reached_from_the_form()
    {
        var page = await _chromium.OpenAsync();
        await SignInAsync(page, await AuthorizationUrlAsync(Editor));
        var answered = page.WaitForResponseAsync(response => response.Request.Method == "POST" && response.Url.EndsWith("/consent", StringComparison.Ordinal));
        // No application is there to take it: the browser stays where it is, and its policy blocked nothing.
        await page.GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        Assert.StartsWith(Editor + "?code=", (await (await answered).AllHeadersAsync())["location"], StringComparison.Ordinal);

        // Chromium asks which application shall take it, above that tab, when it comes to it: no click reaches the tab any more.
        page = await page.Context.NewPageAsync();
        await page.GotoAsync(await AuthorizationUrlAsync("https://client.example/onward"));
        await page.GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        await ArrivedAsync(page, Elsewhere());
    }

    [Fact]
    public async Task Back_reload_and_a_second_tab_harm_nobody()
    {
        var before = (await _data.ReadLogAsync()).All<CodeIssued>().Count();
        var page = await _chromium.OpenAsync();
        await SignInAsync(page, await AuthorizationUrlAsync(OnTheWeb));
        var second = await page.Context.NewPageAsync();
        await second.GotoAsync(await AuthorizationUrlAsync(OnTheWeb));

        await page.ReloadAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        await ArrivedAsync(page, AnswerAtTheWeb());
        await page.GoBackAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        await second.GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        await ArrivedAsync(second, AnswerAtTheWeb());

        // The second click of the first tab gave no second code.
        Assert.Equal(before + 2, (await _data.ReadLogAsync()).All<CodeIssued>().Count());
    }

    [Fact]
    public async Task Somebody_sees_what_they_have_allowed_and_withdraws_it()
    {
        const string Name = "carol";
        await Executable.AddUserAsync(_data, Name, Password);
        var page = await _chromium.OpenAsync(Chromium.Phone);
        var url = await AuthorizationUrlAsync(OnTheWeb);
        await SignInAsync(page, url, Name);
        await page.GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        await ArrivedAsync(page, AnswerAtTheWeb());
        var token = await RedeemAsync(HttpUtility.ParseQueryString(new Uri(url).Query)["client_id"]!, HttpUtility.ParseQueryString(new Uri(page.Url).Query)["code"]!);
        using var other = await GateClient.RegisterAsync(_gate.Origin);
        Assert.True(await other.IsAcceptedAsync(token));

        await page.GotoAsync($"{_gate.Origin}/account");
        Assert.Contains(Notes, await page.TextContentAsync("body"), StringComparison.Ordinal);
        await LookAsync(page, "account");
        await page.GetByRole(AriaRole.Button, new() { Name = "Withdraw access" }).ClickAsync();
        await page.GetByText("you have allowed none").WaitForAsync();
        await LookAsync(page, "account-empty");

        Assert.False(await other.IsAcceptedAsync(token));
    }

    [Fact]
    public async Task Who_lets_no_site_keep_cookies_is_told_so()
    {
        using var profile = new DataFolder();
        var page = await _chromium.OpenWithoutCookiesAsync(profile.Path);

        await page.GotoAsync(await AuthorizationUrlAsync(OnTheWeb));
        await page.GetByLabel("User name").FillAsync(UserName);
        await page.GetByLabel("Password").FillAsync(Password);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();

        Assert.Contains("cookie", await page.TextContentAsync("body"), StringComparison.OrdinalIgnoreCase);
        await Chromium.KeepAsync(page, "cookies-blocked");
        await page.Context.CloseAsync();
    }

    [Fact]
    public async Task Somebody_signs_in_by_a_provider_and_allows()
    {
        using var data = new DataFolder();
        var port = Ports.Free();
        await using var provider = await OidcProvider.StartAsync($"{GateProcess.OriginOf(port)}/oauth/callback");
        await using var gate = await GateProcess.StartAsync(
            data, port, new Dictionary<string, string> { ["PROVIDER_SECRET"] = OidcProvider.ClientSecret }, "--providers", $"{provider.Issuer} {OidcProvider.ClientId} secret-env=PROVIDER_SECRET domains=corp.example title=Corp");
        var page = await _chromium.OpenAsync();

        await page.GotoAsync(await AuthorizationUrlAsync(OnTheWeb, gate.Origin));
        await Chromium.KeepAsync(page, "sign-in-by-provider");
        await page.GetByRole(AriaRole.Button, new() { NameRegex = SignInWith() }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Allow" }).ClickAsync();
        await ArrivedAsync(page, AnswerAtTheWeb());

        Assert.StartsWith("sp_code_", HttpUtility.ParseQueryString(new Uri(page.Url).Query)["code"], StringComparison.Ordinal);
    }

    /// <summary>What a reader who cannot see the page, or sees it small, has of it; the pictures are for people to look at.</summary>
    [Fact]
    public async Task Every_page_fits_a_narrow_window_and_names_its_fields_in_light_and_dark()
    {
        foreach (var (size, width) in new[] { (Chromium.Phone, "375"), (Chromium.Desktop, "1440") })
        {
            foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
            {
                var page = await _chromium.OpenAsync(size, scheme);
                var suffix = $"{width}-{(scheme == ColorScheme.Dark ? "dark" : "light")}";
                await page.GotoAsync(_gate.Origin);
                await LookAsync(page, $"home-{suffix}");
                await page.GotoAsync($"{_gate.Origin}/authorize?client_id=nobody&response_type=code");
                await LookAsync(page, $"error-{suffix}");
                await page.GotoAsync(await AuthorizationUrlAsync(OnTheWeb));
                Assert.NotEqual("", await page.GetAttributeAsync("html", "lang"));
                await LookAsync(page, $"sign-in-{suffix}");
                await page.GetByLabel("User name").FillAsync(UserName);
                await page.GetByLabel("Password").FillAsync("a wrong one");
                await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
                Assert.Equal(1, await page.GetByRole(AriaRole.Alert).CountAsync());
                await LookAsync(page, $"sign-in-failed-{suffix}");
                await page.GetByLabel("Password").FillAsync(Password);
                await page.GetByLabel("User name").FillAsync(UserName);
                await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
                await LookAsync(page, $"consent-web-{suffix}");
                foreach (var (redirect, name, client) in new[] { (OnThisComputer, "computer", Notes), (Editor, "editor", Notes), (OnTheWeb, "lookalike", "CIaude") })
                {
                    await page.GotoAsync(await AuthorizationUrlAsync(redirect, name: client));
                    await LookAsync(page, $"consent-{name}-{suffix}");
                }
                await page.Context.CloseAsync();
            }
        }
    }

    private const string State = "the client's own";
    private static readonly string s_verifier = new('v', 43);

    private static async Task LookAsync(IPage page, string name)
    {
        await Chromium.KeepAsync(page, name);
        var size = page.ViewportSize!;
        await page.SetViewportSizeAsync(320, size.Height);
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), $"{name} is wider than 320 px");
        Assert.Equal(0, await page.Locator("input:not([type=hidden])").EvaluateAllAsync<int>("fields => fields.filter(field => field.labels.length === 0).length"));
        Assert.Equal(1, await page.GetByRole(AriaRole.Heading, new() { Level = 1 }).CountAsync());
        await page.SetViewportSizeAsync(size.Width, size.Height);
    }

    /// <summary>Where the browser is. Whether all of that page was loaded is not ours, and WaitForURLAsync would wait for it.</summary>
    private static Task ArrivedAsync(IPage page, Regex url) => Assertions.Expect(page).ToHaveURLAsync(url, new() { Timeout = Chromium.Patience });

    private async Task<string> RedeemAsync(string client, string code)
    {
        using var http = new HttpClient();
        var answer = await http.PostAsync($"{_gate.Origin}/token", new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "authorization_code", ["client_id"] = client, ["code"] = code, ["redirect_uri"] = OnTheWeb, ["code_verifier"] = s_verifier,
        }), Cancellation);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("access_token").GetString()!;
    }

    private static async Task SignInAsync(IPage page, string url, string name = UserName)
    {
        await page.GotoAsync(url);
        await page.GetByLabel("User name").FillAsync(name);
        await page.GetByLabel("Password").FillAsync(Password);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Allow" }).WaitForAsync();
    }

    private async Task<string> AuthorizationUrlAsync(string redirectUri, string? origin = null, string name = Notes)
    {
        origin ??= _gate.Origin;
        using var client = new HttpClient();
        var registered = await client.PostAsJsonAsync($"{origin}/register", new { client_name = name, redirect_uris = new[] { redirectUri }, token_endpoint_auth_method = "none" }, Cancellation);
        var id = (await registered.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("client_id").GetString();
        var challenge = Convert.ToBase64String(SHA256.HashData(Encoding.ASCII.GetBytes(s_verifier))).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        return $"{origin}/authorize?response_type=code&client_id={id}&redirect_uri={Uri.EscapeDataString(redirectUri)}&code_challenge={challenge}&code_challenge_method=S256&state={Uri.EscapeDataString(State)}";
    }

    [GeneratedRegex(@"^https://client\.example/callback\?")]
    private static partial Regex AnswerAtTheWeb();

    [GeneratedRegex(@"^https://elsewhere\.example/welcome$")]
    private static partial Regex Elsewhere();

    [GeneratedRegex("^Sign in with ")]
    private static partial Regex SignInWith();
}
