using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Server.Pipeline;

/// <summary>Who is signed in at this browser, from the sign-in cookie.</summary>
/// <param name="Subject">The user's id.</param>
/// <param name="Authentication">The sign-in's id, which its consents name.</param>
internal sealed record BrowserSession(string Subject, string Authentication)
{
    public const string Scheme = CookieAuthenticationDefaults.AuthenticationScheme;

    private const string AuthenticationClaim = "sallyport:authentication";

    public static async Task<BrowserSession?> ReadAsync(HttpContext context)
    {
        var result = await context.AuthenticateAsync(Scheme);
        if (!result.Succeeded)
            return null;
        var subject = result.Principal.FindFirstValue(ClaimTypes.NameIdentifier);
        var authentication = result.Principal.FindFirstValue(AuthenticationClaim);
        return subject is null || authentication is null ? null : new(subject, authentication);
    }

    /// <summary>Binds the anti-forgery tokens of this request's forms to whoever is signed in.</summary>
    public void BindForms(HttpContext context) => context.User = Principal;

    private ClaimsPrincipal Principal => new(new ClaimsIdentity(
        [new(ClaimTypes.NameIdentifier, Subject), new(AuthenticationClaim, Authentication)], Scheme));

    /// <summary>Gives the browser a new sign-in; one that it had before is replaced.</summary>
    public Task WriteAsync(HttpContext context) =>
        context.SignInAsync(Scheme, Principal);
}
