using CsCheck;

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
}
