using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Account;

/// <summary>What a user has allowed each client at each server, however often it has connected.</summary>
internal static class AllowedApplications
{
    /// <summary>Those that were allowed last come first, as the grants do. Tuples, as a page's parameters cannot be internal types.</summary>
    public static List<(string Client, string? Name, string Server, IReadOnlyList<string> Destinations, IReadOnlyList<string> Scopes, DateTimeOffset Since, DateTimeOffset? LastUsed, IReadOnlyList<(string Destination, DateTimeOffset Until)> Unasked)> Of(
        IEnumerable<LiveGrant> grants) =>
    [
        .. grants.GroupBy(grant => (grant.Client, grant.Audience)).Select(of => (
            of.Key.Client,
            of.First().ClientName,
            of.Key.Audience,
            (IReadOnlyList<string>)[.. of.Select(grant => Destination(grant.RedirectUri)).Distinct()],
            (IReadOnlyList<string>)[.. of.SelectMany(grant => Scope.FromStored(grant.Scope)).Distinct()],
            of.Min(grant => grant.CreatedAt),
            of.Max(grant => grant.LastUsedAt),
            (IReadOnlyList<(string, DateTimeOffset)>)
            [
                .. of.Where(grant => grant.RememberedUntil is not null).GroupBy(grant => grant.RedirectUri)
                    .Select(at => (Destination(at.Key), at.Max(grant => grant.RememberedUntil!.Value))),
            ])),
    ];

    /// <summary>Which computer that was, nobody knows any more; the port was another one each time.</summary>
    private static string Destination(string redirectUri) => new Uri(redirectUri).Scheme == Uri.UriSchemeHttp
        ? "an application on the computer where you allowed it"
        : RedirectUri.Destination(redirectUri);
}
