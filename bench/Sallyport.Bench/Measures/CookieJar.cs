using System.Net.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace Sallyport.Bench.Measures;

/// <summary>
/// The cookies of one server, whatever their paths: <see cref="System.Net.CookieContainer"/> refuses one whose path is not the request's,
/// which RFC 6265 allows and oidc-provider uses.
/// </summary>
internal sealed class CookieJar(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private readonly Dictionary<string, string> _cookies = new(StringComparer.Ordinal);

    /// <summary>Another browser: nobody is signed in.</summary>
    public void Clear() => _cookies.Clear();

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (_cookies.Count > 0)
            request.Headers.Add(HeaderNames.Cookie, string.Join("; ", _cookies.Select(cookie => $"{cookie.Key}={cookie.Value}")));
        var response = await base.SendAsync(request, cancellationToken);
        Keep(response.Headers);
        return response;
    }

    private void Keep(HttpResponseHeaders headers)
    {
        if (!headers.TryGetValues(HeaderNames.SetCookie, out var lines) || !SetCookieHeaderValue.TryParseList([.. lines], out var cookies))
            return;
        foreach (var cookie in cookies)
        {
            if (cookie.Expires < TimeProvider.System.GetUtcNow())
                _cookies.Remove(cookie.Name.ToString());
            else
                _cookies[cookie.Name.ToString()] = cookie.Value.ToString();
        }
    }
}
