using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using AngleSharp.Html.Parser;
using Sallyport.Commands;
using Sallyport.Server.Audit;

namespace Sallyport.Tests.Sinks;

/// <summary>Hostile strings in every field: a clean answer, and harmless wherever they are shown afterwards.</summary>
public class HostileRequestTests
{
    [Theory]
    [MemberData(nameof(HostileStrings.Names), MemberType = typeof(HostileStrings))]
    public async Task A_hostile_string_is_harmless_in_every_field_and_in_every_sink(string name)
    {
        await using var gate = await TestGate.StartAsync();
        var text = HostileStrings.All[name];
        var client = await TestClient.RegisterAsync(gate);
        var token = (await client.TokensAsync()).AccessToken;

        foreach (var response in await SendEverywhereAsync(gate, client, token, text))
        {
            Assert.NotInRange((int)response.StatusCode, 500, 599);
            Assert.DoesNotContain(response.Headers, header => header.Key == "Set-Cookie" && header.Value.Any(value => value.StartsWith("a=b", StringComparison.Ordinal)));
        }
        foreach (var answer in await SendRawEverywhereAsync(gate, token, text))
            Assert.DoesNotMatch("^HTTP/1.1 5", answer);

        var leaves = JournalFiles.ReadAll(Path.Combine(gate.Data, "log")).ToList();
        Assert.True(leaves.Count > 20);
        foreach (var leaf in leaves)
        {
            // The bytes themselves, which --json shows; and the text that is made of them.
            Assert.All(leaf.Bytes, b => Assert.InRange(b, (byte)' ', (byte)'~'));
            using var document = JsonDocument.Parse(leaf.Bytes);
            Assert.All(new Sallyport.Log.EventLine(leaf).ForPeople(), c => Assert.InRange(c, ' ', '~'));
            // Redirect URIs have a limit of their own.
            Assert.All(document.RootElement.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.String && member.Name != "redirect_uri"),
                member => Assert.InRange(member.Value.GetString()!.Length, 0, 256 + "…sha256:".Length + 16));
        }
        // What is logged goes to the console by way of the formatter.
        Assert.All(gate.Log.Lines, line => Assert.DoesNotContain(OneLineFormatter.Plain(line), char.IsControl));
    }

    [Theory]
    [MemberData(nameof(HostileStrings.Names), MemberType = typeof(HostileStrings))]
    public async Task A_hostile_name_is_text_and_no_more_on_the_pages_that_show_it(string name)
    {
        await using var gate = await TestGate.StartAsync();
        var registered = await RegisterAsync(gate, new { client_name = HostileStrings.All[name], redirect_uris = new[] { TestClient.RedirectUri }, token_endpoint_auth_method = "none" });
        if (registered.StatusCode == HttpStatusCode.BadRequest || registered.StatusCode == HttpStatusCode.RequestEntityTooLarge)
            return;
        var registration = await registered.JsonAsync();
        var shown = registration.TryGetProperty("client_name", out var value) ? value.GetString()! : null;
        var template = await TestClient.RegisterAsync(gate);
        var browser = new TestBrowser(gate);

        var signIn = await (await browser.OpenAsync(template.AuthorizeUrl(("client_id", registration.GetProperty("client_id").GetString())))).TextAsync();
        await browser.SubmitAsync(("username", TestGate.UserName), ("password", TestGate.Password));
        var consent = await browser.Response.TextAsync();

        foreach (var page in (string[])[signIn, consent])
        {
            var document = new HtmlParser().ParseDocument(page);
            Assert.Empty(document.QuerySelectorAll("script, img, iframe, a, link, object"));
            Assert.DoesNotContain(document.All, element => element.Attributes.Any(attribute => attribute.Name.StartsWith("on", StringComparison.OrdinalIgnoreCase)));
            Assert.Contains(shown ?? "without a name", (document.Body!.TextContent + " without a name"), StringComparison.Ordinal);
            Assert.DoesNotContain(document.Body.TextContent, c => (char.IsControl(c) && c is not ('\n' or '\r')) || c is (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069') or '\u2028' or '\u2029');
        }
    }

    /// <summary>By HTTP clients: in JSON, forms and queries, where any character can be written.</summary>
    private static async Task<List<HttpResponseMessage>> SendEverywhereAsync(TestGate gate, TestClient client, string token, string text)
    {
        var responses = new List<HttpResponseMessage>
        {
            await RegisterAsync(gate, new { client_name = text, redirect_uris = new[] { TestClient.RedirectUri } }),
            await RegisterAsync(gate, new { redirect_uris = new[] { "https://a.example/" + text } }),
            await RegisterAsync(gate, new { redirect_uris = new[] { text, TestClient.RedirectUri }, token_endpoint_auth_method = text }),
            await RegisterAsync(gate, new Dictionary<string, object> { [text] = text, ["redirect_uris"] = new[] { TestClient.RedirectUri }, ["scope"] = text, ["client_uri"] = text }),
        };
        // In queries, as UTF-8; what is no text is sent as its replacement.
        var value = text.Length > 6_000 ? text[..6_000] : text;
        foreach (var parameter in (string[])["client_id", "redirect_uri", "state", "scope", "resource", "code_challenge", "code_challenge_method", "response_type", "prompt", "request_uri", "display"])
            responses.Add(await gate.Http.GetAsync(client.AuthorizeUrl((parameter, value)), TestContext.Current.CancellationToken));
        foreach (var path in (string[])["/", "/mcp/", "/register/", "/.well-known/oauth-protected-resource/"])
            responses.Add(await gate.GetWithTokenAsync(path + Uri.EscapeDataString(value), token));
        foreach (var query in (string[])["/messages/?session_id=", "/enrol?token=", "/consent?transaction=", "/signin?transaction=", "/mcp?access_token=", "/?"])
            responses.Add(await gate.GetWithTokenAsync(query + Uri.EscapeDataString(value), token));
        foreach (var field in (string[])["client_id", "client_secret", "code", "code_verifier", "redirect_uri", "grant_type", "refresh_token", "scope", "resource", "username"])
        {
            responses.Add(await client.ExchangeAsync("sp_code_x", (field, value)));
            responses.Add(await client.RefreshAsync("sp_rt_x", (field, value)));
        }
        responses.Add(await client.RevokeAsync(value));

        var browser = new TestBrowser(gate);
        await browser.OpenAsync(client.AuthorizeUrl());
        responses.Add(await browser.SubmitAsync(("username", value), ("password", value)));

        foreach (var message in (object[])[
            new { jsonrpc = "2.0", id = 1, method = "tools/call", @params = new { name = text, arguments = new { message = text } } },
            new { jsonrpc = "2.0", id = 1, method = text, @params = new { } },
            new { jsonrpc = "2.0", id = text, method = "resources/read", @params = new { uri = text } },
            new { jsonrpc = "2.0", method = "notifications/cancelled", @params = new { requestId = text, reason = text } }])
            responses.Add(await gate.PostMcpAsync(token, Serialize(message)));
        return responses;
    }

    /// <summary>As bytes, in the places where clients would refuse to write them. Text is sent as UTF-8, lone surrogates as the bytes that they would be, which are none.</summary>
    private static async Task<List<string>> SendRawEverywhereAsync(TestGate gate, string token, string text)
    {
        // Latin-1 of the UTF-8 bytes: SendRawAsync writes one byte for each character.
        var bytes = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text)) + (text.Any(char.IsSurrogate) ? "\u00ed\u00a0\u0080\u00ff\u00fe" : "");
        var answers = new List<string>();
        foreach (var request in (string[])[
            $"GET /{bytes} HTTP/1.1\r\nHost: localhost:5000\r\n",
            $"GET /%FF%FE{Uri.EscapeDataString(text.Length > 1_000 ? text[..1_000] : text)} HTTP/1.1\r\nHost: localhost:5000\r\n",
            $"GET /?{bytes} HTTP/1.1\r\nHost: localhost:5000\r\n",
            $"{bytes} / HTTP/1.1\r\nHost: localhost:5000\r\n",
            $"GET / HTTP/1.1\r\nHost: {bytes}\r\n",
            .. ((string[])["Origin", "User-Agent", "Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Authorization", "Cookie", "Accept", "traceparent", "Last-Event-ID"])
                .Select(header => $"POST /mcp HTTP/1.1\r\nHost: localhost:5000\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{header}: {bytes}\r\nContent-Length: 2\r\n")])
        {
            // A gate that refuses may close before it has read all of it.
            try
            {
                answers.Add(await gate.SendRawAsync($"{request}Connection: close\r\n\r\n{{}}"));
            }
            catch (IOException)
            {
            }
        }
        return answers;
    }

    private static Task<HttpResponseMessage> RegisterAsync(TestGate gate, object metadata) =>
        gate.Http.PostAsync("/register", new StringContent(Serialize(metadata), Encoding.UTF8, MediaTypeHeaderValue.Parse("application/json")), TestContext.Current.CancellationToken);

    /// <summary>JSON in which lone surrogates stay what they are: as escapes.</summary>
    private static string Serialize(object value)
    {
        // The serializer would replace them, so they pass through it as letters that nothing else uses.
        return JsonSerializer.Serialize(value, s_marking).Replace("\\uE000", "\\ud800", StringComparison.Ordinal).Replace("\\uE001", "\\udfff", StringComparison.Ordinal);
    }

    private static readonly JsonSerializerOptions s_marking = new() { Converters = { new Marking() } };

    private sealed class Marking : System.Text.Json.Serialization.JsonConverter<string>
    {
        public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetString()!;

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(Marked(value));

        public override void WriteAsPropertyName(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WritePropertyName(Marked(value));

        private static string Marked(string value) => value.Replace('\ud800', '\ue000').Replace('\udfff', '\ue001');
    }
}
