using AngleSharp.Html.Parser;
using Sallyport.Server.Configuration;

namespace Sallyport.Tests.Authorization.Providers;

/// <summary>A gate that takes the scripted provider's word, a client, and a browser that asks to sign in by it.</summary>
internal sealed class ProviderJourney : IAsyncDisposable
{
    private const string SecretVariable = "TESTS_PROVIDER_SECRET";

    private ProviderJourney(TestGate gate, ScriptedProvider provider, TestClient client) =>
        (Gate, Provider, Client, Browser) = (gate, provider, client, new(gate));

    public TestGate Gate { get; }
    public ScriptedProvider Provider { get; }
    public TestClient Client { get; }
    public TestBrowser Browser { get; }

    public static async Task<ProviderJourney> StartAsync(string admitted = "everyone", bool withUser = false, Action<GateSettings>? settings = null)
    {
        Environment.SetEnvironmentVariable(SecretVariable, ScriptedProvider.ClientSecret);
        var provider = await ScriptedProvider.StartAsync();
        var gate = await TestGate.StartAsync(new()
        {
            Settings = s =>
            {
                s.Providers = [$"{provider.Issuer} {ScriptedProvider.ClientId} secret-env={SecretVariable} {admitted} title=Corp"];
                settings?.Invoke(s);
            },
        }, withUser);
        return new(gate, provider, await TestClient.RegisterAsync(gate));
    }

    /// <summary>From the authorization address through the sign-in page's button: the answer to that.</summary>
    public async Task<HttpResponseMessage> AskAsync(TestBrowser? browser = null)
    {
        browser ??= Browser;
        await browser.OpenAsync(Client.AuthorizeUrl());
        // The first provider's button, whatever else the page has.
        var form = new HtmlParser().ParseDocument(await browser.Response.TextAsync()).Forms.FirstOrDefault(form => form.QuerySelector("input[name=provider]") is not null);
        return form is null
            ? browser.Response
            : await browser.PostAsync("/signin", form.QuerySelectorAll("input").ToDictionary(input => input.GetAttribute("name")!, input => input.GetAttribute("value")!));
    }

    /// <summary>Further, to the provider and back: the answer of the callback, or of what it leads to.</summary>
    public async Task<HttpResponseMessage> SignInAsync(TestBrowser? browser = null)
    {
        var sent = await AskAsync(browser);
        return await (browser ?? Browser).OpenAsync(Provider.Authorize(sent.Headers.Location!));
    }

    public async ValueTask DisposeAsync()
    {
        await Gate.DisposeAsync();
        await Provider.DisposeAsync();
    }
}
