using Sallyport.Proof.Events;

namespace Sallyport.Server.Storage;

/// <summary>Whom a scope serves: a request, whose events say where it came from, or a command, whose events have nothing to say of that.</summary>
internal sealed class Requester
{
    public Func<AuditEvent, AuditEvent> Attribute { get; set; } = static auditEvent => auditEvent;
}
