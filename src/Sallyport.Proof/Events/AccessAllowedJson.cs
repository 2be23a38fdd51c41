using System.Buffers;
using System.Text.Json;

namespace Sallyport.Proof.Events;

/// <summary>
/// Writes the one event that every access waits for, by hand and with a writer that each thread keeps: the same bytes as the
/// serializer's, to which a test holds it, at half the time and without its garbage.
/// </summary>
internal static class AccessAllowedJson
{
    private static readonly JsonEncodedText s_type = JsonEncodedText.Encode("type");
    private static readonly JsonEncodedText s_typeName = JsonEncodedText.Encode("access.allowed");
    private static readonly JsonEncodedText s_id = JsonEncodedText.Encode("id");
    private static readonly JsonEncodedText s_time = JsonEncodedText.Encode("time");
    private static readonly JsonEncodedText s_elapsed = JsonEncodedText.Encode("elapsed");
    private static readonly JsonEncodedText s_token = JsonEncodedText.Encode("token");
    private static readonly JsonEncodedText s_subject = JsonEncodedText.Encode("subject");
    private static readonly JsonEncodedText s_client = JsonEncodedText.Encode("client");
    private static readonly JsonEncodedText s_audience = JsonEncodedText.Encode("audience");
    private static readonly JsonEncodedText s_asOf = JsonEncodedText.Encode("as_of");
    private static readonly JsonEncodedText s_scopesNeeded = JsonEncodedText.Encode("scopes_needed");
    private static readonly JsonEncodedText s_transport = JsonEncodedText.Encode("transport");
    private static readonly JsonEncodedText s_httpMethod = JsonEncodedText.Encode("http_method");
    private static readonly JsonEncodedText s_method = JsonEncodedText.Encode("method");
    private static readonly JsonEncodedText s_name = JsonEncodedText.Encode("name");
    private static readonly JsonEncodedText s_session = JsonEncodedText.Encode("session");
    private static readonly JsonEncodedText s_source = JsonEncodedText.Encode("source");

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? t_writer;

    public static byte[] Write(AccessAllowed access)
    {
        var buffer = t_buffer ??= new(1024);
        var writer = t_writer ??= new(buffer);
        buffer.ResetWrittenCount();
        writer.Reset(buffer);
        writer.WriteStartObject();
        writer.WriteString(s_type, s_typeName);
        writer.WriteString(s_id, access.Id);
        writer.WriteString(s_time, access.Time);
        writer.WriteNumber(s_elapsed, access.Elapsed);
        writer.WriteString(s_token, access.Token);
        writer.WriteString(s_subject, access.Subject);
        writer.WriteString(s_client, access.Client);
        writer.WriteString(s_audience, access.Audience);
        writer.WriteNumber(s_asOf, access.AsOf);
        writer.WriteStartArray(s_scopesNeeded);
        for (var i = 0; i < access.ScopesNeeded.Count; i++)
            writer.WriteStringValue(access.ScopesNeeded[i]);
        writer.WriteEndArray();
        writer.WriteString(s_transport, access.Transport);
        writer.WriteString(s_httpMethod, access.HttpMethod);
        WriteUnlessNull(writer, s_method, access.Method);
        WriteUnlessNull(writer, s_name, access.Name);
        WriteUnlessNull(writer, s_session, access.Session);
        WriteUnlessNull(writer, s_source, access.Source);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteUnlessNull(Utf8JsonWriter writer, JsonEncodedText name, string? value)
    {
        if (value is not null)
            writer.WriteString(name, value);
    }
}
