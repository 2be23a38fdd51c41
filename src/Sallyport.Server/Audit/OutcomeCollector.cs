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

    private readonly Channel<(string Access, Reason? NotForwarded)> _outcomes = Channel.CreateUnbounded<(string, Reason?)>(new() { SingleReader = true });
    private readonly TaskCompletionSource _stopping = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _loop = Task.CompletedTask;

    public void Forwarded(string access) => _outcomes.Writer.TryWrite((access, null));

    public void NotForwarded(string access, Reason reason) => _outcomes.Writer.TryWrite((access, reason));

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
        await _loop;
    }

    private async Task CollectAsync()
    {
        var reader = _outcomes.Reader;
        while (await reader.WaitToReadAsync())
        {
            await Task.WhenAny(Task.Delay(s_interval, time), _stopping.Task);
            var forwarded = new List<string>();
            var notForwarded = new List<AccessNotForwarded>();
            while (forwarded.Count + notForwarded.Count < MostPerEvent && reader.TryRead(out var outcome))
            {
                if (outcome.NotForwarded is { } reason)
                    notForwarded.Add(new(outcome.Access, reason));
                else
                    forwarded.Add(outcome.Access);
            }
            try
            {
                await log.AppendAsync(new AccessOutcome { Id = AuditLog.NewId(), Forwarded = forwarded, NotForwarded = notForwarded });
            }
            catch (AuditUnavailableException)
            {
                // The log has closed and said so. A missing outcome is what a reader of it will see, which is the truth.
                return;
            }
        }
    }
}
