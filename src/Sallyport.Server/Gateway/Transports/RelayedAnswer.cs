using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Protocol;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>
/// The answer of a Streamable HTTP server on its way to the client. Only what is a message passes: what the server says in other words is
/// between it and the gate.
/// </summary>
internal sealed class RelayedAnswer(HttpContext context, HttpResponseMessage response, McpRequest? request, Allowed allowed)
{
    private static readonly string[] s_headers = ["Allow", "Retry-After", McpHeader.Revision];

    private byte[]? _body;

    /// <summary>The session that this opens; how it does, the answer to <c>initialize</c> says.</summary>
    public RelayedSession? Opened { private get; set; }

    /// <summary>Why its stream brought no answer, or could not be read to its end.</summary>
    public UpstreamException? Fault { get; private set; }

    public bool IsStream => response.IsSuccessStatusCode && response.Content.Headers.ContentType?.MediaType == EventStream.ContentType;

    /// <summary>Whether this refuses <c>initialize</c> as a server of HTTP+SSE does, which knows no POST there.</summary>
    public async Task<bool> IsOfAnotherTransportAsync(CancellationToken cancellationToken)
    {
        if ((int)response.StatusCode is not (StatusCodes.Status400BadRequest or StatusCodes.Status404NotFound or StatusCodes.Status405MethodNotAllowed)
            || IsAnswer(await ReadAsync(cancellationToken)))
            return false;
        allowed.Forwarded(Reason.UpstreamFailed);
        return true;
    }

    public async Task WriteAsync(CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        var hasRequests = request is { Requests.Count: > 0 };
        if (response.IsSuccessStatusCode && (!hasRequests || status == StatusCodes.Status204NoContent))
        {
            if (HttpMethods.IsGet(context.Request.Method))
                throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "it opened no stream");
            allowed.Forwarded();
            CopyHeaders();
            context.Response.StatusCode = status;
            return;
        }
        var body = await ReadAsync(cancellationToken);
        var isAnswer = IsAnswer(body);
        if (response.IsSuccessStatusCode && !isAnswer)
            throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "its answer is none to what was asked");
        var refused = status == StatusCodes.Status404NotFound ? Reason.SessionUnknown : Reason.UpstreamFailed;
        // That a server has no stream, or lets no session be ended, is an answer too.
        allowed.Forwarded(isAnswer || request is null ? null : refused);
        CopyHeaders();
        if (!isAnswer)
        {
            await JsonRpcError.WriteAsync(context, refused, request?.Message, status: status);
            return;
        }
        if (Opened is not null)
            Opened.Revision = UpstreamAnswer.RevisionOf(body!);
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body!.Length;
        await context.WriteAsync(body, cancellationToken);
    }

    /// <summary>Relays event after event; a request whose stream ends for good without its answer is answered by the gate.</summary>
    /// <param name="seal">The id of an event, as the client gets it.</param>
    /// <param name="time">The clock of the comments.</param>
    /// <param name="cancellationToken">Cancelled when the stream is to end.</param>
    public async Task StreamAsync(Func<string, string> seal, TimeProvider time, CancellationToken cancellationToken)
    {
        allowed.Forwarded();
        CopyHeaders();
        var stream = new EventStream(context, time);
        await stream.StartAsync(cancellationToken);
        var unanswered = (request?.Requests ?? []).ToDictionary(each => each.IdKey!, StringComparer.Ordinal);
        var canBeGoneOnWith = false;
        var fault = Reason.UpstreamEnded;
        try
        {
            var events = EventReader.ReadAllAsync(await response.Content.ReadAsStreamAsync(cancellationToken), cancellationToken);
            await stream.RelayAsync(events, each =>
            {
                Judge(each, unanswered);
                if (Opened is not null)
                    Opened.Revision ??= UpstreamAnswer.RevisionOf(each.Data);
                var id = each.Id is { } theirs && !theirs.AsSpan().ContainsAnyExceptInRange('!', '~') ? theirs : null;
                canBeGoneOnWith |= id is { Length: > 0 };
                return stream.WriteEventAsync("message", each.Data, cancellationToken, id is { Length: > 0 } ? seal(id) : id, each.Retry);
            }, cancellationToken);
        }
        catch (UpstreamException exception)
        {
            Fault = exception;
            fault = exception.Reason;
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            fault = StreamLifetime.WhyCut(context, Caller.Of(context));
        }
        // With a newer token too.
        if (canBeGoneOnWith && fault is (Reason.UpstreamEnded or Reason.TokenExpired))
            return;
        if (unanswered.Count > 0 && fault == Reason.UpstreamEnded)
            Fault ??= new(fault, reached: true, "its stream ended before the answer");
        stream.GiveUp(unanswered.Values, fault);
    }

    /// <exception cref="UpstreamException">It is no message.</exception>
    private static void Judge(ServerEvent each, Dictionary<string, McpMessage> unanswered)
    {
        if (each.Data.Length == 0)
            return;
        var scan = each.Data.Length > Limits.MessageBytes || each.Name != "message" ? McpScan.Malformed : McpMessage.Scan(each.Data, out var message) switch
        {
            McpScan.Message when !ElicitationUrl.IsForbidden(message, each.Data) && Answers(message, unanswered) => McpScan.Message,
            McpScan.Batch when McpRequest.Split(each.Data) is { } parts && parts.TrueForAll(part => !ElicitationUrl.IsForbidden(part.Message, part.Bytes) && Answers(part.Message, unanswered)) => McpScan.Batch,
            _ => McpScan.Malformed,
        };
        if (scan == McpScan.Malformed)
            throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "an event of its stream is no message");
    }

    private static bool Answers(McpMessage message, Dictionary<string, McpMessage> unanswered)
    {
        if (message is { Kind: McpMessageKind.Response, IdKey: { } id })
            unanswered.Remove(id);
        return true;
    }

    /// <summary>The C# SDK's servers put an error into a stream, beside its status.</summary>
    private async Task<byte[]?> ReadAsync(CancellationToken cancellationToken) => _body ??= await UpstreamAnswer.ReadFirstAsync(response, cancellationToken);

    /// <summary>Whether it answers what was asked, or is an error that answers nothing in particular.</summary>
    private bool IsAnswer(byte[]? body)
    {
        if (body is null)
            return false;
        return McpMessage.Scan(body, out var message) switch
        {
            McpScan.Message => !ElicitationUrl.IsForbidden(message, body) && IsAnswer(message),
            McpScan.Batch => request is { IsBatch: true } && McpRequest.Split(body) is { } parts && parts.TrueForAll(part => !ElicitationUrl.IsForbidden(part.Message, part.Bytes) && IsAnswer(part.Message)),
            _ => false,
        };
    }

    private bool IsAnswer(McpMessage message)
    {
        if (message.Kind != McpMessageKind.Response)
            return false;
        MeasuredRequest.Of(context)?.Answered(message.ErrorCode);
        if (message.IdKey is null || request is null)
            return true;
        foreach (var asked in request.Requests)
        {
            if (asked.IdKey == message.IdKey)
                return true;
        }
        return false;
    }

    /// <summary>Those of the list; what is no text stays here, as no server may send it on.</summary>
    private void CopyHeaders()
    {
        foreach (var name in s_headers)
        {
            if ((response.Headers.TryGetValues(name, out var found) || response.Content.Headers.TryGetValues(name, out found))
                && found.ToArray() is var values && !Array.Exists(values, static value => value.AsSpan().ContainsAnyExceptInRange(' ', '~')))
                context.Response.Headers[name] = values;
        }
    }
}
