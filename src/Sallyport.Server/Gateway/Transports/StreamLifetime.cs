using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Guard;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>How long an answer may stream: while its caller is there, its token is good, and the gate is not stopping.</summary>
internal sealed class StreamLifetime : IDisposable
{
    /// <summary>How long calls may go on when the gate stops; less than the host gives its services (30 s).</summary>
    public static readonly TimeSpan Drain = TimeSpan.FromSeconds(10);

    private readonly CancellationToken _stopping;
    private readonly CancellationTokenSource _drained = new();
    private readonly CancellationTokenRegistration _registration;
    private ITimer? _limit;

    public StreamLifetime(IHostApplicationLifetime application, TimeProvider time)
    {
        _stopping = application.ApplicationStopping;
        _registration = _stopping.Register(() =>
            _limit = time.CreateTimer(static drained => ((CancellationTokenSource)drained!).Cancel(), _drained, Drain, Timeout.InfiniteTimeSpan));
    }

    /// <summary>The gate begins to stop.</summary>
    public CancellationToken Stopping => _stopping;

    /// <param name="drains">Whether a call is answered: it may end by itself while the gate stops. A stream that waits for whatever comes ends at once.</param>
    public CancellationTokenSource Of(HttpContext context, Caller caller, CancellationToken session = default, bool drains = false) =>
        CancellationTokenSource.CreateLinkedTokenSource(
            [context.RequestAborted, caller.Token.Ended, drains ? _drained.Token : _stopping, session]);

    /// <summary>How the caller's token ended, if it did.</summary>
    public static Reason? WhyEnded(Caller caller) =>
        !caller.Token.Ended.IsCancellationRequested ? null : caller.Token.WhyEnded ?? Reason.TokenExpired;

    /// <summary>Why what was answered while <see cref="Of"/> lasted was cut.</summary>
    public static Reason WhyCut(HttpContext context, Caller caller) =>
        context.RequestAborted.IsCancellationRequested ? Reason.CallerLeft : WhyEnded(caller) ?? Reason.ClosedGateStopping;

    public void Dispose()
    {
        _registration.Dispose();
        _limit?.Dispose();
        _drained.Dispose();
    }
}
