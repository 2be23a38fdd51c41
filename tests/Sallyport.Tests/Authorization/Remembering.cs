using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;

namespace Sallyport.Tests.Authorization;

/// <summary>A user who has a consent remembered, and takes that back.</summary>
internal static class Remembering
{
    /// <summary>Ticks the box, or says that it did. The code.</summary>
    public static Task<string> RememberAsync(TestGate gate, TestClient client, params (string, string?)[] changes) => RememberAsync(gate, client, TestGate.UserName, changes);

    public static async Task<string> RememberAsync(TestGate gate, TestClient client, string user, params (string, string?)[] changes)
    {
        var code = (await new TestBrowser(gate).AuthorizeAsync(client.AuthorizeUrl(changes), user, remember: true)).Query("code");
        Assert.NotNull(gate.Events<ConsentGiven>()[^1].RememberedUntil);
        return code!;
    }

    public static async Task WithdrawAsync(TestGate gate, TestClient client)
    {
        var browser = new TestBrowser(gate);
        await browser.IsAskedAsync("/account");
        var form = (await PageAsync(browser)).Forms.Single(form => form.QuerySelector("input[name=client]")?.GetAttribute("value") == client.Id);
        await browser.PostAsync("/account", form.QuerySelectorAll("input, button").ToDictionary(input => input.GetAttribute("name")!, input => input.GetAttribute("value")!));
        Assert.Equal(Reason.RevokedByUser, gate.Events<TokenRevoked>()[^1].Reason);
    }

    public static async Task<IHtmlDocument> PageAsync(TestBrowser browser) => new HtmlParser().ParseDocument(await browser.Response.TextAsync());
}
