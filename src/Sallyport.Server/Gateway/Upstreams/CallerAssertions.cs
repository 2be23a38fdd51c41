using System.Collections.Concurrent;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>
/// Tells an upstream who calls, so that it can check it: a JWT (RFC 7519) by the keys at <c>/jwks</c>, for this upstream alone and for a
/// short time. What the gate asks on its own behalf has one too, without a client; so an upstream that demands one has nobody but the gate.
/// </summary>
/// <param name="issuer">The gate's public URL.</param>
/// <param name="keys">Those that are there once the gate has started.</param>
/// <param name="time">The clock.</param>
internal sealed class CallerAssertions(string issuer, Func<TokenKeys> keys, TimeProvider time)
{
    public const string Header = "Sallyport-Jwt-Assertion";

    /// <summary>Nobody takes it for an access token, the gate itself included (RFC 8725 §3.11).</summary>
    public const string Type = "sallyport-assertion+jwt";

    /// <summary>Clocks differ.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(2);

    /// <summary>So long the same one is sent again: a signature for each request would be half of what the gate does for it.</summary>
    private static readonly TimeSpan s_reuse = TimeSpan.FromMinutes(1);

    /// <summary>Beyond this many the memory begins anew.</summary>
    private const int Many = 10_000;

    private readonly JsonWebTokenHandler _handler = new() { SetDefaultTimesOnTokenCreation = false };
    private readonly ConcurrentDictionary<(string Audience, string Subject, string? Client), Assertion> _recent = new();

    /// <param name="audience">The upstream's resource.</param>
    /// <param name="caller">Null for the gate itself.</param>
    public string For(string audience, Caller? caller)
    {
        var now = time.GetUtcNow();
        var signer = keys().Current;
        var who = (audience, caller?.Subject ?? issuer, caller?.ClientId);
        if (_recent.TryGetValue(who, out var recent) && recent.Signer == signer && now >= recent.IssuedAt && now < recent.IssuedAt + s_reuse)
            return recent.Text;
        var claims = new Dictionary<string, object> { ["sub"] = who.Item2 };
        if (caller is not null)
            claims["client_id"] = caller.ClientId;
        var text = _handler.CreateToken(new SecurityTokenDescriptor
        {
            TokenType = Type,
            Issuer = issuer,
            Audience = audience,
            IssuedAt = now.UtcDateTime,
            Expires = (now + Lifetime).UtcDateTime,
            Claims = claims,
            SigningCredentials = new(signer.Signing, SecurityAlgorithms.EcdsaSha256),
        });
        if (_recent.Count >= Many)
            _recent.Clear();
        _recent[who] = new(text, now, signer);
        return text;
    }

    private sealed record Assertion(string Text, DateTimeOffset IssuedAt, TokenKey Signer);
}
