using System.Globalization;
using Microsoft.Playwright;

namespace Sallyport.EndToEnd.Support;

/// <summary>Debian's Chromium, driven by Playwright. What the pages' policy blocks is noted.</summary>
internal sealed class Chromium : IAsyncDisposable
{
    public static readonly ViewportSize Phone = new() { Width = 375, Height = 760 };
    public static readonly ViewportSize Desktop = new() { Width = 1440, Height = 900 };

    /// <summary>In milliseconds.</summary>
    public const float Patience = 30_000;

    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;
    private readonly ClientSite _clients;
    private readonly List<string> _violations = [];

    private Chromium(IPlaywright playwright, IBrowser browser, ClientSite clients) => (_playwright, _browser, _clients) = (playwright, browser, clients);

    public static async Task<Chromium> StartAsync()
    {
        var clients = await ClientSite.StartAsync();
        var playwright = await Playwright.CreateAsync();
        return new(playwright, await playwright.Chromium.LaunchAsync(new() { ExecutablePath = Executable("chromium"), Args = Arguments(clients) }), clients);
    }

    /// <summary>Somebody's window, with cookies of its own. Nothing outside of this machine is reached: all that ends with .example is <see cref="ClientSite"/>.</summary>
    public async Task<IPage> OpenAsync(ViewportSize? size = null, ColorScheme scheme = ColorScheme.Light, bool script = false)
    {
        var context = await _browser.NewContextAsync(new() { ViewportSize = size ?? Desktop, ColorScheme = scheme, JavaScriptEnabled = script, IgnoreHTTPSErrors = true, ReducedMotion = ReducedMotion.Reduce });
        Watch(context);
        return await context.NewPageAsync();
    }

    /// <summary>A window of somebody who lets no site keep cookies.</summary>
    public async Task<IPage> OpenWithoutCookiesAsync(string profile)
    {
        Directory.CreateDirectory(Path.Combine(profile, "Default"));
        await File.WriteAllTextAsync(Path.Combine(profile, "Default", "Preferences"), """{"profile":{"default_content_setting_values":{"cookies":2}}}""", TestContext.Current.CancellationToken);
        var context = await _playwright.Chromium.LaunchPersistentContextAsync(profile, new() { ExecutablePath = Executable("chromium"), Args = Arguments(_clients), IgnoreHTTPSErrors = true });
        Watch(context);
        return context.Pages[0];
    }

    /// <summary>Keeps what a page looks like, for people to look at.</summary>
    public static Task KeepAsync(IPage page, string name) =>
        page.ScreenshotAsync(new() { Path = Path.Combine(Repository.Root, "artifacts", "screenshots", name + ".png"), FullPage = true });

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
        await _clients.DisposeAsync();
    }

    /// <summary>What was blocked since the last time that this was asked.</summary>
    public IReadOnlyList<string> TakeViolations()
    {
        string[] taken = [.. _violations];
        _violations.Clear();
        return taken;
    }

    private void Watch(IBrowserContext context)
    {
        context.Console += (_, message) =>
        {
            if (message.Text.Contains("Content Security Policy", StringComparison.OrdinalIgnoreCase))
                _violations.Add(message.Text);
        };
        context.SetDefaultTimeout(Patience);
    }

    private static string[] Arguments(ClientSite clients) =>
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        string.Create(CultureInfo.InvariantCulture, $"--host-resolver-rules=MAP *.example 127.0.0.1:{clients.Port}"),
    ];

    private static string Executable(string name) =>
        Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(directory => Path.Combine(directory, name)).First(File.Exists);
}
