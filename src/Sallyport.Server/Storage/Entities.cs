using Microsoft.AspNetCore.Identity;

namespace Sallyport.Server.Storage;

/// <summary>
/// Somebody who may sign in: by a name and a password of ours, or at an identity provider. Who signs in there has no name here, so that
/// nobody is taken for somebody else for their name's sake.
/// </summary>
internal sealed class User : IdentityUser
{
    /// <summary>What an identity provider calls its user, for people to read. Null for a local account, which has its name.</summary>
    public string? DisplayName { get; set; }


    /// <summary>Sees all events and may operate the gate; others see their own.</summary>
    public bool IsOperator { get; set; }
    /// <summary>Since when this account cannot sign in; null while it can.</summary>
    public DateTimeOffset? DisabledAt { get; set; }
    /// <summary>Sign-ins up to then are over, at every browser.</summary>
    public DateTimeOffset? SignedOutAt { get; set; }
}

/// <summary>
/// Which user somebody at an identity provider is. It outlives the user: who was removed here stays known, and does not come back by
/// signing in again.
/// </summary>
internal sealed class ProviderAccount
{
    public required string Issuer { get; init; }
    /// <summary>What the issuer calls them, and nobody else, ever (OpenID Connect Core §5.7).</summary>
    public required string ProviderSubject { get; init; }
    public required string UserId { get; init; }
}

/// <summary>A browser that was sent to an identity provider and is expected back, once.</summary>
internal sealed class ProviderSignIn
{
    /// <summary>Names its cookie.</summary>
    public required string Id { get; init; }
    public required string StateHash { get; init; }
    public required string Issuer { get; init; }
    /// <summary>Of the secret in the browser's cookie.</summary>
    public required string BrowserHash { get; init; }
    /// <summary>The authorization request that it is for, sealed; dropped when the browser comes back.</summary>
    public required string Transaction { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }
    public DateTimeOffset? AnsweredAt { get; set; }
}

/// <summary>A registered OAuth client.</summary>
internal sealed class Client
{
    public required string Id { get; init; }
    public string? Name { get; set; }
    /// <summary><c>none</c>, <c>client_secret_post</c> or <c>client_secret_basic</c>.</summary>
    public required string AuthMethod { get; init; }
    /// <summary>Null for a public client.</summary>
    public string? SecretHash { get; set; }
    public required List<string> RedirectUris { get; set; }
    public required List<string> GrantTypes { get; set; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Of a public client, the hash of its metadata: the same metadata is the same client. Null for all others.</summary>
    public string? MetadataKey { get; set; }
    /// <summary>When a public client registered last with the same metadata.</summary>
    public DateTimeOffset? RepeatedAt { get; set; }
    /// <summary>Of the registration access token (RFC 7592), which only confidential clients have.</summary>
    public string? RegistrationTokenHash { get; set; }
    public bool AddedByOperator { get; init; }
    /// <summary>Since when nobody is let in through it, however often it registers; null while they are.</summary>
    public DateTimeOffset? DisabledAt { get; set; }
    /// <summary>Since when it is gone; the row stays for its grants' sake.</summary>
    public DateTimeOffset? RemovedAt { get; set; }

    public bool IsPublic => SecretHash is null;

    /// <summary>Whether it is there to ask about others' tokens (RFC 7662): the operator added it, and nobody can sign in through it.</summary>
    public bool IsResourceServer => AddedByOperator && !IsPublic && RedirectUris.Count == 0;
}

/// <summary>
/// What one consent gave: a code, then a family of tokens, and where the user wanted it, that they are not asked again. Revoking it ends
/// all of them. The code lives here too, so that its redemption is one conditional update.
/// </summary>
internal sealed class Grant
{
    public required string Id { get; init; }
    public required string ClientId { get; init; }
    public required string Subject { get; init; }
    public required string Audience { get; init; }
    public required string Scope { get; init; }
    public required string ConsentId { get; init; }
    /// <summary>Unique: one transaction gives one code, however often its form is posted.</summary>
    public required string TransactionId { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? RevokedAt { get; set; }
    /// <summary>
    /// Until then the user is not asked again where the same client asks for as much, or less, with the answer at the same address. Null
    /// where they are, and from the revocation on of any grant of the same client, user and resource.
    /// </summary>
    public DateTimeOffset? RememberedUntil { get; set; }

    public required string CodeId { get; init; }
    public required string CodeHash { get; init; }
    public required DateTimeOffset CodeExpiresAt { get; init; }
    public DateTimeOffset? CodeRedeemedAt { get; set; }
    public required string RedirectUri { get; init; }
    public required string CodeChallenge { get; init; }
}

internal sealed class AccessToken
{
    /// <summary>The id inside the token, which its MAC vouches for.</summary>
    public required string Id { get; init; }
    public required string GrantId { get; init; }
    public required string Scope { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }
    public DateTimeOffset? RevokedAt { get; set; }
    public Grant? Grant { get; init; }
}

internal sealed class RefreshToken
{
    public required string Id { get; init; }
    public required string Hash { get; init; }
    public required string GrantId { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }
    public DateTimeOffset? UsedAt { get; set; }
    /// <summary>
    /// The answer that its use got, under a key derived from the token itself: for a client that lost it or asks from two places
    /// at once. Dropped when the grace window ends.
    /// </summary>
    public byte[]? SealedSuccessor { get; set; }
    public Grant? Grant { get; init; }
}

/// <summary>The newest checkpoint that this gate, as a witness, has cosigned for a log.</summary>
internal sealed class WitnessedLog
{
    public required string Origin { get; init; }
    /// <summary>SHA-256 of the origin in lower-case hex: how others ask for it.</summary>
    public required string OriginHash { get; init; }
    public required long Size { get; set; }
    /// <summary>In base64.</summary>
    public required string Root { get; set; }
    /// <summary>The checkpoint with the log's signature and the cosignature.</summary>
    public required string Note { get; set; }
}

/// <summary>An event of a committed change that the log's disk may not hold yet. The row is the event: its leaf's bytes.</summary>
internal sealed class OutboxRow
{
    public long Id { get; init; }
    public required string EventId { get; init; }
    public required byte[] Leaf { get; init; }
    /// <summary>
    /// How long the log was when the row was written or, where a start has found it shorter, then: its leaf, if there is one, stands at
    /// this index or later.
    /// </summary>
    public required long LogLength { get; init; }
}
