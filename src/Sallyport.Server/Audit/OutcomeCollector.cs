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
    public void Forwarded(string access, Reason? unanswered) => _outcomes.Writer.TryWrite(new(access, Forwarded: true, unanswered));

    public void NotForwarded(string access, Reason reason) => _outcomes.Writer.TryWrite(new(access, Forwarded: false, reason));

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
                await log.AppendInBackgroundAsync(new AccessOutcome
                {
                    Id = AuditLog.NewId(),
                    Forwarded = [.. outcomes.Where(outcome => outcome.Forwarded).Select(outcome => outcome.Access)],
                    NotForwarded = Failures(outcomes.Where(outcome => !outcome.Forwarded)),
                    Unanswered = Failures(outcomes.Where(outcome => outcome.Forwarded)),
                });
            }
            catch (AuditUnavailableException)
            {
                // The log has closed and said so. A missing outcome is what a reader of it will see, which is the truth.
                return;
            }
        }
    }

    private static List<AccessFailure> Failures(IEnumerable<Outcome> outcomes) =>
        [.. outcomes.Where(outcome => outcome.Reason is not null).Select(outcome => new AccessFailure(outcome.Access, outcome.Reason!.Value))];

    private sealed record Outcome(string Access, bool Forwarded, Reason? Reason);
}
