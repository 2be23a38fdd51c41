using System.Reflection;
using System.Text.Json.Serialization;
using Sallyport.Proof.Events;

namespace Sallyport.Log;

/// <summary>The words of the closed set of events.</summary>
internal static class EventTypes
{
    public static IReadOnlyList<string> All { get; } =
        [.. typeof(AuditEvent).GetCustomAttributes<JsonDerivedTypeAttribute>().Select(attribute => (string)attribute.TypeDiscriminator!)];
}
