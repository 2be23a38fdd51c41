using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Pipeline.Providers;

/// <summary>
/// What binds a sign-in at a provider to the browser that started it: a secret in a cookie of its own. Nonce and code verifier are derived
/// from it, so that without the cookie neither the provider's token nor its code is of any use, and the database holds neither.
/// </summary>
internal sealed class BrowserBinding
{
    private readonly string _secret;

    private BrowserBinding(string secret) => _secret = secret;

    public string Hash => OpaqueSecret.Hash(_secret);

    /// <summary>As we hold it; the provider gets its hash, <see cref="NonceSent"/>.</summary>
    public string Nonce => Derive("nonce");

    public string NonceSent => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(Nonce)));

    /// <summary>RFC 7636 §4.1.</summary>
    public string CodeVerifier => Derive("pkce");

    public string CodeChallenge => Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(CodeVerifier)));

    public static BrowserBinding New() => new(OpaqueSecret.New(OpaqueSecret.StatePrefix));

    public void Write(HttpContext context, string signIn, GateConfiguration configuration) =>
        context.Response.Cookies.Append(CookieName(signIn, configuration), _secret, Cookie(configuration));

    /// <summary>The browser's, if this is the one that the sign-in was started in.</summary>
    public static BrowserBinding? Read(HttpContext context, string signIn, string hash, GateConfiguration configuration) =>
        context.Request.Cookies[CookieName(signIn, configuration)] is { } secret && OpaqueSecret.Matches(secret, hash) ? new(secret) : null;

    public static void Drop(HttpContext context, string signIn, GateConfiguration configuration) =>
        context.Response.Cookies.Delete(CookieName(signIn, configuration), Cookie(configuration));

    private string Derive(string purpose) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.ASCII.GetBytes(_secret), Encoding.ASCII.GetBytes(purpose)));

    private static string CookieName(string signIn, GateConfiguration configuration) =>
        (configuration.IsHttps ? "__Host-" : "") + "sallyport-provider-" + signIn;

    /// <summary>Lax: it has to come along when the provider sends the browser back.</summary>
    private static CookieOptions Cookie(GateConfiguration configuration) => new()
    {
        Secure = configuration.IsHttps,
        HttpOnly = true,
        SameSite = SameSiteMode.Lax,
        Path = "/",
        MaxAge = configuration.TransactionLifetime,
        IsEssential = true,
    };
}
