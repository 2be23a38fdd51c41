using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Sallyport.Server.Protocol;

/// <summary>JWTs that others check by the keys at <c>/jwks</c> (RFC 7519): ES256, each with a type of its own (RFC 8725 §3.11).</summary>
internal static class SignedJwt
{
    private static readonly JsonWebTokenHandler s_handler = new() { SetDefaultTimesOnTokenCreation = false };

    public static string New(
        TokenKey signer, string type, string issuer, string audience, DateTimeOffset issuedAt, DateTimeOffset expiresAt, Dictionary<string, object> claims) =>
        s_handler.CreateToken(new SecurityTokenDescriptor
        {
            TokenType = type,
            Issuer = issuer,
            Audience = audience,
            IssuedAt = issuedAt.UtcDateTime,
            Expires = expiresAt.UtcDateTime,
            Claims = claims,
            SigningCredentials = new(signer.Signing, SecurityAlgorithms.EcdsaSha256),
        });
}
