using System.Globalization;
using System.Text;
using Sallyport.Server.Pipeline;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.House;

/// <summary>
/// Whatever is sent to any endpoint that needs no token, it is answered: a refusal says what is wrong and is in the log, nothing is a fault,
/// and what was granted before is as good as before.
/// </summary>
public class BadInputTests
{
    private const int Mutations = 400;

    private const string Form = "application/x-www-form-urlencoded";

    private static readonly string s_long = new('x', 10_000);

    public static TheoryData<string> Queries =>
    [
        "", "a", "=", "&&&", "%", "%zz=%", "%ff=%fe", "%ED%A0%80=%00", "a=1&a=2", "client_id=a&client_id=b", "transaction=%00", "transaction=x&transaction=y", "token=" + s_long,
        "redirect_uri=javascript:alert(1)&client_id=%F0%9F%98%80", "state=" + s_long, string.Join('&', Enumerable.Range(0, 65).Select(i => $"p{i}=1")), "a[]=1&a[b]=2", "__proto__=1", "client_id='%20OR%201=1--", "x=%0d%0aSet-Cookie:%20a=b",
    ];

    /// <summary>A content type and a body, as the bytes that these characters stand for.</summary>
    public static TheoryData<string?, string> Bodies => new()
    {
        { null, "" }, { null, "a=b" }, { "", "a=b" }, { ";", "a=b" }, { "nonsense", "a=b" }, { "text/plain", "a=b" }, { "application/json", "a=b" }, { Form, "" }, { Form, "=" }, { Form, "&&&" }, { Form, "%" },
        { Form, "a=%zz&%" }, { Form, "a=%ff%fe&b=%00" }, { Form, "\u00ff\u00fe\u0000" }, { Form, "client_id=%ED%A0%80&token=%ED%B0%80" }, { Form, "grant_type=authorization_code&grant_type=refresh_token" },
        { Form, "Client_Id=a&client_id=b" }, { Form, "token=" + s_long + s_long + s_long + s_long }, { Form, s_long + "=1" }, { Form, string.Join('&', Enumerable.Range(0, 65).Select(i => $"p{i}=1")) },
        { Form, "client_id='; DROP TABLE Clients;--&token=x&grant_type=refresh_token&refresh_token=%F0%9F%98%80" }, { Form, "{\"grant_type\":1}" }, { Form + "; charset=utf-16", "a\0=\0b\0" }, { Form + "; charset=\"", "a=b" },
        { "multipart/form-data", "a=b" }, { "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\na\r\n" },
        { "application/json", "" }, { "application/json", "null" }, { "application/json", "[]" }, { "application/json", "{" }, { "application/json", "{\"redirect_uris\":{}}" }, { "application/json", "{\"redirect_uris\":[1,null,{}]}" },
        { "application/json", "{\"redirect_uris\":[\"\\ud800\"],\"client_name\":7}" }, { "application/json", "{\"a\":1,\"a\":2}" }, { "application/json", "\u00ef\u00bb\u00bf{}" }, { "application/json", "\u00ff\u00fe{\0}\0" },
        { "application/json", new string('[', 5_000) }, { "application/json", "{\"client_name\":\"" + s_long + s_long + "\"}" }, { "application/json", "{\"redirect_uris\":[" + string.Concat(Enumerable.Repeat("\"https://a.example/cb\",", 400)) + "\"https://a.example\"]}" },
    };

    public static TheoryData<string> Headers =>
    [
        "Authorization: ", "Authorization: Basic", "Authorization: Basic !", "Authorization: Basic Og==", "Authorization: Basic " + s_long, "Authorization: Bearer", "Authorization: Bearer \u00ff", "Authorization: Digest a=b", "Authorization: Basic YTpi\r\nAuthorization: Basic Yzpk",
        "Cookie: " + string.Join("; ", Enumerable.Range(0, 200).Select(i => $"c{i}=x")), "Cookie: =;=;=", "Cookie: sallyport=\u00ff; .AspNetCore.Antiforgery=x", "Accept: ", "Accept: text/html;q=x, */*;;", "Accept: " + s_long, "Accept-Language: \u00ff",
        "Origin: ", "Origin: null", "Origin: \u00ff", "Content-Encoding: gzip", "Content-Type: application/json\r\nContent-Type: text/plain", "Transfer-Encoding: chunked", "Expect: 100-continue", "Range: bytes=0-0", "If-Modified-Since: never",
        "X-Forwarded-For: \u00ff, 999.999.999.999", "Forwarded: for=\"", "Upgrade: h2c", "traceparent: 00-" + s_long, "User-Agent: " + s_long,
    ];

    [Theory]
    [MemberData(nameof(Queries))]
    public Task A_query_of_any_kind_is_answered(string query) => AnsweredAsync((row, method) => Request(method, row, query, []));

    [Theory]
    [MemberData(nameof(Bodies))]
    public Task A_body_of_any_kind_is_answered(string? type, string body) =>
        AnsweredAsync((row, method) => Request(method, row, "", type is null ? [] : ["Content-Type: " + type], body));

    [Theory]
    [MemberData(nameof(Headers))]
    public Task A_header_of_any_kind_is_answered(string header) => AnsweredAsync((row, method) => Request(method, row, "", [header], method == "POST" ? "" : null));

    [Fact]
    public Task A_body_whose_chunks_are_not_as_long_as_they_say_is_answered() =>
        AnsweredAsync((row, method) => $"{method} {row} HTTP/1.1\r\nHost: localhost:5000\r\nConnection: close\r\nContent-Type: {Form}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na=b&c=d\r\n0\r\n\r\n", methods: ["POST", "PUT"]);

    [Fact]
    public async Task A_good_request_with_a_few_bytes_changed_is_answered()
    {
        var dice = Dice.New();
        await using var gate = await StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var code = await client.CodeAsync();
        (string Method, string Path, string Type, string Body)[] good =
        [
            ("POST", "/token", Form, $"grant_type=authorization_code&code={code}&client_id={client.Id}&code_verifier={client.Verifier}&redirect_uri=https%3A%2F%2Fclient.example%2Fcallback&resource=http%3A%2F%2Flocalhost%3A5000%2Fmcp"),
            ("POST", "/token", Form, $"grant_type=refresh_token&refresh_token=sp_rt_x&client_id={client.Id}&scope=mcp+offline_access"),
            ("POST", "/revoke", Form, $"token=sp_rt_x&client_id={client.Id}&token_type_hint=refresh_token"),
            ("POST", "/introspect", Form, $"token=sp_at_x&client_id={client.Id}"),
            ("POST", "/authorize", Form, client.AuthorizeUrl()["/authorize?".Length..]),
            ("GET", client.AuthorizeUrl(), "", ""),
            ("POST", "/register", "application/json", """{"client_name":"A","redirect_uris":["https://a.example/cb","http://localhost/cb"],"grant_types":["authorization_code"],"token_endpoint_auth_method":"none","logo_uri":"https://a.example/l"}"""),
            ("POST", "/signin", Form, "transaction=CfDJ8x&antiforgery=CfDJ8y&username=alice&password=correct"),
            ("POST", "/consent", Form, "transaction=CfDJ8x&antiforgery=CfDJ8y&decision=allow"),
            ("GET", "/signin?transaction=CfDJ8x", "", ""),
        ];
        for (var i = 0; i < Mutations; i++)
        {
            foreach (var (method, path, type, body) in good)
            {
                var (target, content) = method == "GET" ? (Mutate(dice, path, printable: true), null) : (path, Mutate(dice, body, printable: false));
                if (method == "GET" && !target.StartsWith('/'))
                    continue;
                var request = $"{method} {target} HTTP/1.1\r\nHost: localhost:5000\r\nConnection: close\r\n{(content is null ? "" : $"Content-Type: {type}\r\nContent-Length: {content.Length}\r\n")}\r\n{content}";

                AssertClear(await gate.SendRawAsync(request), $"SALLYPORT_SEED={dice.Seed}, {i}: {request}", isHead: false);
            }
        }
        AssertNoFault(gate);
    }

    private static async Task AnsweredAsync(Func<string, string, string> request, string[]? methods = null)
    {
        await using var gate = await StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        foreach (var row in RouteInventory.Of(gate).Where(row => row.Policy.Guard == PathGuard.Public && !row.Refused))
        {
            var path = row.Path.Replace("/{**path}", "/mcp", StringComparison.Ordinal).Replace("{client}", client.Id, StringComparison.Ordinal);
            foreach (var method in row.Method.Split(',').Where(method => methods?.Contains(method) ?? true))
            {
                var sent = request(path, method);
                AssertClear(await gate.SendRawAsync(sent), sent, method == "HEAD");
            }
        }

        AssertNoFault(gate);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await client.RefreshAsync(tokens.RefreshToken!)).StatusCode);
    }

    private static Task<TestGate> StartAsync() => TestGate.StartAsync(new() { Settings = settings => settings.RegistrationsPerMinute = 100_000 });

    private static string Request(string method, string path, string query, string[] headers, string? body = null) =>
        $"{method} {path}{(query.Length > 0 ? "?" + query : "")} HTTP/1.1\r\nHost: localhost:5000\r\nConnection: close\r\n{string.Concat(headers.Select(header => header + "\r\n"))}"
        + (headers.Any(header => header.StartsWith("Transfer-Encoding", StringComparison.Ordinal)) ? "\r\n0\r\n\r\n" : body is null ? "\r\n" : $"Content-Length: {body.Length}\r\n\r\n{body}");

    /// <summary>No fault; and what is refused says why, in OAuth's JSON or on a page, unless the HTTP server itself refuses it.</summary>
    private static void AssertClear(string answer, string request, bool isHead)
    {
        var shown = $"{request[..Math.Min(300, request.Length)]}\n{answer}";
        Assert.True(answer.StartsWith("HTTP/1.1 ", StringComparison.Ordinal), shown);
        var status = int.Parse(answer.AsSpan("HTTP/1.1 ".Length, 3), CultureInfo.InvariantCulture);
        Assert.True(status < 500, shown);
        if (status < 400 || isHead || !answer.Contains("Sallyport-Event", StringComparison.Ordinal))
            return;
        var body = answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        Assert.True(body.Contains("\"error\":", StringComparison.Ordinal) || body.Contains("<h1", StringComparison.Ordinal), shown);
    }

    private static void AssertNoFault(TestGate gate)
    {
        Assert.DoesNotContain(gate.Events<AccessRefused>(), refused => refused.Reason == Reason.Fault);
        Assert.DoesNotContain(gate.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal) || line.StartsWith("Critical", StringComparison.Ordinal));
    }

    private static string Mutate(Dice dice, string text, bool printable)
    {
        string[] pieces = ["%00", "%ff", "%", "&", "=", "\"", "\\u0000", "{", "[", "null", "..", "//", "?", "#", "&client_id=x", new('x', 3_000)];
        var mutated = new StringBuilder(text);
        for (var times = 1 + dice.Below(4); times > 0 && mutated.Length > 0; times--)
        {
            var at = dice.Below(mutated.Length);
            switch (dice.Below(4))
            {
                case 0:
                    mutated[at] = printable ? (char)('!' + dice.Below('~' - '!')) : (char)dice.Below(256);
                    break;
                case 1:
                    mutated.Insert(at, dice.Of(pieces));
                    break;
                case 2:
                    mutated.Remove(at, 1);
                    break;
                default:
                    mutated.Length = at;
                    break;
            }
        }
        return mutated.ToString();
    }
}
