using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Consent;

/// <summary>When a user need not be asked, because they were before and wanted it to be remembered.</summary>
internal static class RememberedConsent
{
    /// <summary>
    /// Whether that can be at all. Not where an application on some computer gets the answer, as it may be another one each time (RFC 8252
    /// §8.6); where the client's name imitates another's; or where the client wants the user to be asked.
    /// </summary>
    public static bool IsPossible(Client client, AuthorizationTransaction transaction) =>
        !transaction.IsPrompted && RedirectUri.IsOnTheWeb(transaction.RedirectUri) && Lookalike.Of(client.Name, transaction.RedirectUri) is null;

    /// <summary>Whether what is asked for is what was allowed, or less of it.</summary>
    public static bool Covers(Grant remembered, AuthorizationTransaction transaction) =>
        remembered.ClientId == transaction.ClientId
        && remembered.Audience == transaction.Audience
        && remembered.RedirectUri == transaction.RedirectUri
        && !transaction.Scopes.Except(Scope.FromStored(remembered.Scope)).Any();
}
