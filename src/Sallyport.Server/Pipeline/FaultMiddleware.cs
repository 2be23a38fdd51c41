using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Protocol;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Pipeline;

/// <summary>
/// The outermost step: headers that every answer carries, and what becomes of an exception. Without a record the gate is closed: 503,
/// whatever was asked.
/// </summary>
internal sealed partial class FaultMiddleware(RequestDelegate next, AuditLog log, LimitedRequests limitedRequests, Measurements measurements, ILogger<FaultMiddleware> logger)
{
    private const int RetryAfterSeconds = 5;

    /// <summary>Locked by another process, on a disk that is full, broken or read-only (https://www.sqlite.org/rescode.html).</summary>
    private const int SqliteBusy = 5, SqliteLocked = 6, SqliteReadOnly = 8, SqliteIoError = 10, SqliteFull = 13, SqliteCannotOpen = 14;

    public Task InvokeAsync(HttpContext context)
    {
        CallersTrace.Link(context);
        return measurements.IsOn ? AnswerMeasuredAsync(context) : AnswerAsync(context);
    }

    /// <summary>A span is begun in the flow in which it ends.</summary>
    private async Task AnswerMeasuredAsync(HttpContext context)
    {
        var measured = measurements.Begin(context, CallersTrace.Of(context));
        try
        {
            await AnswerAsync(context);
        }
        finally
        {
            measured.End(context);
        }
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "no-store";
        try
        {
            log.DemandOpen();
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The caller left; nobody reads an answer.
        }
        catch (AuditUnavailableException)
        {
            await WriteUnavailableAsync(context);
        }
        catch (RequestLimitedException limited)
        {
            await AnswerLimitedAsync(context, limited);
        }
        catch (BadHttpRequestException exception)
        {
            await AnswerAsync(context, exception.StatusCode == StatusCodes.Status413PayloadTooLarge ? Reason.BodyTooLarge : Reason.BodyMalformed, exception.StatusCode);
        }
        catch (Exception exception) when (IsDatabaseAway(exception))
        {
            LogDatabaseAway(logger, exception);
            await WriteUnavailableAsync(context);
        }
        catch (Exception exception)
        {
            LogFault(logger, context.Request.Method, Recording.Cut(context.Request.Path), exception);
            await AnswerAsync(context, Reason.Fault, StatusCodes.Status500InternalServerError);
        }
    }

    private static bool IsDatabaseAway(Exception exception) =>
        (exception as SqliteException ?? (exception as DbUpdateException)?.InnerException as SqliteException)
            is { SqliteErrorCode: SqliteBusy or SqliteLocked or SqliteReadOnly or SqliteIoError or SqliteFull or SqliteCannotOpen };

    private static async Task AnswerAsync(HttpContext context, Reason reason, int status)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }
        try
        {
            await context.RecordAsync(new AccessRefused
            {
                Id = AuditLog.NewId(),
                Reason = reason,
                HttpMethod = Recording.Cut(context.Request.Method),
                Path = Recording.Cut(context.Request.Path),
                Status = status,
            });
            await context.WritePageOrJsonAsync(reason, status);
        }
        catch (AuditUnavailableException)
        {
            await WriteUnavailableAsync(context);
        }
    }

    private async Task AnswerLimitedAsync(HttpContext context, RequestLimitedException limited)
    {
        try
        {
            await limitedRequests.AnswerAsync(context, limited);
        }
        catch (AuditUnavailableException)
        {
            await WriteUnavailableAsync(context);
        }
    }

    private static Task WriteUnavailableAsync(HttpContext context)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return Task.CompletedTask;
        }
        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return context.Response.WriteAsJsonAsync(
            new ErrorBody("temporarily_unavailable", "The gate is closed for now."), WireJson.Default.ErrorBody);
    }

    [LoggerMessage(LogLevel.Error, "{Method} {Path} failed")]
    private static partial void LogFault(ILogger logger, string method, string path, Exception exception);

    [LoggerMessage(LogLevel.Error, "The database cannot be used for now: the caller got 503. Look at its disk (space, permissions), and for another process that keeps it locked.")]
    private static partial void LogDatabaseAway(ILogger logger, Exception exception);
}
