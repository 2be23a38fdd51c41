using System.Globalization;
using System.Text;
using System.Text.Json;
using Sallyport.Proof.Events;

namespace Sallyport.Server.Audit.Values;

/// <summary>Which values an operator wants erased: those of a subject, an address, or all that were used last before a time.</summary>
internal sealed record Erasure(string? Subject = null, string? Address = null, DateTimeOffset? UsedLastBefore = null)
{
    /// <summary>Reads the store, and for a subject the whole log: the name, addresses and user agents that its events have commitments to.</summary>
    /// <exception cref="ValuesUnavailableException">The store can't be read.</exception>
    public IReadOnlyList<StoredValue> Find(string logDirectory)
    {
        using var reader = new ValueReader(logDirectory);
        return this switch
        {
            { Subject: { } subject } => reader.Behind(CommitmentsOf(logDirectory, subject)),
            { Address: { } address } => reader.Of(ValueKind.Address, address),
            { UsedLastBefore: { } time } => reader.UsedLastBefore(time),
            _ => [],
        };
    }

    /// <summary>For the record of it: no value.</summary>
    public string Target(IReadOnlyList<StoredValue> found) =>
        Subject ?? UsedLastBefore?.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? found[0].Commitment;

    /// <summary>Every commitment in the events of a subject.</summary>
    public static IReadOnlySet<string> CommitmentsOf(string logDirectory, string subject)
    {
        var commitments = new HashSet<string>(StringComparer.Ordinal);
        var mark = Encoding.UTF8.GetBytes($"\"{JsonEncodedText.Encode(subject)}\"");
        foreach (var leaf in JournalFiles.ReadAll(logDirectory).Where(leaf => leaf.Bytes.AsSpan().IndexOf(mark) >= 0))
        {
            using var document = JsonDocument.Parse(leaf.Bytes);
            var root = document.RootElement;
            var type = root.GetProperty("type").GetString()!;
            if (!Is(root, "subject", subject) && !(type == "operator.acted" && Is(root, "target", subject)))
                continue;
            foreach (var member in root.EnumerateObject().Where(member => ValueKinds.Of(type, member.Name) is not null && member.Value.ValueKind == JsonValueKind.String))
                commitments.Add(member.Value.GetString()!);
        }
        return commitments;
    }

    private static bool Is(JsonElement root, string member, string text) =>
        root.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String && value.ValueEquals(text);
}
