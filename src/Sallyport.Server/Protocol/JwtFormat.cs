using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Sallyport.Server.Protocol;

/// <summary>What an access token says of itself.</summary>
/// <param name="Scope">Separated by blanks.</param>
internal sealed record JwtClaims(string Audience, string Subject, string ClientId, string Scope, DateTimeOffset IssuedAt, DateTimeOffset ExpiresAt);

/// <summary>
/// Access tokens that other servers can check (RFC 9068): ES256, <c>typ</c> <c>at+jwt</c>. The gate itself takes from them no more than
/// from an opaque one: the id, under which the stored state says what the token is good for, and whether it still is.
/// </summary>
internal sealed class JwtFormat(string issuer, TokenKeys keys)
{
    /// <summary>What the header of each begins with: <c>{"</c> in base64url.</summary>
    public const string Beginning = "eyJ";

    /// <summary>RFC 9068 §2.1.</summary>
    public const string Type = "at+jwt";
    private const int MaxLength = 4096;

    /// <summary>Beyond this many the memory begins anew: the next use of each token costs one more check.</summary>
    private const int Many = 50_000;

    private readonly JsonWebTokenHandler _handler = new() { MaximumTokenSizeInBytes = MaxLength };
    private readonly ConcurrentDictionary<Digest, (string Id, TokenKey Key)> _checked = new();

    /// <summary>A new token, and the id (<c>jti</c>) under which it is stored and logged.</summary>
    public string New(JwtClaims claims, out string id)
    {
        id = RandomId.NewAt(claims.IssuedAt);
        return SignedJwt.New(keys.Current, Type, issuer, claims.Audience, claims.IssuedAt, claims.ExpiresAt, new()
        {
            ["sub"] = claims.Subject,
            ["client_id"] = claims.ClientId,
            ["scope"] = claims.Scope,
            ["jti"] = id,
        });
    }

    /// <summary>A signature that was checked once is remembered: checking each again would take longer than all the rest of a request.</summary>
    public async ValueTask<(AccessTokenReading Reading, string Id)> ReadAsync(string text)
    {
        if (text.Length > MaxLength)
            return (AccessTokenReading.Malformed, "");
        var digest = Digest.Of(text);
        if (_checked.TryGetValue(digest, out var known))
            return keys.Find(known.Key.Number) == known.Key ? (AccessTokenReading.Authentic, known.Id) : (AccessTokenReading.Forged, "");
        if (!_handler.CanReadToken(text))
            return (AccessTokenReading.Malformed, "");
        TokenKey? signer = null;
        var result = await _handler.ValidateTokenAsync(text, new()
        {
            ValidIssuer = issuer,
            ValidTypes = [Type],
            ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256],
            TryAllIssuerSigningKeys = false,
            IssuerSigningKeyResolver = (_, _, kid, _) => (signer = keys.Accepted.FirstOrDefault(key => key.KeyId == kid)) is null ? [] : [signer.Signing],
            // Both are what the stored state says.
            ValidateAudience = false,
            ValidateLifetime = false,
        });
        if (!result.IsValid || signer is null)
            return (AccessTokenReading.Forged, "");
        var id = ((JsonWebToken)result.SecurityToken).Id;
        if (_checked.Count >= Many)
            _checked.Clear();
        _checked[digest] = (id, signer);
        return (AccessTokenReading.Authentic, id);
    }

    /// <summary>SHA-256.</summary>
    private readonly record struct Digest(UInt128 First, UInt128 Second)
    {
        public static Digest Of(string text)
        {
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(MemoryMarshal.AsBytes(text.AsSpan()), hash);
            return MemoryMarshal.Read<Digest>(hash);
        }
    }
}
