using System.Collections.Concurrent;
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
    private const string Type = "sallyport-assertion+jwt";

    /// <summary>Clocks differ.</summary>
    private static readonly TimeSpan s_lifetime = TimeSpan.FromMinutes(2);

    /// <summary>So long the same one is sent again, which saves each request a signature.</summary>
    private static readonly TimeSpan s_reuse = TimeSpan.FromMinutes(1);

    /// <summary>Beyond this many the memory begins anew.</summary>
    private const int Many = 10_000;

    private readonly ConcurrentDictionary<(string Audience, string Subject, string? Client), Assertion> _recent = new();

    /// <param name="audience">The upstream's resource.</param>
    /// <param name="caller">Null for the gate itself.</param>
    public string For(string audience, Caller? caller)
    {
        var now = time.GetUtcNow();
        var signer = keys().Current;
        var (subject, client) = (caller?.Subject ?? issuer, caller?.ClientId);
        if (_recent.TryGetValue((audience, subject, client), out var recent) && recent.Signer == signer && now >= recent.IssuedAt && now < recent.IssuedAt + s_reuse)
            return recent.Text;
        var claims = new Dictionary<string, object> { ["sub"] = subject };
        if (client is not null)
            claims["client_id"] = client;
        var text = SignedJwt.New(signer, Type, issuer, audience, now, now + s_lifetime, claims);
        if (_recent.Count >= Many)
            _recent.Clear();
        _recent[(audience, subject, client)] = new(text, now, signer);
        return text;
    }

    private sealed record Assertion(string Text, DateTimeOffset IssuedAt, TokenKey Signer);
}
