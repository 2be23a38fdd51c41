using System.Text;
using System.Text.Json;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit.Values;

namespace Sallyport.Log;

/// <summary>The commitments in events, as commands show them: opened where their values can be.</summary>
internal static class OpenedValues
{
    /// <summary>
    /// For people: the value, always in quotes, JSON-escaped and in ASCII; or, without quotes, <c>erased:</c> or <c>unmatched:</c> and
    /// the commitment. Null for a member to show as it stands.
    /// </summary>
    public static string? Shown(this ValueReader values, string type, JsonProperty member) => Open(values, type, member) switch
    {
        (ValueState.Open, { } text) => $"\"{JsonEncodedText.Encode(text)}\"",
        (ValueState.Erased, _) => $"erased:{JsonEncodedText.Encode(member.Value.GetString()!)}",
        (ValueState.Unmatched, _) => $"unmatched:{JsonEncodedText.Encode(member.Value.GetString()!)}",
        _ => null,
    };

    /// <summary>
    /// For programs: <c>,"values":{…}</c> with each commitment's member, and the value, or null where it is erased or does not match;
    /// nothing where there is none.
    /// </summary>
    public static string Members(this ValueReader values, string type, JsonElement root)
    {
        var members = new StringBuilder();
        foreach (var member in root.EnumerateObject())
        {
            var (state, text) = Open(values, type, member);
            if (state == ValueState.Unknown)
                continue;
            members.Append(members.Length == 0 ? ",\"values\":{" : ",").Append('"').Append(member.Name).Append("\":");
            members.Append(text is null ? "null" : $"\"{JsonEncodedText.Encode(text)}\"");
        }
        return members.Length == 0 ? "" : members.Append('}').ToString();
    }

    private static (ValueState State, string? Text) Open(ValueReader values, string type, JsonProperty member) =>
        ValueKinds.Of(type, member.Name) is { } kind && member.Value.ValueKind == JsonValueKind.String
            ? values.Open(kind, member.Value.GetString()!)
            : (ValueState.Unknown, null);
}
