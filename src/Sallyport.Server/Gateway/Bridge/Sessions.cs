using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>How many sessions there may be.</summary>
internal sealed record SessionLimits(int All = Limits.Sessions, int OfPrincipal = Limits.SessionsPerPrincipal);

/// <summary>The open sessions. Opening and closing one is an event.</summary>
internal sealed class Sessions(AuditLog log, GateConfiguration configuration, SessionLimits limits, TimeProvider time) : IHostedService
{
    private static readonly TimeSpan s_sweepInterval = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, Session> _sessions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Task, bool> _endings = new();
    private readonly CancellationTokenSource _stopping = new();
    private Task _sweeps = Task.CompletedTask;

    /// <summary>The session of that id and kind, or why not: another's session looks like none, and so does one with another upstream.</summary>
    public (T? Session, Reason? Fault) Find<T>(string id, Caller caller) where T : Session => Judge<T>(_sessions.GetValueOrDefault(id), caller);

    /// <summary>The same of a session that was looked up.</summary>
    public static (T? Session, Reason? Fault) Judge<T>(Session? session, Caller caller) where T : Session
    {
        if (session is not T found)
            return (null, Reason.SessionUnknown);
        if (!session.BelongsTo(caller))
            return (null, Reason.SessionOfAnother);
        if (session.Audience != caller.Token.Audience)
            return (null, Reason.SessionUnknown);
        session.Use(caller);
        return (found, null);
    }

    public int Count(string transport) => _sessions.Count(session => session.Value.Transport == transport);

    /// <summary>Whether a caller may open another one: not where there are too many, or it has as many as it may and uses them all.</summary>
    public bool HasRoomFor(Caller caller)
    {
        if (_sessions.Count >= limits.All)
            return false;
        var own = _sessions.Values.Where(session => session.BelongsTo(caller)).ToList();
        return own.Count < limits.OfPrincipal || own.Exists(session => !session.IsInUse);
    }

    /// <summary>
    /// Records and opens a session. Most clients never close theirs, so a principal that has too many loses the one that was used
    /// longest ago, and none that is in use while there is another.
    /// </summary>
    /// <exception cref="AuditUnavailableException">There is no record, so there is no session.</exception>
    public async Task AddAsync(Session session, HttpContext context)
    {
        try
        {
            await log.AppendAsync(context.Attributed(new SessionOpened
            {
                Id = AuditLog.NewId(),
                Session = session.Id,
                Transport = session.Transport,
                Subject = session.Subject,
                Client = session.ClientId,
                Audience = session.Audience,
            }));
        }
        catch (AuditUnavailableException)
        {
            await session.DisposeAsync();
            throw;
        }
        var own = _sessions.Values.Where(other => other.Subject == session.Subject && other.ClientId == session.ClientId).ToList();
        _sessions[session.Id] = session;
        if (session.Ended is { } ended)
            _ = CloseWhenEndedAsync(session, ended);
        if (own.Count >= limits.OfPrincipal)
            await CloseAsync(own.OrderBy(other => other.IsInUse).ThenByDescending(other => other.Idle).First(), Reason.SessionLimit);
    }

    /// <summary>Ends the session, once. What stands behind it may take its time to end; nobody waits for that but the gate's own end.</summary>
    public async Task CloseAsync(Session session, Reason reason)
    {
        if (!_sessions.TryRemove(KeyValuePair.Create(session.Id, session)))
            return;
        try
        {
            await log.AppendInBackgroundAsync(new SessionClosed { Id = AuditLog.NewId(), Session = session.Id, Reason = reason });
        }
        catch (AuditUnavailableException)
        {
            // The log has closed and said so. The session ends all the same.
        }
        var ending = session.DisposeAsync().AsTask();
        _endings[ending] = true;
        _ = ending.ContinueWith(_ => _endings.TryRemove(ending, out var _), TaskScheduler.Default);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _sweeps = Task.Run(SweepAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _sweeps;
        await Task.WhenAll(_sessions.Values.Select(session => CloseAsync(session, Reason.ClosedGateStopping)));
        await Task.WhenAll(_endings.Keys).WaitAsync(cancellationToken);
    }

    private async Task CloseWhenEndedAsync(Session session, Task<Reason> ended) => await CloseAsync(session, await ended);

    private async Task SweepAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(s_sweepInterval, time, _stopping.Token);
                foreach (var session in _sessions.Values.Where(session => session.Idle > configuration.SessionIdleEnd))
                    await CloseAsync(session, Reason.ClosedIdle);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}
