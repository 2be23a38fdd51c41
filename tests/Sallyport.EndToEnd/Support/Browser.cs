using System.Net;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;

namespace Sallyport.EndToEnd.Support;

/// <summary>A person's browser, which fills in the gate's forms and keeps its cookies.</summary>
internal sealed class Browser : IDisposable
{
    private const int MostPages = 20;

    private readonly HttpClient _client;
    private readonly CookieContainer _cookies = new();

    public Browser(ICollection<string>? answeredEvents = null)
    {
        _client = new(new EventCollector(new SocketsHttpHandler { AllowAutoRedirect = false, CookieContainer = _cookies }, answeredEvents));
        _client.DefaultRequestHeaders.Accept.ParseAdd("text/html");
    }

    public IReadOnlyList<Cookie> Cookies => [.. _cookies.GetAllCookies().Cast<Cookie>()];

    /// <summary>Goes from the authorization URL to the client's, allowing what is asked; null when the sign-in was refused.</summary>
    /// <param name="remember">Also not to be asked again.</param>
    public async Task<Uri?> AllowAsync(string authorizationUrl, string redirectUrl, string userName, string password, bool remember = false)
    {
        var answer = await _client.GetAsync(authorizationUrl, TestContext.Current.CancellationToken);
        for (var pages = 0; pages < MostPages; pages++)
        {
            using var page = answer;
            var at = page.RequestMessage!.RequestUri!;
            if (page.Headers.Location is { } location)
            {
                var target = new Uri(at, location);
                if (target.AbsoluteUri.StartsWith(redirectUrl, StringComparison.Ordinal))
                    return target;
                Assert.Equal(at.Authority, target.Authority);
                answer = await _client.GetAsync(target, TestContext.Current.CancellationToken);
                continue;
            }
            if (page.StatusCode == HttpStatusCode.Unauthorized)
                return null;
            var form = await ReadFormAsync(page);
            answer = await SubmitAsync(at, form, form.Contains("username")
                ? new() { ["username"] = userName, ["password"] = password }
                : remember ? new() { ["decision"] = "allow", ["remember"] = "yes" } : new() { ["decision"] = "allow" });
        }
        throw new InvalidOperationException("The pages go round in circles");
    }

    public Task<HttpResponseMessage> OpenAsync(string url) => _client.GetAsync(url, TestContext.Current.CancellationToken);

    /// <summary>Opens a page, and whichever it leads to.</summary>
    /// <param name="passed">Told each address on the way.</param>
    public async Task<HttpResponseMessage> FollowAsync(string url, Action<Uri>? passed = null)
    {
        var at = new Uri(url);
        for (var pages = 0; pages < MostPages; pages++)
        {
            passed?.Invoke(at);
            var page = await OpenAsync(at.AbsoluteUri);
            if (page.Headers.Location is not { } location)
                return page;
            page.Dispose();
            at = new(at, location);
        }
        throw new InvalidOperationException("The pages go round in circles");
    }

    /// <summary>Fills in the one form of the page and sends it.</summary>
    public async Task<HttpResponseMessage> FillInAsync(HttpResponseMessage page, Dictionary<string, string> values) =>
        await SubmitAsync(page.RequestMessage!.RequestUri!, await ReadFormAsync(page), values);

    public void Dispose() => _client.Dispose();

    private static async Task<Form> ReadFormAsync(HttpResponseMessage page)
    {
        var html = await page.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(page.StatusCode == HttpStatusCode.OK, $"{page.RequestMessage!.RequestUri} was answered {page.StatusCode}: {html}");
        using var document = await new HtmlParser().ParseDocumentAsync(html);
        var form = Assert.Single(document.Forms);
        return new(
            form.GetAttribute("action")!,
            form.Elements.OfType<IHtmlInputElement>().Where(input => input.Type != "checkbox").ToDictionary(input => input.Name!, input => input.Value));
    }

    private Task<HttpResponseMessage> SubmitAsync(Uri page, Form form, Dictionary<string, string> values)
    {
        var fields = new Dictionary<string, string>(form.Fields);
        foreach (var (name, value) in values)
            fields[name] = value;
        return _client.SendAsync(new(HttpMethod.Post, new Uri(page, form.Action))
        {
            Content = new FormUrlEncodedContent(fields),
            Headers = { { "Origin", page.GetLeftPart(UriPartial.Authority) } },
        }, TestContext.Current.CancellationToken);
    }

    private sealed record Form(string Action, Dictionary<string, string> Fields)
    {
        public bool Contains(string field) => Fields.ContainsKey(field);
    }
}
