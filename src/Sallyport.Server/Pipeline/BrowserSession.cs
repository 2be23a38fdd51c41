using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Pipeline;

/// <summary>Who is signed in at this browser, from the sign-in cookie.</summary>
/// <param name="Subject">The user's id.</param>
/// <param name="Authentication">The sign-in's id, which its consents name.</param>
internal sealed record BrowserSession(string Subject, string Authentication)
{
    public const string Scheme = CookieAuthenticationDefaults.AuthenticationScheme;

    private const string AuthenticationClaim = "sallyport:authentication";

    /// <summary>When it began, in milliseconds since 1970.</summary>
    private const string SinceClaim = "sallyport:since";

    public static async Task<BrowserSession?> ReadAsync(HttpContext context)
    {
        var result = await context.AuthenticateAsync(Scheme);
        if (!result.Succeeded)
            return null;
        var subject = result.Principal.FindFirstValue(ClaimTypes.NameIdentifier);
        var authentication = result.Principal.FindFirstValue(AuthenticationClaim);
        return subject is null || authentication is null ? null : new(subject, authentication);
    }

    /// <summary>Refuses the cookie of a sign-in that has been ended, or whose account is gone or disabled: as if there were none.</summary>
    public static async Task ValidateAsync(CookieValidatePrincipalContext context)
    {
        var subject = context.Principal?.FindFirstValue(ClaimTypes.NameIdentifier);
        if (subject is null
            || !long.TryParse(context.Principal!.FindFirstValue(SinceClaim), NumberStyles.None, CultureInfo.InvariantCulture, out var since)
            || !await context.HttpContext.RequestServices.GetRequiredService<Accounts>()
                .IsSignedInAsync(subject, DateTimeOffset.FromUnixTimeMilliseconds(since), context.HttpContext.RequestAborted))
            context.RejectPrincipal();
    }

    /// <summary>Binds the anti-forgery tokens of this request's forms to whoever is signed in.</summary>
    public void BindForms(HttpContext context) => context.User = Principal;

    private ClaimsPrincipal Principal => new(new ClaimsIdentity(
        [new(ClaimTypes.NameIdentifier, Subject), new(AuthenticationClaim, Authentication)], Scheme));

    /// <summary>Gives the browser a new sign-in; one that it had before is replaced.</summary>
    public Task WriteAsync(HttpContext context)
    {
        var principal = Principal;
        var since = context.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow().ToUnixTimeMilliseconds();
        ((ClaimsIdentity)principal.Identity!).AddClaim(new(SinceClaim, since.ToString(CultureInfo.InvariantCulture)));
        return context.SignInAsync(Scheme, principal);
    }

    /// <summary>Takes the cookie from the browser.</summary>
    public static Task EndAsync(HttpContext context) => context.SignOutAsync(Scheme);
}
