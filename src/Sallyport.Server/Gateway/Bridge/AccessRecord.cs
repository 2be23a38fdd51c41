using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>The record of accesses. What is allowed is committed to the log before the upstream sees a byte of it.</summary>
internal sealed class AccessRecord(AuditLog log, OutcomeCollector outcomes, Attribution attribution)
{
    public const string StreamableHttp = AccessAllowed.StreamableHttp;
    public const string Sse = AccessAllowed.Sse;

    /// <returns>The event's id, by which the outcome will name it.</returns>
    /// <exception cref="AuditUnavailableException">There is no record, so nothing may go upstream.</exception>
    /// <exception cref="TokenEndedException">The token was good when the request came, and is no more.</exception>
    public async ValueTask<string> AllowAsync(HttpContext context, Caller caller, string transport, McpMessage? message, string? session)
    {
        // The message was read since the token was judged, which may have taken long. What is revoked from here on, this decision need
        // not know of, and says so.
        var asOf = log.AsOf;
        if (caller.Token.WhyEnded is { } ended)
            throw new TokenEndedException(ended);
        var allowed = new AccessAllowed
        {
            Id = AuditLog.NewId(),
            Token = caller.Token.Id,
            Subject = caller.Subject,
            Client = caller.ClientId,
            Audience = context.GetEndpoint()!.Metadata.GetMetadata<UpstreamSetting>()!.Audience,
            AsOf = asOf,
            ScopesNeeded = caller.ScopesNeeded,
            Transport = transport,
            HttpMethod = context.Request.Method,
            Method = message?.Method,
            Name = message?.Name is { } name ? Recording.Cut(name) : null,
            Session = session,
            Source = attribution.Source(context),
        };
        try
        {
            await log.AppendAsync(allowed);
            context.NameEvent(allowed.Id);
            MeasuredRequest.Of(context)?.Judged();
        }
        catch (AuditUnavailableException exception) when (exception.IsLate)
        {
            // The record may still come; the access will not.
            outcomes.NotForwarded(allowed.Id, Reason.RecordLate);
            throw;
        }
        return allowed.Id;
    }

    /// <summary>Allows each message of a batch by itself.</summary>
    public async ValueTask<string[]> AllowAllAsync(HttpContext context, Caller caller, string transport, McpRequest request, string? session)
    {
        var allowed = new string[request.Parts.Count];
        for (var i = 0; i < allowed.Length; i++)
        {
            try
            {
                allowed[i] = await AllowAsync(context, caller, transport, request.Parts[i].Message, session);
            }
            catch (Exception exception) when (exception is AuditUnavailableException or TokenEndedException)
            {
                foreach (var access in allowed.Take(i))
                    outcomes.NotForwarded(access, (exception as TokenEndedException)?.Reason ?? Reason.RecordLate);
                throw;
            }
        }
        return allowed;
    }

    public void Forwarded(string access, Reason? unanswered = null) => outcomes.Forwarded(access, unanswered);

    public void NotForwarded(string access, Reason reason) => outcomes.NotForwarded(access, reason);

    /// <summary>Of the GET of Streamable HTTP, and of <c>subscriptions/listen</c>: that no such stream outlives its token shows in the log.</summary>
    public void StreamEnded(string access) => outcomes.StreamEnded(access);

    /// <summary>Records a refusal of a caller whose token was good, and answers it as JSON-RPC.</summary>
    /// <param name="supported">With <see cref="Reason.RevisionUnsupported"/>, the revisions that the upstream speaks.</param>
    public static async Task RefuseAsync(
        HttpContext context, Caller caller, Reason reason, McpMessage? message = null, string? session = null, IReadOnlyList<string>? supported = null)
    {
        await context.RecordAsync(new AccessRefused
        {
            Id = AuditLog.NewId(),
            Reason = reason,
            HttpMethod = context.Request.Method,
            Path = Recording.Cut(context.Request.Path),
            Status = OAuthError.For(reason).Status,
            Token = caller.Token.Id,
            Subject = caller.Subject,
            Client = caller.ClientId,
            Session = session,
        });
        await JsonRpcError.WriteAsync(context, reason, message, supported);
    }
}
