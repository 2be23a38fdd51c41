using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CsCheck;
using Sallyport.Tests.Fuzz;

namespace Sallyport.Tests.Proof;

public class EventBytesTests
{
    [Fact]
    public void An_access_is_written_by_hand_as_the_serializer_writes_it()
    {
        var text = Gen.OneOf(Gen.String, Gen.Const("<script>+é😀\"\\\u2028\ud800"), Gen.String[Gen.Char.AlphaNumeric, 0, 300]);
        var optional = Gen.OneOf(text, Gen.Const((string)null!));
        Gen.Select(text, Gen.DateTimeOffset, Gen.Long, text.Array[0, 3], optional, optional, optional, optional).Sample(
            (word, time, number, scopes, method, name, session, source) =>
            {
                var access = new AccessAllowed
                {
                    Id = word,
                    Time = time,
                    Elapsed = number,
                    Token = word,
                    Subject = name ?? "",
                    Client = word,
                    Audience = word,
                    AsOf = number,
                    ScopesNeeded = scopes,
                    Transport = word,
                    HttpMethod = word,
                    Method = method,
                    Name = name,
                    Session = session,
                    Source = source,
                };

                Assert.Equal(AuditEventJson.Serialize(access), AuditEventJson.Write(access));
            }, iter: 2_000);
    }

    private const string Allowed = """{"type":"access.allowed","id":"DDc3TYfavQ18OScKlxEGLw","time":"2026-11-29T08:12:52.9614007+00:00","elapsed":2185,"token":"zLvV8K-yJ13zkGWxQYiPjw","subject":"f1yJVkGlL_qEz0VKCj40vQ","client":"boU8Aci3pgF1Xn8MdEl9vQ","audience":"http://127.0.0.1:23440/mcp","as_of":16,"scopes_needed":["mcp"],"transport":"streamable-http","http_method":"POST","method":"tools/call","name":"echo","session":"00112233445566778899aabbccddeeff","source":"r31EOj-oElt90AwknQONPak-Ij23vdihDyBSvil6b-Y"}""";
    private const string Outcome = """{"type":"access.outcome","id":"zlX_KNWHMLaMOwhoz7I4hg","time":"2026-11-29T08:12:58.08517+00:00","elapsed":7308,"forwarded":["jUKnQEHmRJMcyUCGTGbMkQ","cIM0-eZkIaMPrlYOB6cxPg"],"not_forwarded":[{"access":"XIkVrK04Q7o8WJXFfHyChA","reason":"upstream.unreachable"},{"access":"tot1Quduibyr2cM19OhPRw","reason":"caller.left"}],"unanswered":[{"access":"cIM0-eZkIaMPrlYOB6cxPg","reason":"upstream.timeout"}],"streams_ended":["IRjrbXDAY_dWiaD-NqwH0Q"]}""";
    private const string Refused = """{"type":"access.refused","id":"_BOF9pA-HrNvqS5ZPzIBCw","time":"2026-11-29T08:13:00+00:00","elapsed":0,"reason":"scope.insufficient","http_method":"POST","path":"/messages/","status":403,"token":"zLvV8K-yJ13zkGWxQYiPjw","subject":"f1yJVkGlL_qEz0VKCj40vQ","client":"boU8Aci3pgF1Xn8MdEl9vQ","session":"00112233445566778899aabbccddeeff","source":"r31EOj-oElt90AwknQONPak-Ij23vdihDyBSvil6b-Y"}""";

    [Theory]
    [InlineData(Allowed)]
    [InlineData("""{"type":"access.allowed","id":"a","time":"2026-11-29T08:12:52+00:00","elapsed":0,"token":"b","subject":"c","client":"d","audience":"e","as_of":9223372036854775807,"scopes_needed":[],"transport":"sse","http_method":"GET","session":"f"}""")]
    [InlineData(Outcome)]
    [InlineData("""{"type":"access.outcome","id":"a","time":"2026-11-29T08:12:52+00:00","elapsed":1,"forwarded":[],"not_forwarded":[],"unanswered":[]}""")]
    [InlineData(Refused)]
    [InlineData("""{"type":"access.refused","id":"a","time":"2026-11-29T08:12:52+00:00","elapsed":1,"reason":"token.missing","http_method":"GET","path":"/","status":401}""")]
    public void What_a_gate_writes_most_is_read_by_hand(string leaf)
    {
        var read = PlainEvents.Read(Encoding.UTF8.GetBytes(leaf));

        Assert.NotNull(read);
        Assert.Equal(leaf, Encoding.UTF8.GetString(AuditEventJson.Write(read)));
    }

    [Theory]
    [InlineData(Allowed, typeof(AccessAllowed))]
    [InlineData(Outcome, typeof(AccessOutcome))]
    [InlineData(Refused, typeof(AccessRefused))]
    public void No_member_that_is_new_is_left_to_the_serializer(string leaf, Type type)
    {
        using var document = JsonDocument.Parse(leaf);

        Assert.Equal(
            type.GetProperties().Where(member => member.SetMethod is not null).Select(member => JsonNamingPolicy.SnakeCaseLower.ConvertName(member.Name)).Append("type").Order(),
            document.RootElement.EnumerateObject().Select(member => member.Name).Order());
    }

    [Fact]
    public void What_is_read_by_hand_is_what_the_serializer_reads()
    {
        var relaxed = new AuditEventContext(new(AuditEventContext.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        var text = Gen.OneOf(Gen.Char[' ', '~'].Array[0, 60].Select(chars => new string(chars)), Gen.String[Gen.Char.AlphaNumeric, 0, 40], Gen.String);
        var optional = Gen.OneOf(text, Gen.Const((string)null!));
        var failures = Gen.Select(text, Gen.Enum<Reason>()).Select((access, reason) => new AccessFailure(access, reason)).Array[0, 3];
        var time = Gen.OneOf(Gen.DateTimeOffset, Gen.DateTime.Select(moment => new DateTimeOffset(moment.Date, TimeSpan.Zero)));
        Gen.Select(text, time, Gen.OneOf(Gen.Long, Gen.Long[0, 9]), text.Array[0, 3], optional, failures, Gen.Enum<Reason>(), Gen.Int).Sample((word, moment, number, words, other, failed, reason, status) =>
        {
            AuditEvent[] written =
            [
                new AccessAllowed { Id = word, Time = moment, Elapsed = number, Token = word, Subject = word, Client = word, Audience = word, AsOf = number, ScopesNeeded = words, Transport = word, HttpMethod = word, Method = other, Name = other, Session = other, Source = other },
                new AccessOutcome { Id = word, Time = moment, Elapsed = number, Forwarded = words, NotForwarded = failed, Unanswered = failed, StreamsEnded = other is null ? null : words },
                new AccessRefused { Id = word, Time = moment, Elapsed = number, Reason = reason, HttpMethod = word, Path = word, Status = status, Token = other, Subject = other, Client = other, Session = other, Source = other },
            ];
            foreach (var one in written)
            {
                FuzzTargets.AuditEventRead(AuditEventJson.Serialize(one));
                FuzzTargets.AuditEventRead(JsonSerializer.SerializeToUtf8Bytes(one, relaxed.AuditEvent));
            }
        }, iter: 3_000);
    }

    [Theory]
    [InlineData(Allowed, "\"zLvV8K-yJ13zkGWxQYiPjw\"")]
    [InlineData(Allowed, "[\"mcp\"]")]
    [InlineData(Allowed, "\"mcp\"")]
    [InlineData(Allowed, "\"DDc3TYfavQ18OScKlxEGLw\"")]
    [InlineData(Outcome, "\"jUKnQEHmRJMcyUCGTGbMkQ\"")]
    [InlineData(Outcome, "{\"access\":\"tot1Quduibyr2cM19OhPRw\",\"reason\":\"caller.left\"}")]
    [InlineData(Outcome, "\"tot1Quduibyr2cM19OhPRw\"")]
    [InlineData(Outcome, "[{\"access\":\"cIM0-eZkIaMPrlYOB6cxPg\",\"reason\":\"upstream.timeout\"}]")]
    [InlineData(Refused, "\"/messages/\"")]
    [InlineData("""{"type":"client.removed","id":"a","time":"2026-11-24T16:35:10+00:00","elapsed":1,"clients":["b"],"reason":"registration.expired"}""", "\"b\"")]
    public void A_null_where_a_value_has_to_stand_is_no_event(string leaf, string value)
    {
        AuditEventJson.Read(Encoding.UTF8.GetBytes(leaf));

        Assert.Throws<JsonException>(() => AuditEventJson.Read(Encoding.UTF8.GetBytes(leaf.Replace(value, "null"))));
    }

    [Theory]
    [InlineData("\"id\":\"DD", "\"id\":\"DD\",\"id\":\"")]
    [InlineData("\"elapsed\":2185", "\"elapsed\":02185")]
    [InlineData("\"elapsed\":2185", "\"elapsed\":+2185")]
    [InlineData("\"elapsed\":2185", "\"elapsed\":-2185")]
    [InlineData("\"elapsed\":2185", "\"elapsed\":2185.0")]
    [InlineData("\"elapsed\":2185", "\"elapsed\":2185e3")]
    [InlineData("\"elapsed\":2185", "\"elapsed\":\"2185\"")]
    [InlineData("\"elapsed\":2185", "\"elapsed\":9223372036854775808")]
    [InlineData("\"elapsed\":2185", "\"elapsed\":")]
    [InlineData("\"elapsed\":2185,", "")]
    [InlineData("\"as_of\":16", "\"as_of\":1_6")]
    [InlineData("\"token\":\"zLvV8K-yJ13zkGWxQYiPjw\",", "")]
    [InlineData("\"token\":\"zLvV8K-yJ13zkGWxQYiPjw\"", "\"token\":null")]
    [InlineData("\"token\"", "\"Token\"")]
    [InlineData("\"name\":\"echo\"", "\"name\":null")]
    [InlineData("\"name\":\"echo\"", "\"name\":7")]
    [InlineData("\"name\":\"echo\"", "\"name\":\"e\\u0063ho\"")]
    [InlineData("\"name\":\"echo\"", "\"name\":\"e\tcho\"")]
    [InlineData("\"name\":\"echo\"", "\"name\":\"\u00e9cho\"")]
    [InlineData("\"name\":\"echo\"", "\"name\":\"echo\\\"")]
    [InlineData("\"name\":\"echo\"", "\"name\":\"echo\",\"more\":{}")]
    [InlineData("\"method\":\"tools/call\",\"name\":\"echo\"", "\"name\":\"echo\",\"method\":\"tools/call\"")]
    [InlineData("[\"mcp\"]", "[\"mcp\",]")]
    [InlineData("[\"mcp\"]", "[,\"mcp\"]")]
    [InlineData("[\"mcp\"]", "[\"mcp\"\"mcp\"]")]
    [InlineData("[\"mcp\"]", "[\"mcp\",null]")]
    [InlineData("[\"mcp\"]", "\"mcp\"")]
    [InlineData("[\"mcp\"]", "[\"mcp\"")]
    [InlineData("T08:12:52.9614007+00:00", "T08:12:52.9614007Z")]
    [InlineData("T08:12:52.9614007+00:00", "T08:12:52.96140079+00:00")]
    [InlineData("T08:12:52.9614007+00:00", "T08:12:52,9614007+00:00")]
    [InlineData("T08:12:52.9614007+00:00", "T24:12:52.9614007+00:00")]
    [InlineData("T08:12:52.9614007+00:00", "")]
    [InlineData("2026-11-29T08:12:52.9614007+00:00", "2026-02-30T08:12:52.9614007+00:00")]
    [InlineData("2026-11-29T08:12:52.9614007+00:00", "")]
    [InlineData("b-Y\"}", "b-Y\"")]
    [InlineData("b-Y\"}", "b-Y\"} ")]
    [InlineData("b-Y\"}", "b-Y\"}}")]
    [InlineData("b-Y\"}", "b-Y\",}")]
    [InlineData("{\"type\"", " {\"type\"")]
    [InlineData("{\"type\"", "{ \"type\"")]
    [InlineData("\"reason\":\"scope.insufficient\"", "\"reason\":\"Scope.Insufficient\"")]
    [InlineData("\"reason\":\"scope.insufficient\"", "\"reason\":\"scope.unheard\"")]
    [InlineData("\"reason\":\"scope.insufficient\"", "\"reason\":3")]
    [InlineData("\"status\":403", "\"status\":2147483648")]
    [InlineData("\"status\":403", "\"status\":null")]
    [InlineData("{\"access\":\"tot1Quduibyr2cM19OhPRw\",\"reason\":\"caller.left\"}", "{\"reason\":\"caller.left\",\"access\":\"tot1Quduibyr2cM19OhPRw\"}")]
    [InlineData("{\"access\":\"tot1Quduibyr2cM19OhPRw\",\"reason\":\"caller.left\"}", "{\"access\":\"tot1Quduibyr2cM19OhPRw\"}")]
    [InlineData("{\"access\":\"tot1Quduibyr2cM19OhPRw\",\"reason\":\"caller.left\"}", "\"tot1Quduibyr2cM19OhPRw\"")]
    [InlineData("\"unanswered\":[", "\"unanswered\":[[")]
    public void What_stands_otherwise_is_read_or_refused_as_by_the_serializer(string there, string instead)
    {
        var changed = new[] { Allowed, Outcome, Refused }.Where(leaf => leaf.Contains(there)).Select(leaf => leaf.Replace(there, instead)).ToList();

        Assert.NotEmpty(changed);
        Assert.All(changed, leaf => FuzzTargets.AuditEventRead(Encoding.UTF8.GetBytes(leaf)));
        Assert.All(changed, leaf => FuzzTargets.AuditEventRead(Encoding.Latin1.GetBytes(leaf)));
    }
}
