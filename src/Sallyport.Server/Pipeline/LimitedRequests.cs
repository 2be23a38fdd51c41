using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;

namespace Sallyport.Server.Pipeline;

/// <summary>
/// Answers and records requests that were too many. A flood of them is no flood of events: of those that are alike the first is recorded
/// at once, and the others of that minute as one event with their number.
/// </summary>
internal sealed class LimitedRequests(AuditLog log, RequestLimits limits, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    /// <summary>Beyond this many kinds, the source is no longer told apart.</summary>
    private const int Most = 10_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<(Reason, string Path, string? Client, string? Source), Series> _series = [];

    public async Task AnswerAsync(HttpContext context, RequestLimitedException limited)
    {
        context.Response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(limited.RetryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        await RecordAsync(context, limited.Reason, Recording.Cut(context.Request.Path), limited.Client);
        await context.WritePageOrJsonAsync(limited.Reason);
    }

    /// <summary>
    /// Counts the refusal of a caller who showed no token that there is, where its source has had too many: anybody can be refused, and the
    /// log is not to grow by that. The answer stays the same. False where the refusal gets an event of its own.
    /// </summary>
    public async Task<bool> TryCountAsync(HttpContext context, AccessRefused refused)
    {
        if (refused.Token is not null || limits.HasRoomForRefusal(context))
            return false;
        // The route, as there are few of those.
        await RecordAsync(context, refused.Reason, (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "*", client: null);
        return true;
    }

    private async Task RecordAsync(HttpContext context, Reason reason, string path, string? client)
    {
        var limited = context.Attributed(new RequestsLimited { Id = AuditLog.NewId(), Reason = reason, Path = path, Client = client, Count = 1 });
        if (Count(limited) is { } first)
            context.NameEvent(first);
        else
            await context.RecordAsync(limited);
    }

    /// <summary>Records those whose minute is over, or all of them.</summary>
    public async Task SweepAsync(bool all)
    {
        List<Series> over;
        lock (_gate)
        {
            over = [.. _series.Values.Where(series => all || time.GetElapsedTime(series.Since) >= s_window)];
            foreach (var series in over)
                _series.Remove(series.Key);
        }
        foreach (var series in over.Where(series => series.Others > 0))
            await log.AppendInBackgroundAsync(series.First with { Id = AuditLog.NewId(), Count = series.Others });
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (log.IsOpen)
            await SweepAsync(all: true);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(s_interval, time, stoppingToken);
            try
            {
                await SweepAsync(all: false);
            }
            catch (AuditUnavailableException)
            {
                // The log has closed and said so; nobody is let in any more.
            }
        }
    }

    /// <summary>The event of the first of its kind in this minute; null when this is the first.</summary>
    private string? Count(RequestsLimited refused)
    {
        lock (_gate)
        {
            var key = (refused.Reason, refused.Path, refused.Client, _series.Count < Most ? refused.Source : null);
            if (_series.TryGetValue(key, out var series))
            {
                series.Others++;
                return series.First.Id;
            }
            _series.Add(key, new(key, refused, time.GetTimestamp()));
            return null;
        }
    }

    private sealed record Series((Reason, string, string?, string?) Key, RequestsLimited First, long Since)
    {
        public long Others { get; set; }
    }
}
