using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;

namespace Sallyport.Server.Pipeline;

/// <summary>Recording on behalf of a request: the caller is told the event's id, so that what they report can be found.</summary>
internal static class Recording
{
    public const string EventHeader = "Sallyport-Event";

    /// <summary>Records, then names the event to the caller.</summary>
    /// <exception cref="AuditUnavailableException">There is no record, so what needed it must not happen.</exception>
    public static async Task RecordAsync(this HttpContext context, AuditEvent auditEvent)
    {
        await context.RequestServices.GetRequiredService<AuditLog>().AppendAsync(auditEvent);
        context.NameEvent(auditEvent.Id);
    }

    /// <summary>Names an event that is recorded already.</summary>
    public static void NameEvent(this HttpContext context, string eventId)
    {
        if (!context.Response.HasStarted)
            context.Response.Headers[EventHeader] = eventId;
    }

    /// <summary>What of a text from outside may stand in the log: the first characters.</summary>
    public static string Cut(string text) => text.Length <= Protocol.Limits.LoggedTextLength ? text : text[..Protocol.Limits.LoggedTextLength];
}
