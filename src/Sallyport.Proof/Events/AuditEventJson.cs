using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sallyport.Proof.Events;

/// <summary>The bytes of an event: compact JSON, snake_case, the type first, nulls left out.</summary>
public static class AuditEventJson
{
    /// <summary>The largest leaf, in bytes (C2SP tlog-tiles entries carry a 16-bit length).</summary>
    public const int MaxLeafBytes = 65_535;

    /// <exception cref="ArgumentException">The event would not fit a leaf.</exception>
    public static byte[] Write(AuditEvent auditEvent)
    {
        var leaf = auditEvent is AccessAllowed access ? AccessAllowedJson.Write(access) : Serialize(auditEvent);
        return leaf.Length <= MaxLeafBytes
            ? leaf
            : throw new ArgumentException($"an event of {leaf.Length} bytes does not fit a leaf of {MaxLeafBytes}", nameof(auditEvent));
    }

    /// <summary>As the serializer writes every event.</summary>
    internal static byte[] Serialize(AuditEvent auditEvent) => JsonSerializer.SerializeToUtf8Bytes(auditEvent, AuditEventContext.Default.AuditEvent);

    /// <exception cref="JsonException">The bytes are no event of the closed set.</exception>
    public static AuditEvent Read(ReadOnlySpan<byte> leaf) => PlainEvents.Read(leaf) ?? Deserialize(leaf);

    /// <summary>As the serializer reads every event.</summary>
    /// <exception cref="JsonException">The bytes are no event of the closed set.</exception>
    internal static AuditEvent Deserialize(ReadOnlySpan<byte> leaf)
    {
        if (leaf.IndexOf("null"u8) >= 0 && HasNullInList(leaf))
            throw new JsonException("a list has a null");
        try
        {
            return JsonSerializer.Deserialize(leaf, AuditEventContext.Default.AuditEvent) ?? throw new JsonException("a leaf is the JSON null");
        }
        catch (NotSupportedException exception)
        {
            throw new JsonException("a leaf begins with its type", exception);
        }
    }

    /// <summary>What the serializer does not look for: whoever goes through a list takes for granted that something is there.</summary>
    private static bool HasNullInList(ReadOnlySpan<byte> leaf)
    {
        var reader = new Utf8JsonReader(leaf);
        for (var before = JsonTokenType.None; reader.Read(); before = reader.TokenType)
        {
            if (reader.TokenType == JsonTokenType.Null && before is not (JsonTokenType.PropertyName or JsonTokenType.None))
                return true;
        }
        return false;
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(AuditEvent))]
internal sealed partial class AuditEventContext : JsonSerializerContext;
