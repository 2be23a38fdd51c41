using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Heartbeat;

/// <summary>
/// The gate's own tokens that lie among the stored ones: a good one, and such as are wrong only by what the stored state says of them.
/// None of them leads to an upstream.
/// </summary>
internal sealed partial class OwnTokens(AccessTokenFormat format, IServiceScopeFactory scopes, TimeProvider time, ILogger<OwnTokens> logger)
{
    /// <summary>The gate's own users: the second comes with the first one's session.</summary>
    private const string First = "sallyport-heartbeat-1", Second = "sallyport-heartbeat-2";

    /// <summary>Of a resource that nobody serves (RFC 2606 §2).</summary>
    private const string Elsewhere = "https://heartbeat.invalid/mcp";

    private static readonly TimeSpan s_lifetime = TimeSpan.FromHours(1);

    /// <summary>Since when the expired one has been: no clock that is set right goes back so far.</summary>
    private static readonly TimeSpan s_expiredSince = TimeSpan.FromDays(400);

    private readonly Dictionary<string, Prepared> _prepared = new(StringComparer.Ordinal);

    /// <summary>Those for an upstream, which live for half an hour or more; none where they could not be stored.</summary>
    public async Task<IReadOnlyDictionary<HeartbeatClass, string>> OfAsync(string audience, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (_prepared.TryGetValue(audience, out var prepared) && now >= prepared.MadeAt && now - prepared.MadeAt < s_lifetime / 2)
            return prepared.Tokens;
        try
        {
            return (_prepared[audience] = await PrepareAsync(audience, now, cancellationToken)).Tokens;
        }
        catch (Exception exception) when (exception is DbException or DbUpdateException or AuditUnavailableException)
        {
            LogUnprepared(logger, exception.GetBaseException().Message);
            return new Dictionary<HeartbeatClass, string>();
        }
    }

    private async Task<Prepared> PrepareAsync(string audience, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var store = scope.ServiceProvider.GetRequiredService<HeartbeatStore>();
        var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
        var tokens = new Dictionary<HeartbeatClass, string>();
        return await state.RunAsync(async () =>
        {
            // Nobody knows those of a process before.
            await store.DropAsync(_prepared.Count == 0 ? DateTimeOffset.MaxValue : now - s_lifetime, cancellationToken);
            var told = new List<HeartbeatToken>();
            async Task AddAsync(HeartbeatClass of, string subject = First, string? at = null, string good = Scope.Heartbeat, bool isExpired = false, bool isRevoked = false)
            {
                tokens[of] = format.New(out var id);
                var expires = isExpired ? now - s_expiredSince : now + s_lifetime;
                await store.AddAsync(id, subject, at ?? audience, good, now, expires, isRevoked, cancellationToken);
                told.Add(new(id, of, expires));
            }
            await AddAsync(HeartbeatClass.Good);
            await AddAsync(HeartbeatClass.Expired, isExpired: true);
            await AddAsync(HeartbeatClass.Revoked, isRevoked: true);
            await AddAsync(HeartbeatClass.WrongAudience, at: Elsewhere);
            await AddAsync(HeartbeatClass.WrongScope, good: Scope.OfflineAccess);
            await AddAsync(HeartbeatClass.AnothersSession, subject: Second);
            state.Record(new HeartbeatPrepared { Id = AuditLog.NewId(), Audience = audience, Tokens = told });
            return new Prepared(tokens, now);
        }, cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning, "The tokens with which the gate tries itself could not be stored ({Why}): it tries itself without them, and again with the next heartbeat.")]
    private static partial void LogUnprepared(ILogger logger, string why);

    private sealed record Prepared(IReadOnlyDictionary<HeartbeatClass, string> Tokens, DateTimeOffset MadeAt);
}
