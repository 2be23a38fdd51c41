using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sallyport.Log;
using Sallyport.Server.Configuration;

namespace Sallyport.Export;

/// <summary>Events as the Open Cybersecurity Schema Framework has them, version 1.3.0.</summary>
internal sealed class OcsfWriter(Stream output) : IEventWriter
{
    public const string Version = "1.3.0";

    /// <summary>OCSF wants to know who and from where; the log has no names and no addresses.</summary>
    private const string NotRecorded = "not recorded";

    private static readonly string[] s_reuse = ["code.reused", "refresh.reused"];
    private static readonly JsonSerializerOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public bool Write(EventLine line)
    {
        if (line.Event is not { } root)
            return false;
        JsonSerializer.Serialize(output, Translate(line, root), s_json);
        output.WriteByte((byte)'\n');
        return true;
    }

    private static JsonObject Translate(EventLine line, JsonElement root)
    {
        var mapping = EventMapping.Of(line);
        var ocsf = mapping.Class;
        var (activity, activityName) = ActivityOf(line, mapping);
        var (failed, reason) = (mapping.IsFailure(root), line.Text("reason"));
        var isFinding = ocsf == OcsfClass.DetectionFinding;
        var (severity, severityName) = isFinding || s_reuse.Contains(reason) ? (3, "Medium") : failed ? (2, "Low") : (1, "Informational");
        var translated = new JsonObject
        {
            ["time"] = line.Time.ToUnixTimeMilliseconds(),
            ["category_uid"] = ocsf.Category,
            ["category_name"] = ocsf.CategoryName,
            ["class_uid"] = ocsf.Number,
            ["class_name"] = ocsf.Name,
            ["activity_id"] = activity,
            ["activity_name"] = activityName,
            ["type_uid"] = (ocsf.Number * 100L) + activity,
            ["type_name"] = $"{ocsf.Name}: {activityName}",
            ["severity_id"] = severity,
            ["severity"] = severityName,
            ["status_id"] = failed ? 2 : 1,
            // A finding's status is how far somebody has come with it.
            ["status"] = isFinding ? "New" : failed ? "Failure" : "Success",
            ["metadata"] = new JsonObject
            {
                ["version"] = Version,
                ["product"] = Product(),
                ["uid"] = line.Id,
                ["event_code"] = line.Type,
                ["sequence"] = line.Number,
                ["original_time"] = root.GetProperty("time").GetString(),
            },
        };
        if (reason is not null)
            (translated["status_code"], translated["status_detail"]) = (reason, reason);
        AddObjects(translated, line, ocsf);
        var unmapped = new JsonObject();
        foreach (var member in root.EnumerateObject().Where(member => member.Name is not ("type" or "id" or "time")))
            unmapped[member.Name] = JsonNode.Parse(member.Value.GetRawText());
        translated["unmapped"] = unmapped;
        return translated;
    }

    private static (int Activity, string Name) ActivityOf(EventLine line, EventMapping mapping)
    {
        var activity = mapping.Activity ?? line.Type switch
        {
            "token.issued" => line.Text("grant_type") == "refresh_token" ? 5 : 4,
            _ => line.Text("http_method") switch { "GET" => 2, "DELETE" => 4, _ => OcsfClass.Other },
        };
        return (activity, mapping.Class.Activities.GetValueOrDefault(activity) ?? line.Text("method") ?? line.Type!);
    }

    /// <summary>What the class requires, and what the event has of that.</summary>
    private static void AddObjects(JsonObject translated, EventLine line, OcsfClass ocsf)
    {
        var (subject, client, session) = (line.Text("subject"), line.Text("client"), line.Text("session"));
        if (ocsf == OcsfClass.DetectionFinding)
        {
            translated["finding_info"] = new JsonObject { ["uid"] = line.Id, ["title"] = $"Sallyport: {line.Text("rule")}", ["types"] = new JsonArray(line.Text("rule")) };
            translated["actor"] = Actor(subject, client, session);
        }
        else if (ocsf == OcsfClass.ApplicationLifecycle)
        {
            translated["app"] = Product();
        }
        else if (ocsf == OcsfClass.EntityManagement)
        {
            translated["entity"] = Known("uid", client, new() { ["type"] = "OAuth client" });
        }
        else if (ocsf == OcsfClass.ApiActivity)
        {
            translated["actor"] = Actor(subject, client, session);
            translated["src_endpoint"] = Known("uid", line.Text("source"), []);
            translated["api"] = new JsonObject { ["operation"] = line.Text("method") ?? line.Type, ["service"] = new JsonObject { ["name"] = "Sallyport" } };
            if (line.Text("name") is { } name)
                translated["resources"] = new JsonArray(new JsonObject { ["name"] = name });
            if (line.Text("http_method") is { } method)
                translated["http_request"] = HttpRequest(method, line.Text("path"));
        }
        else if (ocsf != OcsfClass.BaseEvent)
        {
            translated["user"] = Known("uid", ocsf == OcsfClass.AccountChange ? line.Text("target") : subject, []);
            translated["actor"] = Actor(subject, client, session);
            if (ocsf == OcsfClass.Authentication)
                (translated["service"], translated["auth_protocol_id"], translated["auth_protocol"]) = (new JsonObject { ["name"] = "Sallyport" }, 6, "OAUTH 2.0");
            if (ocsf == OcsfClass.UserAccess)
                translated["privileges"] = Scopes(line);
        }
    }

    private static JsonObject Known(string member, string? value, JsonObject known)
    {
        if (value is not null)
            known[member] = value;
        else
            known["name"] = NotRecorded;
        return known;
    }

    private static JsonObject Actor(string? subject, string? client, string? session)
    {
        var actor = new JsonObject();
        if (subject is not null)
            actor["user"] = new JsonObject { ["uid"] = subject };
        if (client is not null)
            actor["app_uid"] = client;
        if (session is not null)
            actor["session"] = new JsonObject { ["uid"] = session };
        if (actor.Count == 0)
            actor["app_name"] = NotRecorded;
        return actor;
    }

    private static JsonObject HttpRequest(string method, string? path)
    {
        var request = new JsonObject { ["http_method"] = method };
        if (path is not null)
            request["url"] = new JsonObject { ["path"] = path };
        return request;
    }

    private static JsonArray Scopes(EventLine line) =>
        line.Event!.Value.TryGetProperty("scopes", out var scopes) && scopes.ValueKind == JsonValueKind.Array
            ? (JsonArray)JsonNode.Parse(scopes.GetRawText())!
            : [NotRecorded];

    private static JsonObject Product() => new() { ["name"] = "Sallyport", ["vendor_name"] = "Sallyport" };
}
