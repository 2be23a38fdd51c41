using System.Text.Json.Serialization;

namespace Sallyport.Proof.Events;

/// <summary>
/// What an event holds no value of but a commitment, HMAC-SHA-256 under a salt of its own over <c>kind || 0x00 || value</c>, in
/// base64url. Salt and value lie beside the log, where they can be erased.
/// </summary>
public enum ValueKind
{
    /// <summary>A network address: of IPv6 the first 64 bits.</summary>
    [JsonStringEnumMemberName("address")] Address,

    /// <summary>What a program calls itself in <c>User-Agent</c>.</summary>
    [JsonStringEnumMemberName("user_agent")] UserAgent,

    /// <summary>The name that a client gave itself when it registered.</summary>
    [JsonStringEnumMemberName("client_name")] ClientName,

    /// <summary>The name that a user signs in with.</summary>
    [JsonStringEnumMemberName("user_name")] UserName,
}

public static class ValueKinds
{
    /// <summary>As commitments and events spell it.</summary>
    public static string Word(this ValueKind kind) => kind switch
    {
        ValueKind.Address => "address",
        ValueKind.UserAgent => "user_agent",
        ValueKind.ClientName => "client_name",
        _ => "user_name",
    };

    /// <summary>The kind of value that a member of an event is the commitment to; null where the member stands for itself.</summary>
    public static ValueKind? Of(string eventType, string member) => (eventType, member) switch
    {
        (_, "source") => ValueKind.Address,
        (_, "user_agent") => ValueKind.UserAgent,
        ("client.registered" or "client.changed", "name") => ValueKind.ClientName,
        ("user.authenticated" or "operator.acted", "name") => ValueKind.UserName,
        _ => null,
    };
}
