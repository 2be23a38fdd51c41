using System.Diagnostics;
using System.Text.Json;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Telemetry;

/// <summary>
/// The trace that a message says it is part of: <c>params._meta.traceparent</c> (W3C Trace Context in MCP). It is read apart from the scan,
/// which judges: a trace decides nothing, and a wrong one is none.
/// </summary>
internal static class MessageTrace
{
    private const int MostBytes = 64;
    private static readonly JsonReaderOptions s_options = new() { MaxDepth = Limits.MessageDepth };

    public static ActivityContext? Of(ReadOnlySpan<byte> message)
    {
        var reader = new Utf8JsonReader(message, s_options);
        try
        {
            return reader.Read() && reader.TokenType == JsonTokenType.StartObject
                && GoTo(ref reader, "params"u8) && reader.TokenType == JsonTokenType.StartObject
                && GoTo(ref reader, "_meta"u8) && reader.TokenType == JsonTokenType.StartObject
                && GoTo(ref reader, "traceparent"u8) && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= MostBytes
                && ActivityContext.TryParse(reader.GetString(), traceState: null, isRemote: true, out var context)
                    ? context
                    : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is no text.
            return null;
        }
    }

    /// <summary>Goes to the value of the first member of that name.</summary>
    private static bool GoTo(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var found = reader.ValueTextEquals(name);
            reader.Read();
            if (found)
                return true;
            reader.Skip();
        }
        return false;
    }
}
