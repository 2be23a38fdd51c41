using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Guard;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>How long an answer may stream: while its caller is there, its token is good, and the gate is not stopping.</summary>
internal sealed class StreamLifetime(IHostApplicationLifetime application)
{
    public CancellationTokenSource Of(HttpContext context, Caller caller, CancellationToken session = default) =>
        CancellationTokenSource.CreateLinkedTokenSource(
            [context.RequestAborted, caller.Token.Ended, application.ApplicationStopping, session]);

    /// <summary>How the caller's token ended, if it did.</summary>
    public static Reason? WhyEnded(Caller caller) =>
        !caller.Token.Ended.IsCancellationRequested ? null
        : caller.Token.IsRevoked ? Reason.TokenRevoked
        : Reason.TokenExpired;
}
