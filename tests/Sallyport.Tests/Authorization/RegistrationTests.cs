using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Sallyport.Tests.Authorization;

public class RegistrationTests
{
    private static async Task<HttpResponseMessage> RegisterAsync(TestGate gate, string json, string contentType = "application/json") =>
        await gate.Http.PostAsync("/register", new StringContent(json, Encoding.UTF8, MediaTypeHeaderValue.Parse(contentType)), TestContext.Current.CancellationToken);

    [Fact]
    public async Task A_public_client_gets_an_id_and_no_secret()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await RegisterAsync(gate, """{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none","client_name":"A","application_type":"native","unheard_of":{"x":[1]}}""");

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        var body = await response.JsonAsync();
        Assert.False(body.TryGetProperty("client_secret", out _));
        Assert.Equal("none", body.GetProperty("token_endpoint_auth_method").GetString());
        Assert.Equal("""["authorization_code","refresh_token"]""", body.GetProperty("grant_types").GetRawText());
        Assert.Equal(body.GetProperty("client_id").GetString(), gate.EventOf<ClientRegistered>(response).Client);
    }

    [Theory]
    [InlineData("client_secret_post")]
    [InlineData("client_secret_basic")]
    [InlineData(null)]
    public async Task A_confidential_client_gets_a_secret_of_256_bits_that_is_stored_as_a_hash(string? method)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await RegisterAsync(gate, JsonSerializer.Serialize(new { redirect_uris = new[] { "https://a.example/cb" }, token_endpoint_auth_method = method }));

        var body = await response.JsonAsync();
        var secret = body.GetProperty("client_secret").GetString()!;
        Assert.Equal("sp_cs_".Length + 43, secret.Length);
        Assert.Equal(0, body.GetProperty("client_secret_expires_at").GetInt64());
        Assert.Equal(method ?? "client_secret_basic", body.GetProperty("token_endpoint_auth_method").GetString());
        await gate.StopAsync();
        foreach (var file in Directory.EnumerateFiles(gate.Data, "*", SearchOption.AllDirectories))
            Assert.DoesNotContain(secret, Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task One_unsuitable_redirect_URI_is_left_out_and_named_and_the_others_registered()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await RegisterAsync(gate, """{"redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback","http://public.example/cb","http://localhost:8787/callback"],"token_endpoint_auth_method":"none"}""");

        var body = await response.JsonAsync();
        Assert.Equal("""["cursor://anysphere.cursor-mcp/oauth/callback","http://localhost:8787/callback"]""", body.GetProperty("redirect_uris").GetRawText());
        var unsuitable = Assert.Single(body.GetProperty("unsuitable_redirect_uris").EnumerateArray());
        Assert.Equal("http://public.example/cb", unsuitable.GetProperty("redirect_uri").GetString());
        Assert.Equal("redirect.http_not_loopback", unsuitable.GetProperty("reason").GetString());
        Assert.Equal(["redirect.http_not_loopback"], gate.EventOf<ClientRegistered>(response).LeftOut);
    }

    [Theory]
    [InlineData("""{"redirect_uris":["javascript:alert(1)","https://a.example/cb"]}""", 400, "invalid_redirect_uri", Reason.RedirectForbiddenScheme)]
    [InlineData("""{"redirect_uris":["JaVaScRiPt:alert(1)"]}""", 400, "invalid_redirect_uri", Reason.RedirectForbiddenScheme)]
    [InlineData("""{"redirect_uris":[" java\tscript:alert(1)"]}""", 400, "invalid_redirect_uri", Reason.RedirectForbiddenScheme)]
    [InlineData("""{"redirect_uris":["data:text/html,x"]}""", 400, "invalid_redirect_uri", Reason.RedirectForbiddenScheme)]
    [InlineData("""{"redirect_uris":["http://public.example/cb"]}""", 400, "invalid_redirect_uri", Reason.RedirectUnsuitable)]
    [InlineData("""{"redirect_uris":["https://a.example/cb#x"]}""", 400, "invalid_redirect_uri", Reason.RedirectUnsuitable)]
    [InlineData("""{"redirect_uris":["https://*.example/cb"]}""", 400, "invalid_redirect_uri", Reason.RedirectUnsuitable)]
    [InlineData("""{"redirect_uris":["https://a.example/cb?code=1"]}""", 400, "invalid_redirect_uri", Reason.RedirectUnsuitable)]
    [InlineData("""{"redirect_uris":["https://u:p@a.example/cb"]}""", 400, "invalid_redirect_uri", Reason.RedirectUnsuitable)]
    [InlineData("""{"redirect_uris":["nodot:/cb"]}""", 400, "invalid_redirect_uri", Reason.RedirectUnsuitable)]
    [InlineData("""{"redirect_uris":[]}""", 400, "invalid_redirect_uri", Reason.RedirectMissing)]
    [InlineData("{}", 400, "invalid_redirect_uri", Reason.RedirectMissing)]
    [InlineData("""{"redirect_uris":"https://a.example/cb"}""", 400, "invalid_client_metadata", Reason.MetadataInvalid)]
    [InlineData("""{"redirect_uris":["https://a.example/cb"],"grant_types":["implicit","password"]}""", 400, "invalid_client_metadata", Reason.MetadataInvalid)]
    [InlineData("""{"redirect_uris":["https://a.example/cb"],"response_types":["token"]}""", 400, "invalid_client_metadata", Reason.MetadataInvalid)]
    [InlineData("""{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt"}""", 400, "invalid_client_metadata", Reason.MetadataInvalid)]
    [InlineData("""{"redirect_uris":["https://a.example/cb"],"software_statement":"e30.e30."}""", 400, "invalid_software_statement", Reason.SoftwareStatementUnsupported)]
    [InlineData("""{"redirect_uris":["https://a.example/cb"],"client_name":"\ud800"}""", 400, "invalid_client_metadata", Reason.MetadataInvalid)]
    [InlineData("""{"redirect_uris":["https://a.example/cb"],"redirect_uris":["https://b.example/cb"]}""", 400, "invalid_request", Reason.BodyMalformed)]
    [InlineData("""{"\ud800":1,"redirect_uris":["https://a.example/cb"]}""", 400, "invalid_request", Reason.BodyMalformed)]
    [InlineData("null", 400, "invalid_client_metadata", Reason.MetadataInvalid)]
    [InlineData("[]", 400, "invalid_client_metadata", Reason.MetadataInvalid)]
    [InlineData("{", 400, "invalid_request", Reason.BodyMalformed)]
    public async Task What_cannot_be_registered_is_refused_with_its_reason(string json, int status, string error, Reason reason)
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await RegisterAsync(gate, json);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(error, await response.ErrorAsync());
        Assert.Equal(reason, gate.EventOf<ClientRefused>(response).Reason);
        Assert.Empty(gate.Events<ClientRegistered>());
    }

    [Fact]
    public async Task Too_many_redirect_URIs_are_refused()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await RegisterAsync(gate, JsonSerializer.Serialize(new { redirect_uris = Enumerable.Range(0, 51).Select(i => $"https://a.example/{i}") }));

        Assert.Equal("invalid_redirect_uri", await response.ErrorAsync());
    }

    [Fact]
    public async Task The_largest_registration_that_is_taken_fits_its_event()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);
        var uris = Enumerable.Range(0, 4).Select(i => $"https://a.example/{i}?{new string('&', 2_000)}");

        var response = await RegisterAsync(gate, JsonSerializer.Serialize(new { redirect_uris = uris }, new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
    }

    [Fact]
    public async Task A_body_over_the_limit_or_of_another_type_is_refused()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var large = await RegisterAsync(gate, "{\"x\":\"" + new string('x', 17 * 1024) + "\"}");
        var text = await RegisterAsync(gate, "{}", "text/plain");

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);
        Assert.Equal(Reason.BodyTooLarge, gate.EventOf<ClientRefused>(large).Reason);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, text.StatusCode);
    }

    [Fact]
    public async Task A_name_loses_what_could_disguise_it()
    {
        await using var gate = await TestGate.StartAsync(withUser: false);

        var response = await RegisterAsync(gate, """{"redirect_uris":["https://a.example/cb"],"client_name":"Cl\u202eaude\n\u001b[31m"}""");

        Assert.Equal("Claude[31m", (await response.JsonAsync()).GetProperty("client_name").GetString());
    }
}
