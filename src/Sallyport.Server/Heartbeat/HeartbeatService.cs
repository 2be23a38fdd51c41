using System.Net.Http.Headers;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;

namespace Sallyport.Server.Heartbeat;

/// <summary>
/// While the gate serves, it sends itself one request of each class of bad credential to each guarded way in, through its public address, at
/// start and on a schedule. What they come to is an event for each upstream and round.
/// </summary>
internal sealed partial class HeartbeatService(
    GateConfiguration configuration, AuditLog log, OwnRequests own, Func<BadCredentials> credentials, EndpointDataSource endpoints,
    IHostApplicationLifetime lifetime, TimeProvider time, ILogger<HeartbeatService> logger) : BackgroundService
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>JSON, and no message: what lets it in by mistake can do nothing with it.</summary>
    private static readonly byte[] s_body = "{}"u8.ToArray();

    public static void Add(IServiceCollection services)
    {
        services.AddSingleton<BadCredentials>();
        // Before the gate has started there are no keys.
        services.AddSingleton<Func<BadCredentials>>(provider => provider.GetRequiredService<BadCredentials>);
        services.AddHostedService<HeartbeatService>();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The server stops listening before this is told to stop: what it does not answer then, nobody is to wonder about.
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        try
        {
            await StartedAsync(stopping.Token);
            var ways = GuardedWays();
            using var http = PublicAddress.NewClient(new(configuration.PublicUrl));
            while (true)
            {
                foreach (var (upstream, itsWays) in ways)
                    await BeatAsync(http, upstream, itsWays, stopping.Token);
                await Task.Delay(configuration.HeartbeatInterval, time, stopping.Token);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }
    }

    /// <summary>Nobody listens before.</summary>
    private async Task StartedAsync(CancellationToken cancellationToken)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = lifetime.ApplicationStarted.Register(started.SetResult);
        await started.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Out of the endpoint table itself, so that none can be forgotten.</summary>
    private List<(UpstreamSetting Upstream, List<Way> Ways)> GuardedWays() =>
    [
        .. from endpoint in endpoints.Endpoints.OfType<RouteEndpoint>()
           let upstream = endpoint.Metadata.GetMetadata<UpstreamSetting>()
           where upstream is not null && endpoint.Metadata.GetMetadata<PathPolicy>() is { Guard: PathGuard.Token }
           from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? []
           group new Way(method, endpoint.RoutePattern.RawText!) by upstream into its
           select (its.Key, its.ToList()),
    ];

    private async Task BeatAsync(HttpClient http, UpstreamSetting upstream, List<Way> ways, CancellationToken cancellationToken)
    {
        // 1. Send. Where one cannot get there, the others are not kept waiting for the same.
        var answers = new List<(Way Way, HeartbeatAnswer Answer)>();
        string? away = null;
        foreach (var of in BadCredentials.All)
        {
            foreach (var way in ways)
            {
                var answer = new HeartbeatAnswer(of, ByGate: false);
                if (away is null)
                    (answer, away) = await SendAsync(http, upstream, way, of, cancellationToken);
                answers.Add((way, answer));
            }
        }

        cancellationToken.ThrowIfCancellationRequested();

        // 2. Record.
        var answered = new HeartbeatAnswered
        {
            Id = AuditLog.NewId(),
            Audience = upstream.Audience,
            Interval = (int)configuration.HeartbeatInterval.TotalSeconds,
            Ways = [.. ways.Select(way => way.ToString())],
            Answers =
            [
                .. from sent in answers
                   group sent.Way.ToString() by sent.Answer into alike
                   select alike.Count() == ways.Count ? alike.Key : alike.Key with { Ways = [.. alike] },
            ],
        };
        try
        {
            await log.AppendInBackgroundAsync(answered);
        }
        catch (AuditUnavailableException)
        {
            // The log has closed and said so; nobody is let in any more.
        }

        // 3. Shout.
        if (away is not null)
            LogAway(logger, configuration.PublicUrl, away);
        foreach (var (status, text) in answered.Answers.Select(HeartbeatRule.Judge))
        {
            if (status == ClaimStatus.Refuted)
                LogWrong(logger, upstream.Audience, text);
        }
    }

    /// <returns>What came of it, and why the public address is away where it is.</returns>
    private async Task<(HeartbeatAnswer Answer, string? Away)> SendAsync(HttpClient http, UpstreamSetting upstream, Way way, HeartbeatClass of, CancellationToken cancellationToken)
    {
        var mine = own.Begin(way.Method, way.Path);
        using var patience = new CancellationTokenSource(s_patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            using var request = new HttpRequestMessage(new(way.Method), way.Path);
            request.Headers.Add(OwnRequests.MarkHeader, mine.Mark);
            request.Headers.Accept.ParseAdd("application/json, text/event-stream");
            if (way.Method == HttpMethod.Post.Method)
                request.Content = new ByteArrayContent(s_body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            credentials().Put(of, request, upstream);
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            return (new(of, mine.Reason is not null, (int)response.StatusCode, mine.Reason), null);
        }
        catch (HttpRequestException exception)
        {
            return (new(of, mine.Reason is not null, Status: null, mine.Reason), exception.GetBaseException().Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (new(of, mine.Reason is not null, Status: null, mine.Reason), $"no answer within {s_patience.TotalSeconds} s");
        }
        finally
        {
            own.End(mine);
        }
    }

    [LoggerMessage(LogLevel.Critical, "A HEARTBEAT GOT A WRONG ANSWER at {Audience}: {Text}. Somebody may be let in without a valid token: look at what stands before the gate, and at its version.")]
    private static partial void LogWrong(ILogger logger, string audience, string text);

    [LoggerMessage(LogLevel.Warning, "The gate cannot reach its own public address {PublicUrl} from here ({Why}): whether bad credentials are refused there is not known. Make it reachable from this machine, or set heartbeat-seconds to 0.")]
    private static partial void LogAway(ILogger logger, string publicUrl, string why);

    private sealed record Way(string Method, string Path)
    {
        public override string ToString() => $"{Method} {Path}";
    }
}
