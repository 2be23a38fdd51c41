using System.Text.Json;
using System.Text.Json.Serialization;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Token;

/// <summary>Makes, stores and records an access token with its refresh token, within the transaction of a grant.</summary>
internal sealed class TokenIssuer(
    TokenStore tokens, StateTransaction state, AccessTokenFormat opaque, JwtFormat jwt, GateConfiguration configuration, TimeProvider time)
{
    /// <summary>New tokens and the answer that carries them, which is not yet stored: a refresh seals it into its predecessor first.</summary>
    public IssuedTokens Prepare(Grant grant, Client client, IReadOnlyList<string> scopes)
    {
        var now = time.GetUtcNow();
        var (scope, expiresAt) = (Scope.Format(scopes), now + configuration.AccessTokenLifetime);
        // Where the grant is for a resource that is served no more, there is nobody to check signatures.
        var accessToken = configuration.Upstreams.Any(upstream => upstream.Audience == grant.Audience && upstream.AccessTokens == AccessTokenKind.Jwt)
            ? jwt.New(new(grant.Audience, grant.Subject, grant.ClientId, scope, now, expiresAt), out var accessTokenId)
            : opaque.New(out accessTokenId);
        var (idle, end) = (now + configuration.RefreshTokenLifetime, grant.CreatedAt + configuration.RefreshFamilyLifetime);
        // A client that can use a refresh token gets one, whether or not it asked for offline_access.
        var refreshToken = client.GrantTypes.Contains("refresh_token") ? OpaqueSecret.New(OpaqueSecret.RefreshTokenPrefix) : null;
        var answer = JsonSerializer.SerializeToUtf8Bytes(new TokenResponse(
            accessToken,
            "Bearer",
            (long)configuration.AccessTokenLifetime.TotalSeconds,
            refreshToken,
            scope), TokenJson.Default.TokenResponse);
        return new(
            new AccessToken
            {
                Id = accessTokenId,
                GrantId = grant.Id,
                Scope = scope,
                ExpiresAt = expiresAt,
            },
            refreshToken is null ? null : new RefreshToken
            {
                Id = RandomId.New(),
                Hash = OpaqueSecret.Hash(refreshToken),
                GrantId = grant.Id,
                ExpiresAt = idle < end ? idle : end,
            },
            answer);
    }

    /// <summary>Stores and records them.</summary>
    public GrantResult Issue(IssuedTokens made, Grant grant, string grantType, string parent, bool pkce)
    {
        tokens.Add(made.AccessToken);
        if (made.RefreshToken is not null)
            tokens.Add(made.RefreshToken);
        var issued = new TokenIssued
        {
            Id = AuditLog.NewId(),
            Token = made.AccessToken.Id,
            Grant = grant.Id,
            GrantType = grantType,
            Parent = parent,
            Client = grant.ClientId,
            Subject = grant.Subject,
            Audience = grant.Audience,
            Scopes = Scope.FromStored(made.AccessToken.Scope),
            Expires = made.AccessToken.ExpiresAt,
            RefreshToken = made.RefreshToken?.Id,
            RefreshExpires = made.RefreshToken?.ExpiresAt,
            Pkce = pkce,
        };
        state.Record(issued);
        return GrantResult.Issue(made.Answer, issued.Id);
    }

    /// <summary>A credential that was used already is in two hands: all that came of its grant ends.</summary>
    public GrantResult RevokeForReuse(Grant grant, string presented, Reason reason)
    {
        if (tokens.Revoke(grant.Id, time.GetUtcNow()))
            state.Record(new TokenRevoked { Id = AuditLog.NewId(), Reason = reason, Grant = grant.Id });
        return RefuseRecorded(grant, presented, reason);
    }

    /// <summary>A refusal that is recorded together with what the transaction changed.</summary>
    public GrantResult RefuseRecorded(Grant grant, string presented, Reason reason)
    {
        var refused = new TokenRefused { Id = AuditLog.NewId(), Reason = reason, Client = grant.ClientId, Grant = grant.Id, Presented = presented };
        state.Record(refused);
        return GrantResult.RefuseRecorded(reason, refused.Id);
    }
}

/// <summary>Tokens on their way: the rows, and the answer that holds the tokens themselves.</summary>
internal sealed record IssuedTokens(AccessToken AccessToken, RefreshToken? RefreshToken, byte[] Answer);

/// <summary>RFC 6749 §5.1; <c>expires_in</c> in seconds.</summary>
internal sealed record TokenResponse(string AccessToken, string TokenType, long ExpiresIn, string? RefreshToken, string Scope);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TokenResponse))]
internal sealed partial class TokenJson : JsonSerializerContext;
