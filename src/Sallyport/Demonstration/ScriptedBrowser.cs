using System.Net;
using System.Text.RegularExpressions;
using System.Web;

namespace Sallyport.Demonstration;

/// <summary>
/// Does what a person does with a browser: opens an address, fills in the forms that come, presses Allow, and is sent back to the
/// application. It stops there: nobody at the application's address is contacted.
/// </summary>
internal sealed partial class ScriptedBrowser(HttpMessageHandler witness, string gate, string userName, string password) : IDisposable
{
    private const int MostPages = 10;

    private readonly HttpClient _client = new(new CookieHandler(new CookieContainer(), witness), disposeHandler: false);
    /// <summary>For an identity provider, which is none of the witness's business.</summary>
    private readonly HttpClient _elsewhere = new(new SocketsHttpHandler { AllowAutoRedirect = false });

    /// <summary>Opens the owner's link and becomes the owner.</summary>
    public async Task EnrolAsync(string link, CancellationToken cancellationToken)
    {
        using var page = await _client.GetAsync(link, cancellationToken);
        using var done = await SubmitAsync(page, cancellationToken);
        done.EnsureSuccessStatusCode();
    }

    /// <summary>Opens an authorization address; returns where the browser is sent at last: the client's redirect URI with the answer.</summary>
    public async Task<Uri> AuthorizeAsync(Uri authorization, CancellationToken cancellationToken)
    {
        var redirectUri = HttpUtility.ParseQueryString(authorization.Query)["redirect_uri"];
        var response = await _client.GetAsync(authorization, cancellationToken);
        for (var pages = 0; pages < MostPages; pages++)
        {
            if (response.Headers.Location is { } location)
            {
                var next = new Uri(new Uri(gate), location);
                response.Dispose();
                if (next.GetLeftPart(UriPartial.Path) == redirectUri)
                    return next;
                if (next.GetLeftPart(UriPartial.Authority) != gate)
                    next = await VisitProviderAsync(next, cancellationToken);
                response = await _client.GetAsync(next, cancellationToken);
            }
            else
            {
                var page = response;
                response = await SubmitAsync(page, cancellationToken);
                page.Dispose();
            }
        }
        throw new InvalidOperationException("The sign-in does not come to an end");
    }

    public void Dispose()
    {
        _client.Dispose();
        _elsewhere.Dispose();
    }

    /// <summary>Follows an identity provider's redirects until it sends the browser back to the gate.</summary>
    private async Task<Uri> VisitProviderAsync(Uri address, CancellationToken cancellationToken)
    {
        for (var hops = 0; hops < MostPages; hops++)
        {
            using var response = await _elsewhere.GetAsync(address, cancellationToken);
            if (response.Headers.Location is not { } location)
            {
                throw new CommandFault(ExitCode.Unavailable, $"The provider answers {(int)response.StatusCode} with a page of its own",
                    "A person has to fill that in; try can follow a provider that signs a test user in without one");
            }
            address = new(address, location);
            if (address.GetLeftPart(UriPartial.Authority) == gate)
                return address;
        }
        throw new CommandFault(ExitCode.Unavailable, "The provider does not send the browser back", "Look whether it knows this gate's callback address");
    }

    private async Task<HttpResponseMessage> SubmitAsync(HttpResponseMessage page, CancellationToken cancellationToken)
    {
        var html = await page.Content.ReadAsStringAsync(cancellationToken);
        var action = FormAction().Match(html);
        if (!action.Success)
            throw new InvalidOperationException($"There is no form in the page: {html}");
        var fields = HiddenField().Matches(html).ToDictionary(match => match.Groups["name"].Value, match => WebUtility.HtmlDecode(match.Groups["value"].Value));
        if (html.Contains("name=\"username\"", StringComparison.Ordinal))
            (fields["username"], fields["password"]) = (userName, password);
        if (html.Contains("name=\"decision\"", StringComparison.Ordinal))
            fields["decision"] = "allow";
        return await _client.PostAsync(gate + action.Groups["action"].Value, new FormUrlEncodedContent(fields), cancellationToken);
    }

    [GeneratedRegex("""<form method="post" action="(?<action>[^"]+)">""")]
    private static partial Regex FormAction();

    [GeneratedRegex("""<input type="hidden" name="(?<name>[^"]+)" value="(?<value>[^"]*)"\s*/?>""")]
    private static partial Regex HiddenField();

    /// <summary>A cookie jar before the witness, as a browser has.</summary>
    private sealed class CookieHandler(CookieContainer cookies, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (cookies.GetCookieHeader(request.RequestUri!) is { Length: > 0 } header)
                request.Headers.Add("Cookie", header);
            var response = await base.SendAsync(request, cancellationToken);
            if (response.Headers.TryGetValues("Set-Cookie", out var set))
            {
                foreach (var cookie in set)
                    cookies.SetCookies(request.RequestUri!, cookie);
            }
            return response;
        }
    }
}
