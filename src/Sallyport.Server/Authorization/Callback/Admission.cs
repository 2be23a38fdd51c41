using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Authorization.Callback;

/// <summary>Whether a user of a provider is among those whom the operator named. Each list admits by itself; an unverified address never does.</summary>
internal static class Admission
{
    /// <returns>Why they are not admitted; null when they are.</returns>
    public static Reason? Judge(ProviderSetting provider, ProviderUser user)
    {
        if (provider.Everyone || user.Groups.Any(group => provider.Groups.Contains(group, StringComparer.Ordinal)))
            return null;
        if (!IsNamed(provider, user.Email))
            return Reason.ProviderUserNotAdmitted;
        return user.EmailVerified ? null : Reason.ProviderEmailUnverified;
    }

    /// <summary>Whole addresses and whole domains, letters A to Z without case; nothing that only looks like them.</summary>
    private static bool IsNamed(ProviderSetting provider, string? email) =>
        email is not null && email.Split('@') is [{ Length: > 0 }, { Length: > 0 } domain] && email.All(c => c is > ' ' and < '\x7f')
        && (provider.Emails.Contains(email, StringComparer.OrdinalIgnoreCase) || provider.Domains.Contains(domain, StringComparer.OrdinalIgnoreCase));
}
