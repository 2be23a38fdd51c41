using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Proof.Findings;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Index;
using Sallyport.Server.Configuration;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Findings;

/// <summary>How much of a log a start reads back, in the background; docs/findings.md says what that means for the busiest gates.</summary>
/// <param name="Events">Seconds, on one core.</param>
/// <param name="Segments">Likewise, of the index: 8 GB of a log.</param>
internal sealed record ReadBackLimits(long Events = 2_000_000, int Segments = 500);

/// <summary>
/// Reads what the gate writes into its log, behind it, and records what the rules make a finding of. Nobody waits for it. A finding is told once it stands in the log, and by what stands there.
/// </summary>
/// <remarks>
///     at start: [1 what stands of the last days] ▶ [2 what the rules look back to] ▶ [3 what was left to say] ▶ from then on, each second: [4 read on, record, tell]
/// </remarks>
internal sealed partial class FindingsService : IHostedService, IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    /// <summary>What a gate that was killed had not come to say is said at the next start, if it is not older.</summary>
    private static readonly TimeSpan s_leftToSay = TimeSpan.FromDays(1);

    private readonly AuditLog _log;
    private readonly DataDirectory _directory;
    private readonly ReadBackLimits _limits;
    private readonly TimeProvider _time;
    private readonly ILogger<FindingsService> _logger;
    private readonly Webhook? _webhook;
    private readonly Counter<long> _count;
    private readonly SourceNetworks _networks;
    private readonly FindingRules _rules;
    private readonly CancellationTokenSource _stopping = new();
    private JournalFollower? _follower;
    private Task _loop = Task.CompletedTask;
    private long _read;
    private bool _complained;

    public FindingsService(AuditLog log, DataDirectory directory, ReadBackLimits limits, GateMeter meter, TimeProvider time, ILogger<FindingsService> logger, IEnumerable<Webhook> webhooks)
    {
        (_log, _directory, _limits, _time, _logger) = (log, directory, limits, time, logger);
        _webhook = webhooks.SingleOrDefault();
        _count = meter.Counter("sallyport.findings", "{finding}", "Findings that were recorded, by their rule.");
        _networks = new(directory, time);
        _rules = new(_networks.Of);
    }

    /// <summary>How many events it has read, and said what it found in them.</summary>
    public long Read => Volatile.Read(ref _read);

    public static void Add(IServiceCollection services, GateConfiguration configuration)
    {
        services.TryAddSingleton(new ReadBackLimits());
        if (configuration.Webhook is { } setting)
        {
            services.AddSingleton(provider => new Webhook(setting, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<Webhook>>()));
            services.AddHostedService(provider => provider.GetRequiredService<Webhook>());
        }
        services.AddHostedService<FindingsService>();
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // What this process writes is told; what stands before is read back.
        var begin = _read = _log.Length;
        _loop = Task.Run(() => RunAsync(begin), CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <summary>What was written until now is judged before the log is closed.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _loop.WaitAsync(cancellationToken);
    }

    public void Dispose() => _stopping.Dispose();

    private async Task RunAsync(long begin)
    {
        var left = new List<FindingRaised>();
        Try(() => left = ReadBack(begin));
        _follower = new(_directory.Log, begin);
        try
        {
            // 3. In the order of the log, as if they had been said in time.
            foreach (var finding in left)
                await RecordAsync(finding);
            while (true)
            {
                await ReadOnAsync();
                await Task.Delay(s_interval, _time, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            await EndAsync();
        }
        catch (AuditUnavailableException)
        {
            // The log has closed and said so; there is nothing more to find.
        }
        catch (Exception exception)
        {
            LogEnded(_logger, exception);
        }
    }

    private async Task EndAsync()
    {
        try
        {
            await ReadOnAsync();
        }
        catch (AuditUnavailableException)
        {
            // Likewise.
        }
    }

    /// <summary>What of the last day the rules find and nobody has said.</summary>
    private List<FindingRaised> ReadBack(long end)
    {
        var left = new List<FindingRaised>();
        var now = _time.GetUtcNow();
        var begin = BeginOf(now, end);

        // 1. So that it is not said again, also where the rules read less far back.
        if (now - TimeOf(begin) < 2 * s_leftToSay)
        {
            var standing = EventSearch.NewestFirst(_directory.Log, new() { Types = ["finding.raised"], Since = TimeOf(begin) - 2 * s_leftToSay }, _limits.Segments)
                .Where(leaf => leaf.Index < begin && EventOf(leaf.Bytes) is FindingRaised);
            foreach (var leaf in standing.Reverse())
                Observe(leaf.Index, leaf.Bytes, static _ => { });
        }

        // 2.
        foreach (var leaf in JournalFiles.ReadFrom(_directory.Log, begin, end))
        {
            if (_stopping.IsCancellationRequested)
                return [];
            if (Observe(leaf.Index, leaf.Bytes, left.Add) is FindingRaised standing)
                left.RemoveAll(finding => FindingRules.AreAlike(finding, standing));
        }
        _networks.Rest();
        left.RemoveAll(finding => now - finding.Time > s_leftToSay);
        return left;
    }

    /// <summary>The first leaf of the newest segment that begins as long ago as any rule looks back, or far enough from the end.</summary>
    private long BeginOf(DateTimeOffset now, long end)
    {
        var segments = JournalFiles.Segments(_directory.Log).Where(segment => segment.FirstIndex < end).Reverse();
        return segments.Select(segment => segment.FirstIndex).FirstOrDefault(first => end - first > _limits.Events || now - TimeOf(first) >= FindingRules.LooksBack);
    }

    private DateTimeOffset? TimeOf(long index) => JournalFiles.ReadFrom(_directory.Log, index, index + 1).Select(leaf => EventOf(leaf.Bytes)?.Time).FirstOrDefault();

    /// <summary>Reads what has come, records what the rules find in it, and reads that too.</summary>
    private async Task ReadOnAsync()
    {
        if (_read >= _log.Length)
        {
            _networks.Rest();
            return;
        }
        var read = _read;
        for (var found = new List<FindingRaised>(); ; found.Clear())
        {
            Try(() => _follower!.ReadNew(long.MaxValue, (index, leaf) =>
            {
                read = index + 1;
                if (Observe(index, leaf, found.Add) is FindingRaised standing)
                    Tell(index, standing, leaf);
            }));
            _networks.Rest();
            if (found.Count == 0)
            {
                Volatile.Write(ref _read, read);
                return;
            }
            foreach (var finding in found)
                await RecordAsync(finding);
        }
    }

    private AuditEvent? Observe(long index, ReadOnlySpan<byte> leaf, Action<FindingRaised> found)
    {
        if (EventOf(leaf) is not { } next)
            return null;
        foreach (var finding in _rules.Observe(index, next))
            found(finding);
        return next;
    }

    /// <summary>Null where a later version wrote it, or another hand.</summary>
    private static AuditEvent? EventOf(ReadOnlySpan<byte> leaf)
    {
        try
        {
            return AuditEventJson.Read(leaf);
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }

    private async Task RecordAsync(FindingRaised finding) => await _log.AppendInBackgroundAsync(finding with { Id = AuditLog.NewId() });

    private void Tell(long index, FindingRaised finding, ReadOnlySpan<byte> leaf)
    {
        _count.Add(1, new KeyValuePair<string, object?>("rule", finding.Rule.Word()));
        _webhook?.Offer(index, finding, leaf);
    }

    /// <summary>What fails is told, once until it has succeeded again.</summary>
    private void Try(Action read)
    {
        try
        {
            read();
            _complained = false;
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            if (!_complained)
                LogUnread(_logger, _directory.Log, exception);
            _complained = true;
        }
    }

    [LoggerMessage(LogLevel.Error, "Nothing more is found in the log until the next start: its reader failed.")]
    private static partial void LogEnded(ILogger logger, Exception exception);

    [LoggerMessage(LogLevel.Warning, "The log in {Directory} could not be read back, so that nothing is found in it; it is tried again.")]
    private static partial void LogUnread(ILogger logger, string directory, Exception exception);
}
