using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Sallyport.Proof.Events;

namespace Sallyport.Server.Audit;

/// <summary>
/// What became of allowed accesses, several in one event: the access itself is recorded before it happens, its outcome may follow.
/// </summary>
internal sealed class OutcomeCollector(AuditLog log, TimeProvider time) : IHostedService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);
    private const int MostPerEvent = 500;

    private readonly Channel<Outcome> _outcomes = Channel.CreateUnbounded<Outcome>();
    private readonly TaskCompletionSource _stopping = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _loop = Task.CompletedTask;

    /// <summary>The upstream saw it; <paramref name="unanswered"/> says why there was no usable answer.</summary>
    public void Forwarded(string access, Reason? unanswered) => _outcomes.Writer.TryWrite(new(access, OutcomeKind.Forwarded, unanswered));

    public void NotForwarded(string access, Reason reason) => _outcomes.Writer.TryWrite(new(access, OutcomeKind.NotForwarded, reason));

    /// <summary>The standing stream that the access had opened is over.</summary>
    public void StreamEnded(string access) => _outcomes.Writer.TryWrite(new(access, OutcomeKind.StreamEnded, null));

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _loop = Task.Run(CollectAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <summary>Everything collected is in the log when this ends.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _outcomes.Writer.TryComplete();
        _stopping.TrySetResult();
        await _loop.WaitAsync(cancellationToken);
    }

    private async Task CollectAsync()
    {
        var reader = _outcomes.Reader;
        while (await reader.WaitToReadAsync())
        {
            // A little patience makes one event of many; under load there are enough without it.
            if (reader.Count < MostPerEvent)
                await Task.WhenAny(Task.Delay(s_interval, time), _stopping.Task);
            var outcomes = new List<Outcome>();
            while (outcomes.Count < MostPerEvent && reader.TryRead(out var outcome))
                outcomes.Add(outcome);
            try
            {
                await log.AppendInBackgroundAsync(EventOf(outcomes));
            }
            catch (AuditUnavailableException)
            {
                // The log has closed and said so. A missing outcome is what a reader of it will see, which is the truth.
                return;
            }
        }
    }

    private static AccessOutcome EventOf(List<Outcome> outcomes)
    {
        List<string> forwarded = [];
        List<AccessFailure> notForwarded = [], unanswered = [];
        List<string>? ended = null;
        foreach (var (access, kind, reason) in outcomes)
        {
            if (kind == OutcomeKind.StreamEnded)
                (ended ??= []).Add(access);
            else if (kind == OutcomeKind.NotForwarded)
                notForwarded.Add(new(access, reason!.Value));
            else
                forwarded.Add(access);
            if (kind == OutcomeKind.Forwarded && reason is { } why)
                unanswered.Add(new(access, why));
        }
        return new() { Id = AuditLog.NewId(), Forwarded = forwarded, NotForwarded = notForwarded, Unanswered = unanswered, StreamsEnded = ended };
    }

    private enum OutcomeKind
    {
        Forwarded,
        NotForwarded,
        StreamEnded,
    }

    private sealed record Outcome(string Access, OutcomeKind Kind, Reason? Reason);
}
