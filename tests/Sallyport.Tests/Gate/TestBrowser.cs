using System.Web;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;

namespace Sallyport.Tests.Gate;

/// <summary>A browser without JavaScript: cookies, redirects within the gate, and forms.</summary>
internal sealed class TestBrowser(TestGate gate, string? userAgent = null, string? from = null)
{
    private readonly HttpClient _http = gate.NewClient(new CookieContainer(), from, userAgent);

    public HttpResponseMessage Response { get; private set; } = new();

    /// <summary>Opens an address and follows redirects as long as they stay at the gate.</summary>
    public async Task<HttpResponseMessage> OpenAsync(string url) => Response = await FollowAsync(await _http.GetAsync(url, TestContext.Current.CancellationToken));

    /// <summary>Sends a request without going where its answer leads.</summary>
    public Task<HttpResponseMessage> SendAsync(string url) => _http.GetAsync(url, TestContext.Current.CancellationToken);

    public async Task<IHtmlFormElement> FormAsync()
    {
        var page = await Response.TextAsync();
        return new HtmlParser().ParseDocument(page).Forms.SingleOrDefault()
            ?? throw new InvalidOperationException($"{Response.RequestMessage!.RequestUri} gave {(int)Response.StatusCode} without a form: {page}");
    }

    /// <summary>Submits the form of the page that is shown.</summary>
    public async Task<HttpResponseMessage> SubmitAsync(params (string Name, string Value)[] fields) => await SubmitAsync(await FormAsync(), fields);

    /// <summary>Submits a form, whatever page is shown by now.</summary>
    public async Task<HttpResponseMessage> SubmitAsync(IHtmlFormElement form, params (string Name, string Value)[] fields)
    {
        var values = form.QuerySelectorAll("input[type=hidden]").Cast<IHtmlInputElement>().ToDictionary(input => input.Name!, input => input.Value);
        foreach (var (name, value) in fields)
            values[name] = value;
        return await PostAsync(form.GetAttribute("action")!, values);
    }

    public async Task<HttpResponseMessage> PostAsync(string path, Dictionary<string, string> values) =>
        Response = await FollowAsync(await _http.PostAsync(path, new FormUrlEncodedContent(values), TestContext.Current.CancellationToken));

    /// <summary>From an authorization address to the client's redirect URI, with all that a willing user does on the way.</summary>
    public async Task<Uri> AuthorizeAsync(string authorizeUrl, string user = TestGate.UserName, string decision = "allow", bool remember = false)
    {
        if (await IsAskedAsync(authorizeUrl, user))
            await SubmitAsync([("decision", decision), .. remember ? [("remember", "yes")] : Array.Empty<(string, string)>()]);
        return Response.Headers.Location ?? throw new InvalidOperationException($"No redirect but {(int)Response.StatusCode}: {await Response.TextAsync()}");
    }

    /// <summary>From an authorization address to the consent page, or past it.</summary>
    public async Task<bool> IsAskedAsync(string authorizeUrl, string user = TestGate.UserName)
    {
        await OpenAsync(authorizeUrl);
        if (Response.RequestMessage!.RequestUri!.AbsolutePath == "/signin")
            await SubmitAsync(("username", user), ("password", TestGate.Password));
        return Response is { StatusCode: HttpStatusCode.OK, RequestMessage.RequestUri.AbsolutePath: "/consent" };
    }

    private async Task<HttpResponseMessage> FollowAsync(HttpResponseMessage response)
    {
        while (response.Headers.Location is { IsAbsoluteUri: false } location)
            response = await _http.GetAsync(location, TestContext.Current.CancellationToken);
        return response;
    }
}

internal static class Queries
{
    public static string? Query(this Uri uri, string name) => HttpUtility.ParseQueryString(uri.Query)[name];
}
