namespace Sallyport.Server.Authorization.Callback;

/// <summary>Who somebody is by a provider's word.</summary>
/// <param name="Subject">What the provider calls them, and nobody else.</param>
/// <param name="DisplayName">For people to read; nothing is decided by it.</param>
/// <param name="Email">Null where the provider gave none.</param>
/// <param name="EmailVerified">Whether the provider says, by the JSON value true, that the address is theirs.</param>
/// <param name="Groups">Of the claim that the operator named.</param>
internal sealed record ProviderUser(string Subject, string DisplayName, string? Email, bool EmailVerified, IReadOnlyList<string> Groups);
