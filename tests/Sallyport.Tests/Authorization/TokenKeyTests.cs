using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;
using Sallyport.Server.Protocol;

namespace Sallyport.Tests.Authorization;

/// <summary>Access tokens that other servers check (RFC 9068), the keys behind all of them, and their rotation: ATTACKS RS-03, RS-04, RS-10, DISC-10 and STORE-08.</summary>
public sealed class TokenKeyTests
{
    private static readonly TestGateOptions s_jwt = new() { Settings = settings => settings.AccessTokens = ["jwt"] };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Where_a_resource_asks_for_them_its_access_tokens_are_JWTs_that_the_published_keys_check()
    {
        await using var gate = await TestGate.StartAsync(s_jwt);
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();

        var keys = new JsonWebKeySet(await gate.Http.GetStringAsync("/jwks", Cancellation));
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(tokens.AccessToken, new()
        {
            ValidIssuer = gate.Url,
            ValidAudience = gate.Url + "/mcp",
            ValidTypes = ["at+jwt"],
            ValidAlgorithms = ["ES256"],
            IssuerSigningKeys = keys.Keys,
            LifetimeValidator = (_, expires, _, _) => new DateTimeOffset(expires!.Value).ToUnixTimeSeconds() == gate.Time.GetUtcNow().AddHours(1).ToUnixTimeSeconds(),
        });

        Assert.True(result.IsValid, result.Exception?.Message);
        var issued = gate.Events<TokenIssued>()[^1];
        Assert.Equal((issued.Token, issued.Subject, client.Id, "mcp"),
            ((string)result.Claims["jti"], (string)result.Claims["sub"], (string)result.Claims["client_id"], (string)result.Claims["scope"]));
        Assert.Equal(gate.Time.GetUtcNow().ToUnixTimeSeconds(), Convert.ToInt64(result.Claims["iat"], null));
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync((await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!))).AccessToken, Messages.Initialize)).StatusCode);
    }

    [Fact]
    public async Task A_JWT_ends_at_the_gate_as_any_other_token_does()
    {
        await using var gate = await TestGate.StartAsync(s_jwt);
        var client = await TestClient.RegisterAsync(gate);
        var revoked = await client.TokensAsync();
        var expired = await client.TokensAsync();
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(revoked.AccessToken, Messages.Initialize)).StatusCode);

        await client.RevokeAsync(revoked.AccessToken);
        var afterRevocation = await gate.PostMcpAsync(revoked.AccessToken, Messages.Initialize);
        gate.Time.Advance(TimeSpan.FromHours(1));
        var afterExpiry = await gate.PostMcpAsync(expired.AccessToken, Messages.Initialize);

        Assert.Equal(Reason.TokenRevoked, gate.EventOf<AccessRefused>(afterRevocation).Reason);
        Assert.Equal(Reason.TokenExpired, gate.EventOf<AccessRefused>(afterExpiry).Reason);
    }

    [Fact]
    public async Task RS_03_RS_04_RS_10_a_JWT_that_the_gate_did_not_sign_as_an_access_token_is_forged()
    {
        await using var gate = await TestGate.StartAsync(s_jwt);
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        var (header, claims, signature) = (token.Split('.')[0], token.Split('.')[1], token.Split('.')[2]);
        var kid = gate.Services.GetRequiredService<TokenKeys>().Current.KeyId;
        using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var jwk = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new(own));
        var published = Encoding.UTF8.GetBytes(await gate.Http.GetStringAsync("/jwks", Cancellation));

        foreach (var (what, forged) in new (string, string)[]
        {
            ("no signature", $"{header}.{claims}."),
            ("alg none", $"{Header("none", "at+jwt", kid)}.{claims}."),
            ("alg None", $"{Header("None", "at+jwt", kid)}.{claims}."),
            ("alg nOnE, with a signature", $"{Header("nOnE", "at+jwt", kid)}.{claims}.{signature}"),
            ("another key under our kid", Sign(own, Header("ES256", "at+jwt", kid), claims)),
            ("another key under its own kid", Sign(own, Header("ES256", "at+jwt", "theirs"), claims)),
            ("a key in the header", Sign(own, Encode($$"""{"alg":"ES256","typ":"at+jwt","jwk":{"kty":"EC","crv":"P-256","x":"{{jwk.X}}","y":"{{jwk.Y}}"} }"""), claims)),
            ("a key's address in the header", Sign(own, Encode($$"""{"alg":"ES256","typ":"at+jwt","kid":"theirs","jku":"{{gate.Url}}/jwks","x5u":"{{gate.Url}}/jwks"}"""), claims)),
            ("HS256 with what is published", Mac(published, Header("HS256", "at+jwt", kid), claims)),
            ("an ID token's type", Resign(gate, Header("ES256", "JWT", kid), claims)),
            ("no type", Resign(gate, Encode($$"""{"alg":"ES256","kid":"{{kid}}"}"""), claims)),
            ("another issuer", Resign(gate, header, Encode(Encoding.UTF8.GetString(Base64Url.DecodeFromChars(claims)).Replace(gate.Url + "\"", "https://other.example\"", StringComparison.Ordinal)))),
            ("changed claims", $"{header}.{Encode(Encoding.UTF8.GetString(Base64Url.DecodeFromChars(claims)).Replace("\"mcp\"", "\"mcp admin\"", StringComparison.Ordinal))}.{signature}"),
        })
        {
            var response = await gate.PostMcpAsync(forged, Messages.Initialize);
            Assert.True(response.StatusCode == HttpStatusCode.Unauthorized, what);
            Assert.True(gate.EventOf<AccessRefused>(response).Reason == Reason.TokenForged, what);
        }
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(token, Messages.Initialize)).StatusCode);
    }

    [Fact]
    public async Task DOS_08_A_storm_of_JWTs_under_huge_keys_that_there_are_not_is_refused_one_by_one()
    {
        await using var gate = await TestGate.StartAsync(s_jwt);
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        // As long as an RSA signature of 16,384 bits.
        var signature = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(2048));
        var key = Encode($$"""{"alg":"RS256","typ":"at+jwt","jwk":{"kty":"RSA","e":"AQAB","n":"{{signature}}"} }""");

        for (var i = 0; i < 200; i++)
            await AssertRefusedAsync($"{Header("RS256", "at+jwt", $"key-{i}")}.{token.Split('.')[1]}.{signature}", Reason.TokenForged);
        // With such a key in it, it is longer than any token of ours.
        await AssertRefusedAsync($"{key}.{token.Split('.')[1]}.{signature}", Reason.TokenMalformed);

        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(token, Messages.Initialize)).StatusCode);

        async Task AssertRefusedAsync(string forged, Reason reason)
        {
            var response = await gate.PostMcpAsync(forged, Messages.Initialize);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Equal(reason, gate.EventOf<AccessRefused>(response).Reason);
        }
    }

    [Fact]
    public async Task A_JWT_that_is_none_or_too_long_is_malformed()
    {
        await using var gate = await TestGate.StartAsync(s_jwt);

        foreach (var text in new[] { "eyJ", "eyJ.eyJ", "eyJhbGciOiJFUzI1NiJ9.e30.x.y.z.more", "eyJ" + new string('a', 5000) + ".e30.x" })
        {
            var response = await gate.PostMcpAsync(text, Messages.Initialize);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Equal(Reason.TokenMalformed, gate.EventOf<AccessRefused>(response).Reason);
        }
    }

    [Fact]
    public async Task A_JWT_for_a_user_that_the_gate_knows_not_opens_nothing_though_its_key_is_ours()
    {
        await using var gate = await TestGate.StartAsync(s_jwt);
        var token = gate.Services.GetRequiredService<JwtFormat>().New(new(gate.Url + "/mcp", "nobody", "none", "mcp", gate.Time.GetUtcNow(), gate.Time.GetUtcNow().AddHours(1)), out _);

        var response = await gate.PostMcpAsync(token, Messages.Initialize);

        Assert.Equal(Reason.TokenUnknown, gate.EventOf<AccessRefused>(response).Reason);
    }

    [Fact]
    public async Task DISC_10_published_is_nothing_private_and_no_other_kind_of_key()
    {
        await using var gate = await TestGate.StartAsync();
        await RotateAsync(gate);

        var response = await gate.Http.GetAsync("/jwks", Cancellation);
        var metadata = await (await gate.Http.GetAsync("/.well-known/oauth-authorization-server", Cancellation)).JsonAsync();

        var keys = (await response.JsonAsync()).GetProperty("keys").EnumerateArray().ToList();
        Assert.Equal(2, keys.Select(key => key.GetProperty("kid").GetString()).Distinct().Count());
        Assert.All(keys, key =>
        {
            Assert.Equal(["alg", "crv", "kid", "kty", "use", "x", "y"], key.EnumerateObject().Select(member => member.Name).Order());
            Assert.Equal(("EC", "ES256", "sig"), (key.GetProperty("kty").GetString(), key.GetProperty("alg").GetString(), key.GetProperty("use").GetString()));
        });
        Assert.Equal(TimeSpan.FromMinutes(5), response.Headers.CacheControl!.MaxAge);
        Assert.Equal(gate.Url + "/jwks", metadata.GetProperty("jwks_uri").GetString());
    }

    [Theory]
    [InlineData("opaque")]
    [InlineData("jwt")]
    public async Task STORE_08_after_a_rotation_what_the_key_before_made_is_good_until_it_expires(string kind)
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => (settings.AccessTokens, settings.AccessTokenSeconds) = ([kind], 86_400) });
        var client = await TestClient.RegisterAsync(gate);
        var before = await client.TokensAsync();

        var made = await RotateAsync(gate);
        var meanwhile = await client.TokensAsync();
        gate.Time.Advance(TokenKeys.PublishedAhead);
        var after = await client.TokensAsync();
        gate.Time.Advance(TimeSpan.FromHours(23));

        foreach (var token in new[] { before, meanwhile, after })
            Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(token.AccessToken, Messages.Initialize)).StatusCode);
        var acted = Assert.Single(gate.Events<OperatorActed>(), acted => acted.Act == OperatorAct.TokenKeyAdded);
        Assert.Equal(made.KeyId, acted.Target);
        if (kind == "jwt")
        {
            Assert.NotEqual(made.KeyId, new JsonWebToken(meanwhile.AccessToken).Kid);
            Assert.Equal(made.KeyId, new JsonWebToken(after.AccessToken).Kid);
        }
        // A day after the new one began to sign nobody has a token of the old one's, and it goes.
        gate.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(made.KeyId, Assert.Single(gate.Services.GetRequiredService<TokenKeys>().Accepted).KeyId);
        Assert.Equal(Reason.TokenForged, gate.EventOf<AccessRefused>(await gate.PostMcpAsync(before.AccessToken, Messages.Initialize)).Reason);
    }

    [Theory]
    [InlineData("opaque")]
    [InlineData("jwt")]
    public async Task A_rotation_at_once_ends_every_access_token_and_clients_refresh_theirs(string kind)
    {
        await using var gate = await TestGate.StartAsync(new() { Settings = settings => settings.AccessTokens = [kind] });
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize)).StatusCode);

        await gate.Services.GetRequiredService<OperatorActs>().RotateTokenKeyAsync(atOnce: true, Cancellation);

        var refused = await gate.PostMcpAsync(tokens.AccessToken, Messages.Initialize);
        var refreshed = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));
        Assert.Equal(Reason.TokenForged, gate.EventOf<AccessRefused>(refused).Reason);
        Assert.Equal(HttpStatusCode.OK, (await gate.PostMcpAsync(refreshed.AccessToken, Messages.Initialize)).StatusCode);
        Assert.Single(gate.Events<OperatorActed>(), acted => acted.Act == OperatorAct.TokenKeysReplaced);
    }

    [Fact]
    public async Task The_keys_outlive_the_gate_in_one_file_of_its_owner_and_those_of_earlier_releases_are_taken_over()
    {
        var data = Directory.CreateTempSubdirectory("sallyport-keys-").FullName;
        try
        {
            var directory = new DataDirectory(data);
            directory.Create();
            var secret = RandomNumberGenerator.GetBytes(TokenKey.SecretBytes);
            await File.WriteAllBytesAsync(directory.FirstTokenSecret, secret, Cancellation);
            TokenKey first;
            await using (var gate = await TestGate.StartAsync(new() { Data = data }))
            {
                first = gate.Services.GetRequiredService<TokenKeys>().Current;
                await RotateAsync(gate);
            }
            var kept = new TokenKeyFile(directory).Open(TimeProvider.System).Accepted;

            Assert.Equal(1, first.Number);
            Assert.Equal(secret, first.Secret);
            Assert.Equal((first.KeyId, 2), (kept[0].KeyId, kept.Count));
            Assert.False(File.Exists(directory.FirstTokenSecret));
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(directory.TokenKeys));
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("[null]")]
    [InlineData("""[{"number":1,"signs_from":"2026-01-01T00:00:00Z","secret":"AAAA","private_key":"AAAA"}]""")]
    [InlineData("""[{"number":0}]""")]
    public void Keys_that_cannot_be_read_are_a_fault_that_says_what_to_do(string content)
    {
        var data = Directory.CreateTempSubdirectory("sallyport-keys-").FullName;
        try
        {
            var directory = new DataDirectory(data);
            directory.Create();
            File.WriteAllText(directory.TokenKeys, content);

            var fault = Assert.Throws<InvalidDataException>(() => new TokenKeyFile(directory).Open(TimeProvider.System));

            Assert.Contains("Restore it from a backup", fault.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Theory]
    [InlineData("jwts")]
    [InlineData("1")]
    [InlineData("opaque,jwt")]
    [InlineData("notes=")]
    [InlineData("others=jwt")]
    public void What_is_no_kind_of_access_token_or_for_no_upstream_is_a_fault(string written)
    {
        GateConfiguration.From(new() { Data = "data", Upstreams = ["notes=http://127.0.0.1:1/mcp"], AccessTokens = [written] }, out var faults);

        Assert.Equal("access-tokens", Assert.Single(faults).Setting);
    }

    [Fact]
    public void One_upstream_may_ask_for_JWTs_where_others_do_not()
    {
        var configuration = GateConfiguration.From(new() { Data = "data", Upstreams = ["notes=http://127.0.0.1:1/mcp", "files=http://127.0.0.1:2/mcp"], AccessTokens = ["jwt", "files=Opaque"] }, out _)!;

        Assert.Equal([("notes", AccessTokenKind.Jwt), ("files", AccessTokenKind.Opaque)], configuration.Upstreams.Select(upstream => (upstream.Name!, upstream.AccessTokens)));
    }

    private static Task<TokenKey> RotateAsync(TestGate gate) =>
        gate.Services.GetRequiredService<OperatorActs>().RotateTokenKeyAsync(atOnce: false, Cancellation);

    private static string Header(string algorithm, string type, string kid) => Encode($$"""{"alg":"{{algorithm}}","typ":"{{type}}","kid":"{{kid}}"}""");

    private static string Encode(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    private static string Sign(ECDsa key, string header, string claims) =>
        $"{header}.{claims}.{Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes($"{header}.{claims}"), HashAlgorithmName.SHA256))}";

    /// <summary>With the gate's own key, which signs nothing but access tokens.</summary>
    private static string Resign(TestGate gate, string header, string claims) => Sign(gate.Services.GetRequiredService<TokenKeys>().Current.Signing.ECDsa, header, claims);

    private static string Mac(byte[] key, string header, string claims) =>
        $"{header}.{claims}.{Base64Url.EncodeToString(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes($"{header}.{claims}")))}";
}
