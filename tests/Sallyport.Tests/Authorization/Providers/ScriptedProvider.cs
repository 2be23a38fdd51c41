using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using static System.Buffers.Text.Base64Url;

namespace Sallyport.Tests.Authorization.Providers;

/// <summary>
/// An OpenID Connect provider on loopback that does as a test says. By itself it behaves: one user, RS256, PKCE checked. Each member that a
/// test sets is one way of not behaving.
/// </summary>
internal sealed class ScriptedProvider : IAsyncDisposable
{
    public const string ClientId = "the-gate";
    public const string ClientSecret = "a secret that is long enough to sign with";
    public const string Code = "the-code";

    private static readonly RSA s_key = RSA.Create(2048);
    public static readonly RSA OtherKey = RSA.Create(2048);

    private readonly WebApplication _application;

    private ScriptedProvider(int port)
    {
        Issuer = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        _application = builder.Build();
        _application.Run(ServeAsync);
    }

    public string Issuer { get; }

    /// <summary>Of a token that it makes now.</summary>
    public DateTimeOffset Now { get; set; } = TimeProvider.System.GetUtcNow();
    /// <summary>Changes its discovery document.</summary>
    public Action<JsonObject> Discovery { get; set; } = static _ => { };
    /// <summary>Changes the claims of its id_token.</summary>
    public Action<JsonObject> Claims { get; set; } = static _ => { };
    /// <summary>Changes the answer of its token endpoint.</summary>
    public Action<JsonObject> TokenAnswer { get; set; } = static _ => { };
    /// <summary>Makes the id_token otherwise: given its header and its claims.</summary>
    public Func<JsonObject, JsonObject, string> Sign { get; set; } = static (header, claims) => SignRs256(header, claims, s_key);
    /// <summary>Answers at a path in place of what it would answer.</summary>
    public Dictionary<string, Func<HttpContext, Task>> Instead { get; } = [];
    /// <summary>Changes the parameters that it sends the browser back with.</summary>
    public Action<Dictionary<string, string>> Return { get; set; } = static _ => { };

    /// <summary>The parameters of the last authorization request.</summary>
    public System.Collections.Specialized.NameValueCollection Asked { get; private set; } = [];
    /// <summary>The paths that the gate itself has asked for.</summary>
    public List<string> BackChannel { get; } = [];
    public IFormCollection? Exchanged { get; private set; }

    public static async Task<ScriptedProvider> StartAsync()
    {
        var provider = new ScriptedProvider(TestGate.FreePort());
        await provider._application.StartAsync(TestContext.Current.CancellationToken);
        return provider;
    }

    /// <summary>What it would do with a browser that comes with this address: sign its user in, and send it back there.</summary>
    public string Authorize(Uri address)
    {
        Asked = HttpUtility.ParseQueryString(address.Query);
        var parameters = new Dictionary<string, string> { ["code"] = Code, ["state"] = Asked["state"]!, ["iss"] = Issuer };
        Return(parameters);
        return new Uri(Asked["redirect_uri"]!).AbsolutePath + "?" + string.Join('&', parameters.Select(p => $"{p.Key}={Uri.EscapeDataString(p.Value)}"));
    }

    public static string SignRs256(JsonObject header, JsonObject claims, RSA key)
    {
        var signed = Unsigned(header, claims);
        return $"{signed}.{EncodeToString(key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))}";
    }

    public static string SignHs256(JsonObject header, JsonObject claims, byte[] key)
    {
        header["alg"] = "HS256";
        var signed = Unsigned(header, claims);
        return $"{signed}.{EncodeToString(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(signed)))}";
    }

    public static string Unsigned(JsonObject header, JsonObject claims) =>
        $"{EncodeToString(Encoding.UTF8.GetBytes(header.ToJsonString()))}.{EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString()))}";

    public static byte[] PublicKeyPem => Encoding.ASCII.GetBytes(s_key.ExportSubjectPublicKeyInfoPem());

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _application.StopAsync(now.Token);
        await _application.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext context)
    {
        string path = context.Request.Path;
        lock (BackChannel)
            BackChannel.Add(path);
        if (Instead.TryGetValue(path, out var instead))
        {
            await instead(context);
            return;
        }
        switch (path)
        {
            case "/.well-known/openid-configuration":
                await WriteAsync(context, With(Discovery, new()
                {
                    ["issuer"] = Issuer,
                    ["authorization_endpoint"] = Issuer + "/authorize",
                    ["token_endpoint"] = Issuer + "/token",
                    ["jwks_uri"] = Issuer + "/jwks",
                    ["response_types_supported"] = new JsonArray("code"),
                    ["subject_types_supported"] = new JsonArray("public"),
                    ["id_token_signing_alg_values_supported"] = new JsonArray("RS256"),
                    ["token_endpoint_auth_methods_supported"] = new JsonArray("client_secret_post"),
                    ["code_challenge_methods_supported"] = new JsonArray("S256"),
                    ["authorization_response_iss_parameter_supported"] = true,
                }));
                break;
            case "/jwks":
                var key = s_key.ExportParameters(includePrivateParameters: false);
                await WriteAsync(context, new() { ["keys"] = new JsonArray(new JsonObject { ["kty"] = "RSA", ["use"] = "sig", ["alg"] = "RS256", ["kid"] = "key-1", ["n"] = EncodeToString(key.Modulus), ["e"] = EncodeToString(key.Exponent) }) });
                break;
            case "/token":
                Exchanged = await context.Request.ReadFormAsync(TestContext.Current.CancellationToken);
                var challenge = EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(Exchanged["code_verifier"].ToString())));
                if (Exchanged["code"] != Code || challenge != Asked["code_challenge"] || Exchanged["client_secret"] != ClientSecret)
                {
                    context.Response.StatusCode = 400;
                    await WriteAsync(context, new() { ["error"] = "invalid_grant" });
                    break;
                }
                var claims = With(Claims, new()
                {
                    ["iss"] = Issuer,
                    ["sub"] = "user-1",
                    ["aud"] = ClientId,
                    ["exp"] = Now.AddMinutes(5).ToUnixTimeSeconds(),
                    ["iat"] = Now.ToUnixTimeSeconds(),
                    ["nonce"] = Asked["nonce"],
                    ["email"] = "ann@corp.example",
                    ["email_verified"] = true,
                });
                await WriteAsync(context, With(TokenAnswer, new()
                {
                    ["access_token"] = "an access token of the provider",
                    ["token_type"] = "Bearer",
                    ["expires_in"] = 300,
                    ["id_token"] = Sign(new() { ["alg"] = "RS256", ["kid"] = "key-1", ["typ"] = "JWT" }, claims),
                }));
                break;
            default:
                context.Response.StatusCode = 404;
                break;
        }
    }

    private static JsonObject With(Action<JsonObject> change, JsonObject document)
    {
        change(document);
        return document;
    }

    private static Task WriteAsync(HttpContext context, JsonObject document)
    {
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(document.ToJsonString(new JsonSerializerOptions()), context.RequestAborted);
    }
}
