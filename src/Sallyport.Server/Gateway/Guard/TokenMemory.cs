using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Gateway.Guard;

/// <summary>An access token that is stored, unrevoked, and remembered until it ends.</summary>
internal sealed class RememberedToken
{
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private CancellationTokenSource? _ended;
    private bool _isEnded;

    public RememberedToken(AccessToken token, Grant grant, TimeProvider time)
    {
        _time = time;
        Id = token.Id;
        GrantId = grant.Id;
        Subject = grant.Subject;
        ClientId = grant.ClientId;
        Audience = grant.Audience;
        Scopes = Scope.FromStored(token.Scope);
        IsGatesOwn = Scopes.Contains(Scope.Heartbeat, StringComparer.Ordinal);
        ExpiresAt = token.ExpiresAt;
    }

    public string Id { get; }
    public string GrantId { get; }
    public string Subject { get; }
    public string ClientId { get; }
    public string Audience { get; }
    public IReadOnlyList<string> Scopes { get; }
    public DateTimeOffset ExpiresAt { get; }
    /// <summary>With such a token the gate tries itself.</summary>
    public bool IsGatesOwn { get; }

    public bool IsExpired => _time.GetUtcNow() >= ExpiresAt;

    public bool IsRevoked
    {
        get
        {
            lock (_gate)
                return _isEnded;
        }
    }

    /// <summary>Why it is good no more; null while it is.</summary>
    public Reason? WhyEnded => IsRevoked ? Reason.TokenRevoked : IsExpired ? Reason.TokenExpired : null;

    /// <summary>Cancelled when the token expires or is revoked: what runs on its strength ends with it.</summary>
    public CancellationToken Ended
    {
        get
        {
            lock (_gate)
            {
                if (_ended is null)
                {
                    var left = ExpiresAt - _time.GetUtcNow();
                    _ended = left > TimeSpan.Zero ? new(left, _time) : new();
                    if (_isEnded || left <= TimeSpan.Zero)
                        _ended.Cancel();
                }
                return _ended.Token;
            }
        }
    }

    public void End()
    {
        lock (_gate)
        {
            _isEnded = true;
            // Not here: those who wait for it may do as they please on a thread of their own.
            _ = _ended?.CancelAsync();
        }
    }

}

/// <summary>What became of a token that the gate made.</summary>
/// <param name="Token">The token, where it is good; null where it is not.</param>
/// <param name="Fault">Why it is not good.</param>
/// <param name="Former">Of one that was good until it expired or was revoked, whose it was: for the record of the refusal, and for nothing else.</param>
internal readonly record struct FoundToken(RememberedToken? Token, Reason? Fault = null, RememberedToken? Former = null);

/// <summary>
/// The tokens that were looked up, so that the hot path looks up none. A revocation is applied here before anybody is told of it.
/// </summary>
internal sealed class TokenMemory
{
    /// <summary>Beyond this many, the expired ones are dropped when another one comes.</summary>
    private const int Many = 50_000;

    private readonly ConcurrentDictionary<string, RememberedToken> _tokens = new(StringComparer.Ordinal);
    private readonly IDbContextFactory<SallyportDb> _databases;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private long _revocations;

    public TokenMemory(IDbContextFactory<SallyportDb> databases, AuditLog log, TimeProvider time)
    {
        (_databases, _time) = (databases, time);
        log.StateSequenced += Apply;
    }

    /// <summary>The token, or why it is good no more.</summary>
    public async ValueTask<FoundToken> FindAsync(string id, CancellationToken cancellationToken)
    {
        if (_tokens.TryGetValue(id, out var remembered))
            return Judged(remembered);
        while (true)
        {
            var revocationsBefore = Volatile.Read(ref _revocations);
            var found = await LoadAsync(id, cancellationToken);
            if (found.Token is not { } token)
                return found;
            lock (_gate)
            {
                // A revocation since then may be this one's: look again.
                if (revocationsBefore != _revocations)
                    continue;
                if (_tokens.Count >= Many)
                    DropExpired();
                return new(_tokens.GetOrAdd(id, token));
            }
        }
    }

    private async Task<FoundToken> LoadAsync(string id, CancellationToken cancellationToken)
    {
        await using var db = await _databases.CreateDbContextAsync(cancellationToken);
        if (await new GrantStore(db).FindAccessTokenAsync(id, cancellationToken) is not { Grant: { } grant } token)
            return new(null, Reason.TokenUnknown);
        var remembered = new RememberedToken(token, grant, _time);
        if (token.RevokedAt is not null || grant.RevokedAt is not null)
            return new(null, Reason.TokenRevoked, remembered);
        return Judged(remembered);
    }

    private static FoundToken Judged(RememberedToken token) => token.IsExpired ? new(null, Reason.TokenExpired, token) : new(token);

    private void Apply(AuditEvent stateEvent)
    {
        if (stateEvent is not TokenRevoked revoked)
            return;
        lock (_gate)
        {
            _revocations++;
            foreach (var (id, token) in _tokens)
            {
                if (revoked.Token is { } single ? id != single : token.GrantId != revoked.Grant)
                    continue;
                _tokens.TryRemove(id, out _);
                token.End();
            }
        }
    }

    private void DropExpired()
    {
        foreach (var (id, token) in _tokens)
        {
            if (token.IsExpired)
                _tokens.TryRemove(id, out _);
        }
    }
}
