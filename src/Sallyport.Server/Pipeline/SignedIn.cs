using Microsoft.AspNetCore.Http;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Pipeline;

/// <summary>Whoever is signed in at this browser and still has an account.</summary>
/// <param name="Session">The sign-in.</param>
/// <param name="Name">What the user is called.</param>
internal sealed record SignedIn(BrowserSession Session, string Name)
{
    /// <summary>From here on the forms of this request are theirs. Null where nobody is.</summary>
    public static async Task<SignedIn?> ReadAsync(HttpContext context, Accounts accounts)
    {
        if (await BrowserSession.ReadAsync(context) is not { } session
            || await accounts.NameOfAsync(session.Subject, context.RequestAborted) is not { } name)
            return null;
        session.BindForms(context);
        return new(session, name);
    }
}
