using System.Text.Json;
using Sallyport.Log;

namespace Sallyport.Export;

/// <summary>What an event is in the words of others. docs/audit-export.md shows the same table.</summary>
/// <param name="Class">The OCSF class.</param>
/// <param name="Activity">The class's activity; null where the event itself decides.</param>
/// <param name="Categories">ECS's <c>event.category</c>.</param>
/// <param name="Types">ECS's <c>event.type</c>.</param>
/// <param name="IsRefusal">Whether what was asked for did not happen.</param>
internal sealed record EventMapping(OcsfClass Class, int? Activity, string[] Categories, string[] Types, bool IsRefusal = false)
{
    private static readonly string[] s_failures = ["not_forwarded", "unanswered", "failures"];
    /// <summary>The one act of an operator that is about no account.</summary>
    private static readonly EventMapping s_erasure = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["file"], ["deletion"]);
    private static readonly EventMapping s_unknown = new(OcsfClass.BaseEvent, OcsfClass.Other, [], ["info"]);

    private static readonly Dictionary<string, EventMapping> s_all = new()
    {
        ["start"] = new(OcsfClass.ApplicationLifecycle, 3, ["process"], ["start"]),
        ["stop"] = new(OcsfClass.ApplicationLifecycle, 4, ["process"], ["end"]),
        ["operator.acted"] = new(OcsfClass.AccountChange, 1, ["iam"], ["creation", "user"]),
        ["discovery.answered"] = new(OcsfClass.ApiActivity, 2, ["api"], ["access", "info"]),
        ["client.registered"] = new(OcsfClass.EntityManagement, 1, ["iam"], ["creation", "admin"]),
        ["client.changed"] = new(OcsfClass.EntityManagement, 3, ["iam"], ["change", "admin"]),
        ["client.removed"] = new(OcsfClass.EntityManagement, 4, ["iam"], ["deletion", "admin"]),
        ["client.refused"] = new(OcsfClass.EntityManagement, 1, ["iam"], ["creation", "admin"], IsRefusal: true),
        ["requests.limited"] = new(OcsfClass.ApiActivity, OcsfClass.Other, ["api"], ["access", "denied"], IsRefusal: true),
        ["authorization.started"] = new(OcsfClass.Authentication, 6, ["authentication"], ["info"]),
        ["authorization.refused"] = new(OcsfClass.Authentication, 6, ["authentication"], ["info"], IsRefusal: true),
        ["provider.asked"] = new(OcsfClass.Authentication, 6, ["authentication"], ["info"]),
        ["provider.answered"] = new(OcsfClass.Authentication, 6, ["authentication"], ["info"]),
        ["user.authenticated"] = new(OcsfClass.Authentication, 1, ["authentication"], ["start"]),
        ["user.refused"] = new(OcsfClass.Authentication, 1, ["authentication"], ["start"], IsRefusal: true),
        ["user.signed_out"] = new(OcsfClass.Authentication, 2, ["authentication"], ["end"]),
        ["consent.given"] = new(OcsfClass.UserAccess, 1, ["iam"], ["change", "user"]),
        ["consent.refused"] = new(OcsfClass.UserAccess, 1, ["iam"], ["change", "user"], IsRefusal: true),
        ["code.issued"] = new(OcsfClass.Authentication, 3, ["authentication"], ["info"]),
        ["token.issued"] = new(OcsfClass.Authentication, null, ["authentication"], ["info"]),
        ["token.repeated"] = new(OcsfClass.Authentication, 5, ["authentication"], ["info"]),
        ["token.refused"] = new(OcsfClass.Authentication, 4, ["authentication"], ["info"], IsRefusal: true),
        ["token.revoked"] = new(OcsfClass.Authentication, OcsfClass.Other, ["authentication"], ["end"]),
        ["token.introspected"] = new(OcsfClass.Authentication, OcsfClass.Other, ["authentication"], ["info"]),
        ["access.allowed"] = new(OcsfClass.ApiActivity, null, ["api"], ["access", "allowed"]),
        ["access.refused"] = new(OcsfClass.ApiActivity, null, ["api"], ["access", "denied"], IsRefusal: true),
        ["access.outcome"] = new(OcsfClass.ApiActivity, OcsfClass.Other, ["api"], ["info"]),
        ["gate.acted"] = new(OcsfClass.ApiActivity, OcsfClass.Other, ["api"], ["info"]),
        ["heartbeat.prepared"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["process"], ["info"]),
        ["heartbeat.answered"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["process"], ["info"]),
        ["finding.raised"] = new(OcsfClass.DetectionFinding, 1, ["intrusion_detection"], ["info"]),
        ["session.opened"] = new(OcsfClass.ApiActivity, 1, ["session"], ["start"]),
        ["session.closed"] = new(OcsfClass.ApiActivity, 4, ["session"], ["end"]),
        ["clock.went_back"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["host"], ["info"]),
        ["checkpoint.signed"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["process"], ["info"]),
        ["snapshot.begun"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["process"], ["info"]),
        ["snapshot.part"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["process"], ["info"]),
        ["snapshot.completed"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["process"], ["info"]),
        ["log.key_rotated"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["configuration"], ["change"]),
        ["log.pruned"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["file"], ["deletion"]),
        ["log.restored"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["process"], ["change"]),
        ["witness.cosigned"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["process"], ["info"]),
        ["witness.refused"] = new(OcsfClass.ApplicationLifecycle, OcsfClass.Other, ["process"], ["info"], IsRefusal: true),
    };

    public static IReadOnlyDictionary<string, EventMapping> All => s_all;

    /// <summary>A type that a later version has added has a mapping too, though it says little.</summary>
    public static EventMapping Of(string type) => s_all.GetValueOrDefault(type, s_unknown);

    public static EventMapping Of(EventLine line) => line.Type == "operator.acted" && line.Text("act") == "values.erased" ? s_erasure : Of(line.Type!);

    /// <summary>Whether it did not happen, or not all of it.</summary>
    public bool IsFailure(JsonElement auditEvent) => IsRefusal || s_failures.Any(member =>
        auditEvent.TryGetProperty(member, out var list) && list.ValueKind == JsonValueKind.Array && list.GetArrayLength() > 0);
}

/// <summary>A class of events of the Open Cybersecurity Schema Framework, 1.3.0.</summary>
/// <param name="Activities">The activities that are used here, by number.</param>
internal sealed record OcsfClass(int Number, string Name, int Category, string CategoryName, Dictionary<int, string> Activities)
{
    /// <summary>In every class: none of its activities.</summary>
    public const int Other = 99;

    private const string Iam = "Identity & Access Management";
    private const string Application = "Application Activity";

    public static readonly OcsfClass BaseEvent = new(0, "Base Event", 0, "Uncategorized", []);
    public static readonly OcsfClass DetectionFinding = new(2004, "Detection Finding", 2, "Findings", new() { [1] = "Create" });
    public static readonly OcsfClass AccountChange = new(3001, "Account Change", 3, Iam, new() { [1] = "Create" });
    public static readonly OcsfClass Authentication = new(3002, "Authentication", 3, Iam, new()
    {
        [1] = "Logon", [2] = "Logoff", [3] = "Authentication Ticket", [4] = "Service Ticket Request", [5] = "Service Ticket Renew", [6] = "Preauth",
    });
    public static readonly OcsfClass EntityManagement = new(3004, "Entity Management", 3, Iam, new() { [1] = "Create", [3] = "Update", [4] = "Delete" });
    public static readonly OcsfClass UserAccess = new(3005, "User Access Management", 3, Iam, new() { [1] = "Assign Privileges" });
    public static readonly OcsfClass ApplicationLifecycle = new(6002, "Application Lifecycle", 6, Application, new() { [3] = "Start", [4] = "Stop" });
    public static readonly OcsfClass ApiActivity = new(6003, "API Activity", 6, Application, new() { [1] = "Create", [2] = "Read", [4] = "Delete" });
}
