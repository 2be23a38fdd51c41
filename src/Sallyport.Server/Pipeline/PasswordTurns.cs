using System.Threading.RateLimiting;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Pipeline;

/// <summary>
/// Looking at a password takes a tenth of a second of a processor, on purpose. So it is one at a time for each source, which is how
/// sources share, and altogether so many that a processor is left for everything else.
/// </summary>
internal sealed class PasswordTurns : IAsyncDisposable
{
    private readonly PartitionedRateLimiter<string> _ofSource = PartitionedRateLimiter.Create<string, string>(static source =>
        RateLimitPartition.GetConcurrencyLimiter(source, static _ => Queue(1, Limits.WaitingPasswordsPerSource)));

    private readonly ConcurrencyLimiter _all = new(Queue(Math.Max(1, Environment.ProcessorCount - 1), Limits.WaitingPasswords));

    /// <summary>Waits for a turn, which ends when it is disposed of. Null when too many wait.</summary>
    public async Task<IDisposable?> WaitAsync(string source, CancellationToken cancellationToken)
    {
        var ofSource = await _ofSource.AcquireAsync(source, cancellationToken: cancellationToken);
        try
        {
            if (ofSource.IsAcquired && await _all.AcquireAsync(cancellationToken: cancellationToken) is { IsAcquired: true } ofAll)
                return new Turn(ofSource, ofAll);
        }
        catch
        {
            ofSource.Dispose();
            throw;
        }
        ofSource.Dispose();
        return null;
    }

    public async ValueTask DisposeAsync()
    {
        await _ofSource.DisposeAsync();
        await _all.DisposeAsync();
    }

    private static ConcurrencyLimiterOptions Queue(int atOnce, int waiting) =>
        new() { PermitLimit = atOnce, QueueLimit = waiting, QueueProcessingOrder = QueueProcessingOrder.OldestFirst };

    private sealed class Turn(RateLimitLease ofSource, RateLimitLease ofAll) : IDisposable
    {
        public void Dispose()
        {
            ofAll.Dispose();
            ofSource.Dispose();
        }
    }
}
