using System.Text.Encodings.Web;
using System.Text.Json;
using Sallyport.Log;

namespace Sallyport.Export;

/// <summary>Events as the Elastic Common Schema has them.</summary>
internal sealed class EcsWriter(Stream output) : IEventWriter
{
    public const string Version = "8.17.0";

    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public bool Write(EventLine line)
    {
        if (line.Event is not { } root)
            return false;
        using (var json = new Utf8JsonWriter(output, s_json))
            Write(json, line, root);
        output.WriteByte((byte)'\n');
        return true;
    }

    private static void Write(Utf8JsonWriter json, EventLine line, JsonElement root)
    {
        var mapping = EventMapping.Of(line);
        json.WriteStartObject();
        json.WriteString("@timestamp", line.Time.UtcDateTime);
        Object(json, "ecs", () => json.WriteString("version", Version));
        Object(json, "event", () =>
        {
            json.WriteString("kind", line.Type == "finding.raised" ? "alert" : "event");
            List(json, "category", mapping.Categories);
            List(json, "type", mapping.Types);
            json.WriteString("outcome", mapping.IsFailure(root) ? "failure" : "success");
            json.WriteString("action", line.Type);
            Text(json, "reason", line.Text("reason"));
            json.WriteString("id", line.Id);
            json.WriteNumber("sequence", line.Number);
            json.WriteString("module", "sallyport");
            json.WriteString("dataset", "sallyport.audit");
        });
        Object(json, "service", () =>
        {
            json.WriteString("name", "sallyport");
            Text(json, "version", line.Text("version"));
        });
        if (line.Text("rule") is { } rule)
            Object(json, "rule", () => json.WriteString("name", rule));
        if (line.Text("subject") is { } subject)
            Object(json, "user", () => json.WriteString("id", subject));
        if (line.Text("path") is { } path)
            Object(json, "url", () => json.WriteString("path", path));
        if (line.Text("http_method") is { } method)
        {
            Object(json, "http", () =>
            {
                Object(json, "request", () => json.WriteString("method", method));
                if (root.TryGetProperty("status", out var status) && status.ValueKind == JsonValueKind.Number && status.TryGetInt32(out var code))
                    Object(json, "response", () => json.WriteNumber("status_code", code));
            });
        }
        Object(json, "sallyport", () =>
        {
            json.WriteNumber("number", line.Number);
            foreach (var member in root.EnumerateObject().Where(member => member.Name is not ("type" or "time")))
                member.WriteTo(json);
        });
        json.WriteEndObject();
    }

    private static void Object(Utf8JsonWriter json, string name, Action members)
    {
        json.WriteStartObject(name);
        members();
        json.WriteEndObject();
    }

    private static void List(Utf8JsonWriter json, string name, string[] values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }

    private static void Text(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
            json.WriteString(name, value);
    }
}
