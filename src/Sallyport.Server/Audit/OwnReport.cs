using Sallyport.Proof.Report;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Audit;

/// <summary>
/// The status report of the log that this process is writing, for callers from outside. A reading takes the longer the longer the log is: there is one at a time, and after
/// it the log is left alone for <see cref="RestFactor"/> times as long, so that nobody can keep the gate busy by asking.
/// </summary>
internal sealed class OwnReport(DataDirectory directory, TimeProvider time)
{
    private const int RestFactor = 9;

    private readonly SemaphoreSlim _one = new(1, 1);
    private (string? Subject, StatusReport Report)? _last;
    private DateTimeOffset _restsUntil;

    /// <param name="subject">Whose events are shown; null for everybody's. The claims are about the whole log all the same.</param>
    /// <returns>The report, which may be the one before; or how long to wait.</returns>
    public async Task<(StatusReport? Report, TimeSpan Wait)> GetAsync(string? subject, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            var rest = _restsUntil - time.GetUtcNow();
            if (rest > TimeSpan.Zero)
                return _last is { } last && last.Subject == subject ? (last.Report, TimeSpan.Zero) : (null, rest);
            var startedAt = time.GetTimestamp();
            try
            {
                var report = await Task.Run(() => LogReporting.Run(new(directory.Log), key: null, [], new() { Subject = subject }, withNames: false, _ => cancellationToken.ThrowIfCancellationRequested()), cancellationToken);
                _last = (subject, report);
                return (report, TimeSpan.Zero);
            }
            finally
            {
                _restsUntil = time.GetUtcNow() + RestFactor * time.GetElapsedTime(startedAt);
            }
        }
        finally
        {
            _one.Release();
        }
    }
}
