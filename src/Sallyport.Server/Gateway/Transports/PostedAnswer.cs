using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>What is answered to a POST out of a conversation: JSON where the answer comes first and soon, else a stream that ends with it.</summary>
internal sealed class PostedAnswer(HttpContext context, McpRequest request, TimeProvider time)
{
    private const int HeaderMismatch = -32020, MissingCapability = -32021, UnsupportedVersion = -32022;

    private readonly EventStream _stream = new(context, time);

    /// <summary>A batch has a stream.</summary>
    public async Task WriteAsync(MessageQueue answers, ChannelSession session, CancellationToken cancellationToken)
    {
        if (!request.IsBatch)
        {
            var first = answers.WaitToReadAsync(cancellationToken).AsTask();
            var soon = await _stream.ComesInTimeAsync(first, cancellationToken);
            if (soon && await first && answers.TryPeek(out var message) && IsAnswer(message, out var answer))
            {
                MeasuredRequest.Of(context)?.Answered(answer.ErrorCode);
                context.Response.StatusCode = request.IsStateless ? StatusOf(answer.ErrorCode) : StatusCodes.Status200OK;
                context.Response.ContentType = "application/json";
                context.Response.ContentLength = message.Length;
                await context.WriteAsync(message, cancellationToken);
                return;
            }
            // The server ended: that is an error, which needs no stream. Or the request was taken back.
            if (soon && !await first && session.HasEnded)
                return;
            await _stream.StartAsync(cancellationToken);
            await first;
        }
        else
        {
            await _stream.StartAsync(cancellationToken);
        }
        await _stream.RelayAsync(answers, cancellationToken);
    }

    /// <summary>Why requests got no answer.</summary>
    /// <param name="closed">What it means that the session was closed.</param>
    public async Task<Reason> WhyUnansweredAsync(Caller caller, ChannelSession session, Reason closed) =>
        StreamLifetime.WhyCut(context, caller) is var cut and not Reason.ClosedGateStopping ? cut
        : session.HasEnded && !session.Closed.IsCancellationRequested ? await session.Ended
        : session.Closed.IsCancellationRequested ? closed
        : Reason.ClosedGateStopping;

    /// <summary>Tells a caller who is still there of requests that get no answer any more.</summary>
    public async Task GiveUpAsync(IReadOnlyList<McpMessage> unanswered, Reason reason)
    {
        if (unanswered.Count == 0 || context.RequestAborted.IsCancellationRequested)
            return;
        if (!context.Response.HasStarted)
            await JsonRpcError.WriteAsync(context, reason, request.Message);
        else if (context.Response.ContentType == EventStream.ContentType)
            _stream.GiveUp(unanswered, reason);
    }

    private bool IsAnswer(byte[] line, out McpMessage message) =>
        McpMessage.Scan(line, out message) == McpScan.Message && message.Kind == McpMessageKind.Response && message.IdKey == request.Message.IdKey;

    /// <summary>The protocol's own errors have a status over HTTP (2026-07-28, Streamable HTTP); any other is an answer.</summary>
    private static int StatusOf(int? error) => error switch
    {
        JsonRpcError.MethodNotFound => StatusCodes.Status404NotFound,
        HeaderMismatch or MissingCapability or UnsupportedVersion => StatusCodes.Status400BadRequest,
        _ => StatusCodes.Status200OK,
    };
}
