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
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Heartbeat;

/// <summary>
/// While the gate serves, it sends itself one request of each class of bad credential to each guarded way in, and one with a good one, through its
/// public address, at start and on a schedule. What they come to is an event for each upstream and round.
/// </summary>
internal sealed partial class HeartbeatService(
    GateConfiguration configuration, AuditLog log, OwnRequests own, Func<(Credentials, OwnTokens)> tools, EndpointDataSource endpoints,
    IHostApplicationLifetime lifetime, TimeProvider time, ILogger<HeartbeatService> logger) : BackgroundService
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>JSON, and no message: what lets it in by mistake can do nothing with it.</summary>
    private static readonly byte[] s_body = "{}"u8.ToArray();

    public static void Add(IServiceCollection services)
    {
        services.AddSingleton<Credentials>();
        services.AddSingleton<OwnTokens>();
        // Before the gate has started there are no keys.
        services.AddSingleton<Func<(Credentials, OwnTokens)>>(provider => () => (provider.GetRequiredService<Credentials>(), provider.GetRequiredService<OwnTokens>()));
        services.AddHostedService<HeartbeatService>();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The server stops listening before this is told to stop: what it does not answer then, nobody is to wonder about.
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        try
        {
            await StartedAsync(stopping.Token);
            var (ways, (credentials, ownTokens)) = (GuardedWays(), tools());
            using var http = PublicAddress.NewClient(new(configuration.PublicUrl));
            while (true)
            {
                foreach (var (upstream, itsWays) in ways)
                    await BeatAsync(new(http, upstream, credentials, await ownTokens.OfAsync(upstream.Audience, stopping.Token)), itsWays, stopping.Token);
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

    private async Task BeatAsync(Round round, List<Way> ways, CancellationToken cancellationToken)
    {
        // 1. Send. Where one cannot get there, the others are not kept waiting for the same.
        var answers = new List<(Way Way, HeartbeatAnswer Answer)>();
        foreach (var of in Credentials.All)
        {
            foreach (var way in ways)
            {
                if (await SendAsync(round, way, of, cancellationToken) is { } answer)
                    answers.Add((way, answer));
            }
        }

        cancellationToken.ThrowIfCancellationRequested();

        // 2. Record.
        var answered = new HeartbeatAnswered
        {
            Id = AuditLog.NewId(),
            Audience = round.Upstream.Audience,
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
        if (round.Away is { } away)
            LogAway(logger, configuration.PublicUrl, away);
        foreach (var (status, text) in answered.Answers.Select(answer => HeartbeatRule.Judge(answer)))
        {
            if (status == ClaimStatus.Refuted)
                LogWrong(logger, answered.Audience, text);
        }
    }

    /// <returns>What came of it; null where there was nothing to send.</returns>
    private async Task<HeartbeatAnswer?> SendAsync(Round round, Way way, HeartbeatClass of, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(new(way.Method), way.Path);
        request.Headers.Accept.ParseAdd("application/json, text/event-stream");
        if (way.Method == HttpMethod.Post.Method)
            request.Content = new ByteArrayContent(s_body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        if (!round.Credentials.Put(of, request, round.Upstream, round.Tokens, round.Session))
            return null;
        if (round.Away is not null)
            return new(of, ByGate: false);
        var mine = own.Begin(way.Method, way.Path);
        request.Headers.Add(OwnRequests.MarkHeader, mine.Mark);
        HeartbeatAnswer Answer(int? status) => new(of, mine.Passed || mine.Reason is not null, status, mine.Reason);
        using var patience = new CancellationTokenSource(s_patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            using var response = await round.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            if (of == HeartbeatClass.Good && mine.Passed && response.Headers.TryGetValues(McpHeader.Session, out var sessions))
                round.Session = sessions.First();
            return Answer((int)response.StatusCode);
        }
        catch (HttpRequestException exception)
        {
            round.Away = exception.GetBaseException().Message;
            return Answer(null);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            round.Away = $"no answer within {s_patience.TotalSeconds} s";
            return Answer(null);
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

    /// <summary>One of an upstream.</summary>
    /// <param name="Tokens">Those of the gate's own that were stored.</param>
    private sealed record Round(HttpClient Http, UpstreamSetting Upstream, Credentials Credentials, IReadOnlyDictionary<HeartbeatClass, string> Tokens)
    {
        /// <summary>Why the public address is away; null where it is not.</summary>
        public string? Away { get; set; }
        /// <summary>The one that the good token was given.</summary>
        public string? Session { get; set; }
    }

    private sealed record Way(string Method, string Path)
    {
        public override string ToString() => $"{Method} {Path}";
    }
}
