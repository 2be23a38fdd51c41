using System.Text;
using System.Text.Json;
using Sallyport.Export;
using Sallyport.Log;
using Sallyport.Server.Audit;

namespace Sallyport.Tests.Audit;

public class EventExportTests
{
    private const string Time = "2026-11-24T16:35:10.1020304+00:00";

    /// <summary>What OCSF 1.3.0 requires of each class beside what it requires of all.</summary>
    private static readonly Dictionary<int, string[]> s_required = new()
    {
        [0] = [],
        [2004] = ["finding_info"],
        [3001] = ["user"],
        [3002] = ["user", "service"],
        [3004] = ["entity"],
        [3005] = ["user", "privileges"],
        [6002] = ["app"],
        [6003] = ["actor", "api", "src_endpoint"],
    };

    public static TheoryData<string> EveryType => [.. EventTypes.All];

    [Fact]
    public void Every_event_type_is_mapped_and_no_other() =>
        Assert.Equal(EventTypes.All.Order(StringComparer.Ordinal), EventMapping.All.Keys.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(EveryType))]
    public void The_documented_table_says_what_becomes_of_it(string type)
    {
        var mapping = EventMapping.Of(type);
        var activity = mapping.Activity switch
        {
            null => "by the event",
            OcsfClass.Other => "99 Other",
            { } number => $"{number} {mapping.Class.Activities[number]}",
        };

        Assert.Contains(
            $"\n| `{type}` | {mapping.Class.Number} {mapping.Class.Name} | {activity} | {string.Join(", ", mapping.Categories)} | {string.Join(", ", mapping.Types)} | {(mapping.IsRefusal ? "failure" : "success")} |\n",
            File.ReadAllText(Path.Combine(RepositoryRoot(), "docs", "audit-export.md")),
            StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(EveryType))]
    public void OCSF_has_what_its_class_requires(string type)
    {
        var ocsf = Write($$"""{"type":"{{type}}","id":"an-id","time":"{{Time}}","reason":"token.missing"}""", stream => new OcsfWriter(stream));

        var number = ocsf.GetProperty("class_uid").GetInt32();
        Assert.All(
            ["activity_id", "category_uid", "severity_id", "time", "type_uid", "metadata", .. s_required[number]],
            member => Assert.True(ocsf.TryGetProperty(member, out _), member));
        Assert.Equal(number / 1000, ocsf.GetProperty("category_uid").GetInt32());
        Assert.Equal((number * 100) + ocsf.GetProperty("activity_id").GetInt32(), ocsf.GetProperty("type_uid").GetInt32());
        Assert.Equal((type, "an-id", 7), (
            ocsf.GetProperty("metadata").GetProperty("event_code").GetString(),
            ocsf.GetProperty("metadata").GetProperty("uid").GetString(),
            ocsf.GetProperty("metadata").GetProperty("sequence").GetInt32()));
    }

    [Fact]
    public void A_finding_is_one_in_both_schemas()
    {
        const string Event = $$"""{"type":"finding.raised","id":"an-id","time":"{{Time}}","elapsed":3,"rule":"expired_replay","client":"c","subject":"s","count":20,"threshold":20,"seconds":600,"first":1,"last":6}""";

        var ocsf = Write(Event, stream => new OcsfWriter(stream));
        var ecs = Write(Event, stream => new EcsWriter(stream));

        Assert.Equal((2004, 200401, 2, 3, "New"), (ocsf.GetProperty("class_uid").GetInt32(), ocsf.GetProperty("type_uid").GetInt32(), ocsf.GetProperty("category_uid").GetInt32(), ocsf.GetProperty("severity_id").GetInt32(), ocsf.GetProperty("status").GetString()));
        Assert.Equal("""{"uid":"an-id","title":"Sallyport: expired_replay","types":["expired_replay"]}""", ocsf.GetProperty("finding_info").GetRawText());
        Assert.Equal(("c", 20), (ocsf.GetProperty("actor").GetProperty("app_uid").GetString(), ocsf.GetProperty("unmapped").GetProperty("count").GetInt32()));
        Assert.Equal(("alert", "expired_replay", "s"), (ecs.GetProperty("event").GetProperty("kind").GetString(), ecs.GetProperty("rule").GetProperty("name").GetString(), ecs.GetProperty("user").GetProperty("id").GetString()));
    }

    [Fact]
    public void An_access_keeps_who_what_and_why_in_both_schemas()
    {
        const string Event = $$"""
            {"type":"access.refused","id":"an-id","time":"{{Time}}","elapsed":3,"reason":"token.expired","http_method":"GET","path":"/mcp","status":401,"subject":"s","client":"c","session":"x"}
            """;

        var ocsf = Write(Event, stream => new OcsfWriter(stream));
        var ecs = Write(Event, stream => new EcsWriter(stream));

        Assert.Equal("""
            {"time":1795538110102,"category_uid":6,"category_name":"Application Activity","class_uid":6003,"class_name":"API Activity","activity_id":2,"activity_name":"Read","type_uid":600302,"type_name":"API Activity: Read","severity_id":2,"severity":"Low","status_id":2,"status":"Failure","metadata":{"version":"1.3.0","product":{"name":"Sallyport","vendor_name":"Sallyport"},"uid":"an-id","event_code":"access.refused","sequence":7,"original_time":"2026-11-24T16:35:10.1020304+00:00"},"status_code":"token.expired","status_detail":"token.expired","actor":{"user":{"uid":"s"},"app_uid":"c","session":{"uid":"x"}},"src_endpoint":{"name":"not recorded"},"api":{"operation":"access.refused","service":{"name":"Sallyport"}},"http_request":{"http_method":"GET","url":{"path":"/mcp"}},"unmapped":{"elapsed":3,"reason":"token.expired","http_method":"GET","path":"/mcp","status":401,"subject":"s","client":"c","session":"x"}}
            """, ocsf.GetRawText());
        Assert.Equal("""
            {"@timestamp":"2026-11-24T16:35:10.1020304Z","ecs":{"version":"8.17.0"},"event":{"kind":"event","category":["api"],"type":["access","denied"],"outcome":"failure","action":"access.refused","reason":"token.expired","id":"an-id","sequence":7,"module":"sallyport","dataset":"sallyport.audit"},"service":{"name":"sallyport"},"user":{"id":"s"},"url":{"path":"/mcp"},"http":{"request":{"method":"GET"},"response":{"status_code":401}},"sallyport":{"number":7,"id":"an-id","elapsed":3,"reason":"token.expired","http_method":"GET","path":"/mcp","status":401,"subject":"s","client":"c","session":"x"}}
            """, ecs.GetRawText());
    }

    [Fact]
    public void An_erasure_is_no_new_account()
    {
        const string Event = $$"""{"type":"operator.acted","id":"an-id","time":"{{Time}}","act":"values.erased","target":"a-commitment","erased":[{"kind":"address","count":1}]}""";

        var ocsf = Write(Event, stream => new OcsfWriter(stream));

        Assert.Equal(6002, ocsf.GetProperty("class_uid").GetInt32());
        Assert.False(ocsf.TryGetProperty("user", out _));
        Assert.Equal("deletion", Write(Event, stream => new EcsWriter(stream)).GetProperty("event").GetProperty("type")[0].GetString());
    }

    [Fact]
    public void A_source_is_exported_as_the_commitment_that_it_is() =>
        Assert.Equal("a-commitment", Write($$"""{"type":"access.allowed","id":"an-id","time":"{{Time}}","source":"a-commitment"}""", stream => new OcsfWriter(stream))
            .GetProperty("src_endpoint").GetProperty("uid").GetString());

    [Theory]
    [InlineData("\u001b[2J\u001b]0;owned\u0007")]
    [InlineData("a\nb")]
    [InlineData("no JSON")]
    [InlineData("[1]")]
    [InlineData("""{"type":"stop"}""")]
    [InlineData($$"""{"type":"st\u001bop","id":"x","time":"{{Time}}","a\nb=c":"\u009b2J  id=forged"}""")]
    [InlineData($$"""{"type":"stop","id":"\ud800","time":"{{Time}}"}""")]
    [InlineData($$"""{"type":"stop","id":"x","time":"{{Time}}","reason":"\ud800","\ud800":1}""")]
    [InlineData($$"""{"type":"stop","id":"x","time":"{{Time}}","status":"a","http_method":"GET","scopes":1,"failures":2}""")]
    [InlineData($$"""{"type":"stop","id":"x","time":"{{Time}}","raw":"ß","ß":"‮"}""")]
    [InlineData($$"""{"type":"stop","id":"ein Fluß ‮ umgekehrt","time":"{{Time}}"}""")]
    public void What_somebody_wrote_into_the_log_is_one_printable_line_and_harms_no_writer(string leaf)
    {
        var line = new EventLine(new(7, Encoding.UTF8.GetBytes(leaf)));

        Assert.All(line.ForPeople(), c => Assert.InRange(c, ' ', '~'));
        Assert.DoesNotContain('\n', line.ForPrograms());
        Assert.Equal(7, JsonElement.Parse(line.ForPrograms()).GetProperty("number").GetInt32());
        Assert.All<IEventWriter>([new OcsfWriter(Stream.Null), new EcsWriter(Stream.Null), new JsonLinesWriter(Stream.Null)], writer => writer.Write(line));
    }

    [Fact]
    public void A_value_cannot_pass_for_another_one()
    {
        var line = new EventLine(new(7, Encoding.UTF8.GetBytes($$"""{"type":"stop id=a","id":"b id=c","time":"{{Time}}","d id=e":"f id=g"}""")));

        Assert.Equal("""     7  2026-11-24 16:35:10.102Z  "stop id=a"           "d id=e"="f id=g" id="b id=c" """.TrimEnd(), line.ForPeople());
    }

    [Theory]
    [InlineData("2h", "2026-11-24T10:00:00Z")]
    [InlineData("30m", "2026-11-24T11:30:00Z")]
    [InlineData("90s", "2026-11-24T11:58:30Z")]
    [InlineData("7d", "2026-11-17T12:00:00Z")]
    [InlineData("2026-11-24T01:02:03Z", "2026-11-24T01:02:03Z")]
    [InlineData("2026-11-24t01:02:03.5z", "2026-11-24T01:02:03.5Z")]
    [InlineData("2026-11-24T01:02:03+02:00", "2026-11-23T23:02:03Z")]
    [InlineData("2026-11-24T01:02:03", null)]
    [InlineData("2026-11-24", null)]
    [InlineData("99999999999999999999d", null)]
    [InlineData("2000000000d", null)]
    [InlineData("-1h", null)]
    [InlineData("h", null)]
    [InlineData("5y", null)]
    public void A_time_is_RFC_3339_or_an_age(string text, string? expected) =>
        Assert.Equal(
            expected is null ? null : DateTimeOffset.Parse(expected, System.Globalization.CultureInfo.InvariantCulture),
            EventFilter.ParseTime(text, new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero)));

    private static JsonElement Write(string leaf, Func<Stream, IEventWriter> writer)
    {
        using var output = new MemoryStream();
        Assert.True(writer(output).Write(new EventLine(new Leaf(7, Encoding.UTF8.GetBytes(leaf)))));
        return JsonElement.Parse(output.ToArray());
    }

    private static string RepositoryRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Sallyport.slnx")))
            directory = directory.Parent!;
        return directory.FullName;
    }
}
