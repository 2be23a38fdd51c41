using Sallyport.Server.Protocol;

namespace Sallyport.Tests.Protocol;

public class RedirectUriTests
{
    [Theory]
    [InlineData("https://chatgpt.com/connector_platform_oauth_redirect")]
    [InlineData("https://claude.ai/api/mcp/auth_callback")]
    [InlineData("https://vscode.dev/redirect")]
    [InlineData("http://127.0.0.1:33418/")]
    [InlineData("http://localhost/callback")]
    [InlineData("http://[::1]:3000/cb")]
    [InlineData("cursor://anysphere.cursor-mcp/oauth/callback")]
    [InlineData("com.example.app:/oauth")]
    [InlineData("https://a.example/cb?tenant=1")]
    public void What_known_clients_register_is_suitable(string uri) =>
        Assert.Null(RedirectUri.Judge(uri));

    [Theory]
    [InlineData("javascript:alert(1)")]
    [InlineData("JAVASCRIPT:alert(1)")]
    [InlineData("\tjava\nscript:alert(1)")]
    [InlineData("\u0001javascript:alert(1)")]
    [InlineData("data:text/html,x")]
    [InlineData("vbscript:x")]
    [InlineData("file:///etc/passwd")]
    [InlineData("blob:https://a.example/x")]
    [InlineData("view-source:https://a.example")]
    [InlineData("about:blank")]
    public void What_a_browser_would_run_or_read_is_forbidden(string uri) =>
        Assert.Equal(Reason.RedirectForbiddenScheme, RedirectUri.Judge(uri));

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("/callback")]
    [InlineData("//a.example/cb")]
    [InlineData("http://a.example/cb")]
    [InlineData("http://localhost.evil.example/cb")]
    [InlineData("http://127.0.0.1.evil.example/cb")]
    [InlineData("http://127.0.0.1@evil.example/cb")]
    [InlineData("https://a.example/cb#fragment")]
    [InlineData("https://*.a.example/cb")]
    [InlineData("https://a.example/*")]
    [InlineData("https://a.example/cb?state=1")]
    [InlineData("https://a.example/cb?%69ss=1")]
    [InlineData("https://a.example/../cb")]
    [InlineData("https://a.example/%2e%2e/cb")]
    [InlineData("https://a.example\\@evil.example/cb")]
    [InlineData("https://a.example/c b")]
    [InlineData("https://ä.example/cb")]
    [InlineData("nodot:/cb")]
    public void What_could_lead_elsewhere_is_unsuitable(string uri) =>
        Assert.False(RedirectUri.Judge(uri) is null or Reason.RedirectForbiddenScheme);

    [Theory]
    [InlineData("http://127.0.0.1/cb", "http://127.0.0.1:1/cb", true)]
    [InlineData("http://127.0.0.1:80/cb", "http://127.0.0.1/cb", true)]
    [InlineData("http://localhost:8787/callback", "http://localhost:65535/callback", true)]
    [InlineData("http://localhost/cb", "http://localhost:123456/cb", false)]
    [InlineData("http://localhost/cb", "http://localhost:99999/cb", false)]
    [InlineData("http://localhost/cb", "http://localhost:/cb", false)]
    [InlineData("http://localhost/cb", "http://localhost:1x/cb", false)]
    [InlineData("http://localhost/cb", "http://localhost:1@evil.example/cb", false)]
    [InlineData("http://localhost/cb", "http://localhost.evil.example/cb", false)]
    [InlineData("http://localhost/cb", "https://localhost:1/cb", false)]
    [InlineData("http://localhost/cb?a=1", "http://localhost:1/cb", false)]
    [InlineData("https://a.example/cb", "https://a.example:443/cb", false)]
    [InlineData("https://a.example/cb", "https://A.example/cb", false)]
    public void A_request_matches_exactly_but_for_the_port_on_loopback(string registered, string requested, bool matches) =>
        Assert.Equal(matches, RedirectUri.Matches(registered, requested));
}
