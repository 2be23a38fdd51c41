using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Protocol;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Pipeline;

/// <summary>Recording on behalf of a request: the caller is told the event's id, so that what they report can be found.</summary>
internal static partial class Recording
{
    private const int HashBytes = 8;

    public const string EventHeader = "Sallyport-Event";

    /// <summary>Records, then names the event to the caller.</summary>
    /// <exception cref="AuditUnavailableException">There is no record, so what needed it must not happen.</exception>
    public static async Task RecordAsync(this HttpContext context, AuditEvent auditEvent)
    {
        if (auditEvent is AccessRefused refused)
        {
            if (context.RequestServices.GetRequiredService<OwnRequests>().Take(context) is { } own)
            {
                // Its heartbeat's event tells of it.
                own.Refused(refused.Reason);
                return;
            }
            if (await context.RequestServices.GetRequiredService<LimitedRequests>().TryCountAsync(context, refused))
            {
                MeasuredRequest.Of(context)?.Judged(refused.Reason);
                return;
            }
        }
        await context.RequestServices.GetRequiredService<AuditLog>().AppendAsync(context.Attributed(auditEvent));
        if (auditEvent is AccessRefused { Reason: var reason })
            MeasuredRequest.Of(context)?.Judged(reason);
        context.NameEvent(auditEvent.Id);
    }

    /// <summary>Names an event that is recorded already.</summary>
    public static void NameEvent(this HttpContext context, string eventId)
    {
        if (!context.Response.HasStarted)
            context.Response.Headers[EventHeader] = eventId;
    }

    /// <summary>
    /// What of a text from outside may stand in the log: no secret of ours that somebody put there by mistake, and of a long text
    /// the first characters, with a hash by which the whole of it can be recognised.
    /// </summary>
    public static string Cut(string text)
    {
        var shown = Redact(text);
        if (shown.Length <= Limits.LoggedTextLength)
            return shown;
        var end = Limits.LoggedTextLength - (char.IsHighSurrogate(shown[Limits.LoggedTextLength - 1]) ? 1 : 0);
        return $"{shown.AsSpan(0, end)}…sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, HashBytes))}";
    }

    /// <summary>The text without any secret of ours.</summary>
    public static string Redact(string text) => OurSecret().Replace(text, "$1$2…");

    [GeneratedRegex($"({AccessTokenFormat.Prefix}|{OpaqueSecret.CodePrefix}|{OpaqueSecret.RefreshTokenPrefix}|{OpaqueSecret.ClientSecretPrefix}|{OpaqueSecret.RegistrationTokenPrefix}|{OpaqueSecret.EnrolmentPrefix}|{OpaqueSecret.StatePrefix})[A-Za-z0-9_-]+|({JwtFormat.Beginning}[A-Za-z0-9_-]{{4,200}}[.])[A-Za-z0-9_.-]+", RegexOptions.CultureInvariant)]
    private static partial Regex OurSecret();
}
