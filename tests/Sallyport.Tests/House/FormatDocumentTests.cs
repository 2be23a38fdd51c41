using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Tree;
using Sallyport.Proof.Verification;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.House;

/// <summary>Others write verifiers from <c>docs/audit-format.md</c>: it says what the code does.</summary>
public partial class FormatDocumentTests
{
    private static readonly string s_document = File.ReadAllText(Path.Combine(VectorFiles.Root, "..", "docs", "audit-format.md"));

    private static readonly IReadOnlyList<Type> s_parts =
    [
        typeof(AccessFailure), typeof(HeartbeatToken), typeof(HeartbeatAnswer), typeof(AnchorFailure), typeof(ErasedCount), typeof(SnapshotClient), typeof(SnapshotGrant), typeof(SnapshotConsent), typeof(SnapshotToken), typeof(SnapshotRefreshToken), typeof(SnapshotSession),
    ];

    public static TheoryData<string, Type> EveryEvent =>
        [.. typeof(AuditEvent).GetCustomAttributes<JsonDerivedTypeAttribute>().Select(attribute => ((string)attribute.TypeDiscriminator!, attribute.DerivedType))];

    [Theory]
    [MemberData(nameof(EveryEvent))]
    public void Every_event_stands_in_the_table_with_its_members_in_order(string word, Type type)
    {
        var nullability = new NullabilityInfoContext();
        var members = Members(type).Select(member =>
            $"`{Name(member)}`{(Nullable.GetUnderlyingType(member.PropertyType) is not null || nullability.Create(member).ReadState == NullabilityState.Nullable ? "?" : "")}").ToList();

        Assert.Contains($"\n| `{word}` | {(members.Count > 0 ? string.Join(", ", members) : "none")} | ", s_document, StringComparison.Ordinal);
    }

    [Fact]
    public void The_table_has_no_event_that_there_is_not()
    {
        var table = s_document[s_document.IndexOf("| type |", StringComparison.Ordinal)..s_document.IndexOf("Members of the objects in lists:", StringComparison.Ordinal)];

        Assert.Equal(
            typeof(AuditEvent).GetCustomAttributes<JsonDerivedTypeAttribute>().Select(attribute => (string)attribute.TypeDiscriminator!),
            Row().Matches(table).Select(match => match.Groups[1].Value));
    }

    [Fact]
    public void Every_object_in_a_list_stands_there_with_its_members_in_order()
    {
        // Whatever is in a list of an event and is no text has to be among those that are looked for.
        var inLists = typeof(AuditEvent).GetCustomAttributes<JsonDerivedTypeAttribute>()
            .SelectMany(attribute => Members(attribute.DerivedType))
            .Where(member => member.PropertyType.IsGenericType && Nullable.GetUnderlyingType(member.PropertyType) is null)
            .GroupBy(member => member.PropertyType.GetGenericArguments()[0], Name)
            .Where(part => part.Key != typeof(string))
            .ToList();

        Assert.Equal(s_parts.ToHashSet(), inLists.Select(part => part.Key).ToHashSet());
        Assert.All(inLists, part => Assert.Contains(
            $"\n| {string.Join(", ", part.Select(list => $"`{list}`"))} | {string.Join(", ", Members(part.Key).Select(member => $"`{Name(member)}`"))} |\n",
            s_document, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_reason_is_among_the_words_and_no_other()
    {
        var words = s_document[s_document.IndexOf("- The request itself:", StringComparison.Ordinal)..s_document.IndexOf("### Starts", StringComparison.Ordinal)];

        Assert.Equal(Enum.GetValues<Reason>().Select(reason => reason.Word()), Word().Matches(words).Select(match => match.Groups[1].Value));
    }

    [Fact]
    public void Every_kind_of_fault_has_its_row()
    {
        Assert.All(Enum.GetNames<LogFaultKind>(), kind =>
            Assert.Contains($"\n| `{JsonNamingPolicy.SnakeCaseLower.ConvertName(kind)}` | ", s_document, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_act_of_an_operator_is_named()
    {
        Assert.All(Enum.GetNames<OperatorAct>(), act => Assert.Contains(
            $"`{typeof(OperatorAct).GetField(act)!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name}`", s_document, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_kind_of_value_is_named()
    {
        Assert.All(Enum.GetValues<ValueKind>(), kind => Assert.Contains($" | `{kind.Word()}` | ", s_document, StringComparison.Ordinal));
    }

    [Fact]
    public void The_worked_example_of_a_record_is_one()
    {
        var leaf = Encoding.ASCII.GetBytes(ExampleLeaf().Match(s_document).Groups[1].Value);
        var shown = ExampleRecord().Match(s_document).Groups;
        var hash = TreeHash.OfLeaf(leaf);
        var record = new byte[JournalRecord.SizeOf(leaf.Length)];
        JournalRecord.Write(leaf, record);

        Assert.StartsWith(shown[1].Value.Replace(" ", "", StringComparison.Ordinal), Convert.ToHexStringLower(record), StringComparison.Ordinal);
        Assert.EndsWith(shown[2].Value.Replace(" ", "", StringComparison.Ordinal), Convert.ToHexStringLower(record), StringComparison.Ordinal);
        Assert.Contains($"the leaf of {leaf.Length} bytes", s_document, StringComparison.Ordinal);
        Assert.Contains($"the record of {record.Length} bytes", s_document, StringComparison.Ordinal);
        Assert.Contains($"is 0x{BitConverter.ToUInt32(record, 4):X8}.", s_document, StringComparison.Ordinal);
        Assert.Contains($"`{Convert.ToHexStringLower(hash)}`", s_document, StringComparison.Ordinal);
    }

    [Fact]
    public void What_it_quotes_of_the_vectors_stands_there()
    {
        var log = Path.Combine(VectorFiles.Root, "log");
        var checkpoint = File.ReadAllText(Path.Combine(log, "checkpoint")).TrimEnd('\n').Split('\n').Select(line => line.Length > 0 ? $"    {line}" : "");
        var begin = File.ReadAllBytes(Path.Combine(log, "journal-00000000000000000000")).Take(JournalRecord.HeaderBytes).Select(b => b.ToString("x2", CultureInfo.InvariantCulture));

        Assert.Contains($"\n\n{string.Join('\n', checkpoint)}\n\n", s_document, StringComparison.Ordinal);
        Assert.Contains($"begins with `{string.Join(' ', begin)}`", s_document, StringComparison.Ordinal);
    }

    [Fact]
    public void The_limits_are_those_of_the_code()
    {
        int[] limits = [AuditEventJson.MaxLeafBytes, JournalReader.MaxSegmentBytes, TilePath.Full * (EntryBundle.HeaderBytes + AuditEventJson.MaxLeafBytes), TilePath.Full * TreeHash.Bytes];

        Assert.All(
            limits,
            limit => Assert.Contains($"{limit.ToString("N0", CultureInfo.InvariantCulture)} bytes", s_document, StringComparison.Ordinal));
    }

    /// <summary>As the leaf has them, behind those that every event has.</summary>
    private static IEnumerable<PropertyInfo> Members(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(member => member.DeclaringType != typeof(AuditEvent))
            .OrderBy(member => member.GetCustomAttribute<JsonPropertyOrderAttribute>()?.Order ?? 0)
            .ThenBy(member => member.MetadataToken);

    private static string Name(PropertyInfo member) => JsonNamingPolicy.SnakeCaseLower.ConvertName(member.Name);

    [GeneratedRegex(@"^\| `([^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Word();

    [GeneratedRegex(@"^    (\{""type"":""stop"".*\})$", RegexOptions.Multiline)]
    private static partial Regex ExampleLeaf();

    [GeneratedRegex("^    (5f 00[0-9a-f ]*) … ([0-9a-f ]*)$", RegexOptions.Multiline)]
    private static partial Regex ExampleRecord();
}
