using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Proof.Findings;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Findings;

/// <summary>
/// Sends findings to where the operator wants them, signed as Standard Webhooks has it. What cannot be delivered is tried again, less and less often, and given up after a day: it stands in the
/// log. Nobody waits for it.
/// </summary>
internal sealed partial class Webhook(WebhookSetting setting, TimeProvider time, ILogger<Webhook> logger) : BackgroundService
{
    /// <summary>Those that wait; beyond, a finding is not sent.</summary>
    public const int Most = 1_000;

    /// <summary>For one answer.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <summary>After the first failure; after each further one four times as long.</summary>
    public static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);

    public static readonly TimeSpan LongestPause = TimeSpan.FromHours(1);

    /// <summary>From the first attempt on.</summary>
    public static readonly TimeSpan GivenUpAfter = TimeSpan.FromDays(1);

    private const int Faster = 4;
    private const double Jitter = 0.2;

    private readonly long _begun = time.GetTimestamp();
    private readonly Lock _gate = new();
    private readonly PriorityQueue<Delivery, TimeSpan> _waiting = new();
    private TaskCompletionSource _offered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _complained;
    private bool _complainedOfMany;
    private bool _isGone;

    /// <summary>Takes a finding, as it stands in the log, to be sent.</summary>
    public void Offer(long index, FindingRaised finding, ReadOnlySpan<byte> leaf)
    {
        lock (_gate)
        {
            if (_isGone)
                return;
            if (_waiting.Count >= Most)
            {
                if (!_complainedOfMany)
                    LogMany(logger, Most, Host);
                _complainedOfMany = true;
                return;
            }
            _waiting.Enqueue(new(finding.Id, finding.Rule, index, Body(index, finding, leaf)), Now);
            _offered.TrySetResult();
        }
    }

    /// <summary><c>{"type":"finding.raised","timestamp":…,"data":{"number":…,"event":…}}</c>, with the very bytes that the log has.</summary>
    internal static byte[] Body(long index, FindingRaised finding, ReadOnlySpan<byte> leaf) =>
    [
        .. Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"type\":\"finding.raised\",\"timestamp\":{JsonSerializer.Serialize(finding.Time)},\"data\":{{\"number\":{index},\"event\":")),
        .. leaf,
        .. "}}"u8,
    ];

    /// <summary>How long until the next attempt, behind so many that failed.</summary>
    /// <param name="chance">From 0 to 1: so that not all who wait for one receiver come at once.</param>
    internal static TimeSpan PauseAfter(int failures, double chance)
    {
        // Long before that it is the longest one.
        var pause = FirstPause * Math.Pow(Faster, Math.Min(failures, 10) - 1);
        return (pause < LongestPause ? pause : LongestPause) * (1 - Jitter + 2 * Jitter * chance);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ActivityHeadersPropagator = null, PooledConnectionLifetime = TimeSpan.FromMinutes(1) })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        try
        {
            while (true)
                await SendAsync(http, await NextAsync(stoppingToken), stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            lock (_gate)
            {
                if (_waiting.Count > 0)
                    LogLeft(logger, _waiting.Count, Host);
            }
        }
    }

    /// <summary>The one that is due first, when it is.</summary>
    private async Task<Delivery> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task offered;
            var wait = Timeout.InfiniteTimeSpan;
            lock (_gate)
            {
                if (_waiting.TryPeek(out _, out var due))
                {
                    if (due <= Now)
                        return _waiting.Dequeue();
                    // A delay counts whole milliseconds.
                    wait = TimeSpan.FromMilliseconds(Math.Ceiling((due - Now).TotalMilliseconds));
                }
                _offered = new(TaskCreationOptions.RunContinuationsAsynchronously);
                offered = _offered.Task;
            }
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(offered, Task.Delay(wait, time, either.Token));
            await either.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async Task SendAsync(HttpClient http, Delivery delivery, CancellationToken cancellationToken)
    {
        delivery.FirstAttempt ??= Now;
        int? status;
        string why;
        TimeSpan? retryAfter;
        try
        {
            (status, why, retryAfter) = await AttemptAsync(http, delivery, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Wait(delivery, TimeSpan.Zero);
            throw;
        }
        if (status is >= 200 and < 300)
        {
            if (_complained)
                LogAgain(logger, Host);
            _complained = _complainedOfMany = false;
            return;
        }

        // It wants no more of them (Standard Webhooks, delivery success and failure).
        if (status == (int)HttpStatusCode.Gone)
        {
            lock (_gate)
            {
                _isGone = true;
                _waiting.Clear();
            }
            LogGone(logger, Host);
            return;
        }
        delivery.Failures++;
        if (!_complained)
            LogFailed(logger, Host, why);
        _complained = true;
        var pause = PauseAfter(delivery.Failures, RandomNumberGenerator.GetInt32(1 << 16) / (double)(1 << 16));
        if (retryAfter is { } asked && asked > pause)
            pause = asked < LongestPause ? asked : LongestPause;
        if (Now + pause - delivery.FirstAttempt > GivenUpAfter)
        {
            LogGivenUp(logger, delivery.Rule.Word(), delivery.Number, Host, delivery.Failures, why);
            return;
        }
        Wait(delivery, pause);
    }

    private void Wait(Delivery delivery, TimeSpan pause)
    {
        lock (_gate)
            _waiting.Enqueue(delivery, Now + pause);
    }

    private async Task<(int? Status, string Why, TimeSpan? RetryAfter)> AttemptAsync(HttpClient http, Delivery delivery, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            // The time is that of the attempt, the id that of the finding: who gets it twice can tell.
            var timestamp = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            using var request = new HttpRequestMessage(HttpMethod.Post, setting.Url)
            {
                Content = new ByteArrayContent(delivery.Body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
            };
            request.Headers.Add("webhook-id", delivery.Id);
            request.Headers.Add("webhook-timestamp", timestamp);
            request.Headers.Add("webhook-signature", setting.Sign(delivery.Id, timestamp, delivery.Body));
            request.Headers.UserAgent.Add(new("Sallyport", Product.Version.Split('+')[0]));
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            return ((int)response.StatusCode, string.Create(CultureInfo.InvariantCulture, $"it answers {(int)response.StatusCode}"), response.Headers.RetryAfter?.Delta);
        }
        catch (HttpRequestException exception)
        {
            return (null, exception.GetBaseException().Message, null);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, $"no answer within {Patience.TotalSeconds} s", null);
        }
    }

    /// <summary>What stands behind it may be a secret.</summary>
    private string Host => setting.Url.GetLeftPart(UriPartial.Authority);

    private TimeSpan Now => time.GetElapsedTime(_begun);

    [LoggerMessage(LogLevel.Warning, "A finding could not be sent to the webhook at {Host} ({Why}). It is tried again for a day, and stands in the log; this is told once until it succeeds.")]
    private static partial void LogFailed(ILogger logger, string host, string why);

    [LoggerMessage(LogLevel.Warning, "The webhook at {Host} takes findings again.")]
    private static partial void LogAgain(ILogger logger, string host);

    [LoggerMessage(LogLevel.Error, "The finding {Rule} (event {Number}) was not delivered to the webhook at {Host} after {Attempts} attempts ({Why}), and is given up. It stands in the log.")]
    private static partial void LogGivenUp(ILogger logger, string rule, long number, string host, int attempts, string why);

    [LoggerMessage(LogLevel.Error, "The webhook at {Host} answers that it is gone (410): no more findings are sent there until the gate starts anew. They stand in the log.")]
    private static partial void LogGone(ILogger logger, string host);

    [LoggerMessage(LogLevel.Error, "More than {Most} findings wait for the webhook at {Host}: further ones are not sent. They stand in the log.")]
    private static partial void LogMany(ILogger logger, int most, string host);

    [LoggerMessage(LogLevel.Warning, "The gate stops, and of its findings {Count} were not delivered to the webhook at {Host}. They stand in the log.")]
    private static partial void LogLeft(ILogger logger, int count, string host);

    private sealed class Delivery(string id, FindingRule rule, long number, byte[] body)
    {
        public string Id => id;
        public FindingRule Rule => rule;
        public long Number => number;
        public byte[] Body => body;
        public TimeSpan? FirstAttempt { get; set; }
        public int Failures { get; set; }
    }
}
