using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Authorization.Providers;

/// <summary>One thing that a provider, or who pretends to be one, does wrongly, and the reason that the log has to give.</summary>
/// <param name="Arrange">Sets it up before the browser asks to sign in.</param>
/// <param name="Admitted">Whom the operator admits.</param>
internal sealed record HostileAnswer(Reason Reason, Action<ScriptedProvider> Arrange, string Admitted = "everyone");

/// <summary>Every hostile answer by its name.</summary>
internal static class HostileAnswers
{
    private const string Script = "<script>alert(1)</script>";

    public static readonly IReadOnlyDictionary<string, HostileAnswer> All = new Dictionary<string, HostileAnswer>
    {
        // Discovery and keys
        ["discovery names another issuer"] = Discovery(Reason.ProviderIssuerMismatch, d => d["issuer"] = "https://evil.example"),
        ["discovery names the issuer with a slash"] = Discovery(Reason.ProviderIssuerMismatch, d => d["issuer"] = d["issuer"]!.GetValue<string>() + "/"),
        ["discovery names no issuer"] = Discovery(Reason.ProviderAnswerInvalid, d => d.Remove("issuer")),
        ["discovery is HTML"] = Instead("/.well-known/openid-configuration", Reason.ProviderAnswerInvalid, c => WriteAsync(c, "text/html", Script)),
        ["discovery is no JSON"] = Instead("/.well-known/openid-configuration", Reason.ProviderAnswerInvalid, c => WriteAsync(c, "application/json", "{")),
        ["discovery is huge"] = Instead("/.well-known/openid-configuration", Reason.ProviderAnswerTooLarge, c => WriteAsync(c, "application/json", $$"""{"issuer":"{{new string('x', 300_000)}}"}""")),
        ["discovery is elsewhere"] = Instead("/.well-known/openid-configuration", Reason.ProviderRedirected, Redirect),
        ["discovery fails"] = Instead("/.well-known/openid-configuration", Reason.ProviderRefused, c => StatusAsync(c, 500)),
        ["authorization endpoint is a file"] = Discovery(Reason.ProviderEndpointRefused, d => d["authorization_endpoint"] = "file:///etc/passwd"),
        ["authorization endpoint is a script"] = Discovery(Reason.ProviderEndpointRefused, d => d["authorization_endpoint"] = "javascript:alert(1)"),
        ["authorization endpoint is http elsewhere"] = Discovery(Reason.ProviderEndpointRefused, d => d["authorization_endpoint"] = "http://idp.example/authorize"),
        ["keys are http elsewhere"] = Discovery(Reason.ProviderEndpointRefused, d => d["jwks_uri"] = "http://idp.example/jwks"),
        ["keys are at an internal address"] = Discovery(Reason.ProviderEndpointRefused, d => d["jwks_uri"] = "https://169.254.169.254/latest"),
        ["keys are at another port of this machine"] = Discovery(Reason.ProviderEndpointRefused, d => d["jwks_uri"] = "https://localhost:1/jwks"),
        ["keys are no JSON"] = Instead("/jwks", Reason.ProviderAnswerInvalid, c => WriteAsync(c, "text/plain", "keys")),
        ["token endpoint is a file"] = Discovery(Reason.ProviderEndpointRefused, d => d["token_endpoint"] = "ftp://idp.example/token"),

        // The browser's way back
        ["state is missing"] = Return(Reason.ProviderStateMissing, p => p.Remove("state")),
        ["state is made up"] = Return(Reason.ProviderStateUnknown, p => p["state"] = "made up"),
        ["state is altered"] = Return(Reason.ProviderStateUnknown, p => p["state"] = p["state"][..^1] + (p["state"][^1] == 'A' ? 'B' : 'A')),
        ["code is missing"] = Return(Reason.ProviderCodeMissing, p => p.Remove("code")),
        ["code is another"] = Return(Reason.ProviderRefused, p => p["code"] = "another"),
        ["iss is missing although it was promised"] = Return(Reason.ProviderIssuerMismatch, p => p.Remove("iss")),
        ["iss is another provider's (mix-up)"] = Return(Reason.ProviderIssuerMismatch, p => p["iss"] = "https://other.example"),
        ["iss differs by a slash"] = Return(Reason.ProviderIssuerMismatch, p => p["iss"] += "/"),
        ["error"] = Return(Reason.ProviderError, p => (p["error"], _) = ("server_error", p.Remove("code"))),
        ["error with HTML"] = Return(Reason.ProviderError, p => (p["error"], p["error_description"], _) = (Script, Script, p.Remove("code"))),

        // The token endpoint
        ["token endpoint fails"] = Instead("/token", Reason.ProviderRefused, c => StatusAsync(c, 500)),
        ["token endpoint redirects"] = Instead("/token", Reason.ProviderRedirected, Redirect),
        ["token endpoint answers HTML"] = Instead("/token", Reason.ProviderAnswerInvalid, c => WriteAsync(c, "text/html", Script)),
        ["token endpoint answers no JSON"] = Instead("/token", Reason.ProviderAnswerInvalid, c => WriteAsync(c, "application/json", "<")),
        ["token endpoint answers without end"] = Instead("/token", Reason.ProviderAnswerTooLarge, c => WriteAsync(c, "application/json", new string(' ', 300_000))),
        ["token endpoint answers compressed"] = Instead("/token", Reason.ProviderAnswerInvalid, c =>
        {
            c.Response.Headers.ContentEncoding = "gzip";
            return WriteAsync(c, "application/json", "{}");
        }),
        ["token endpoint breaks off"] = Instead("/token", Reason.ProviderUnreachable, c =>
        {
            c.Abort();
            return Task.CompletedTask;
        }),
        ["token endpoint gives no id_token"] = new(Reason.ProviderTokenMissing, p => p.TokenAnswer = a => a.Remove("id_token")),
        ["id_token is no token"] = new(Reason.ProviderTokenInvalid, p => p.TokenAnswer = a => a["id_token"] = "no token"),

        // The id_token's signature
        ["alg none"] = new(Reason.ProviderSignatureInvalid, p => p.Sign = static (h, c) =>
        {
            h["alg"] = "none";
            return ScriptedProvider.Unsigned(h, c) + ".";
        }),
        ["HS256 with the client secret"] = new(Reason.ProviderSignatureInvalid, p => p.Sign = static (h, c) => ScriptedProvider.SignHs256(h, c, Encoding.UTF8.GetBytes(ScriptedProvider.ClientSecret))),
        ["HS256 with the public key"] = new(Reason.ProviderSignatureInvalid, p => p.Sign = static (h, c) => ScriptedProvider.SignHs256(h, c, ScriptedProvider.PublicKeyPem)),
        ["key of another provider"] = new(Reason.ProviderSignatureInvalid, p => p.Sign = static (h, c) => ScriptedProvider.SignRs256(h, c, ScriptedProvider.OtherKey)),
        ["unknown kid"] = new(Reason.ProviderSignatureInvalid, p => p.Sign = static (h, c) =>
        {
            h["kid"] = "another";
            return ScriptedProvider.SignRs256(h, c, ScriptedProvider.OtherKey);
        }),

        // The id_token's claims
        ["iss of another issuer"] = Claims(Reason.ProviderIssuerMismatch, c => c["iss"] = "https://evil.example"),
        ["iss of the id_token differs by a slash"] = Claims(Reason.ProviderIssuerMismatch, c => c["iss"] = c["iss"]!.GetValue<string>() + "/"),
        ["aud of another client"] = Claims(Reason.ProviderAudienceMismatch, c => c["aud"] = "another"),
        ["several aud without azp"] = Claims(Reason.ProviderAudienceMismatch, c => c["aud"] = new JsonArray(ScriptedProvider.ClientId, "another")),
        ["azp of another client"] = Claims(Reason.ProviderAudienceMismatch, c => c["azp"] = "another"),
        ["expired"] = Claims(Reason.ProviderTokenExpired, c => c["exp"] = c["iat"]!.GetValue<long>() - 600),
        ["iat in the future"] = Claims(Reason.ProviderTokenFromFuture, c => c["iat"] = c["iat"]!.GetValue<long>() + 3600),
        ["nonce missing"] = Claims(Reason.ProviderNonceMismatch, c => c.Remove("nonce")),
        ["nonce of another sign-in"] = Claims(Reason.ProviderNonceMismatch, c => c["nonce"] = "another"),
        ["sub missing"] = Claims(Reason.ProviderSubjectInvalid, c => c.Remove("sub")),
        ["sub empty"] = Claims(Reason.ProviderSubjectInvalid, c => c["sub"] = ""),
        ["sub huge"] = Claims(Reason.ProviderSubjectInvalid, c => c["sub"] = new string('s', 256)),
        ["exp missing"] = Claims(Reason.ProviderTokenInvalid, c => c.Remove("exp")),

        // Who is admitted
        ["e-mail unverified"] = Claims(Reason.ProviderEmailUnverified, c => c["email_verified"] = false, "domains=corp.example"),
        ["e-mail verified by the text true"] = Claims(Reason.ProviderEmailUnverified, c => c["email_verified"] = "true", "domains=corp.example"),
        ["e-mail verified by the text false"] = Claims(Reason.ProviderEmailUnverified, c => c["email_verified"] = "false", "emails=ann@corp.example"),
        ["e-mail that nobody says is verified"] = Claims(Reason.ProviderEmailUnverified, c => c.Remove("email_verified"), "domains=corp.example"),
        ["domain with something before it"] = Claims(Reason.ProviderUserNotAdmitted, c => c["email"] = "ann@evil-corp.example", "domains=corp.example"),
        ["domain with something behind it"] = Claims(Reason.ProviderUserNotAdmitted, c => c["email"] = "ann@corp.example.evil", "domains=corp.example"),
        ["domain below it"] = Claims(Reason.ProviderUserNotAdmitted, c => c["email"] = "ann@sub.corp.example", "domains=corp.example"),
        ["domain in other letters"] = Claims(Reason.ProviderUserNotAdmitted, c => c["email"] = "ann@cоrp.example", "domains=corp.example"),
        ["domain with a letter that folds to k"] = Claims(Reason.ProviderUserNotAdmitted, c => c["email"] = "ann@corp.example\u212A", "domains=corp.examplek"),
        ["two domains"] = Claims(Reason.ProviderUserNotAdmitted, c => c["email"] = "ann@corp.example@evil.example", "domains=corp.example"),
        ["two domains the other way"] = Claims(Reason.ProviderUserNotAdmitted, c => c["email"] = "ann@evil.example@corp.example", "domains=corp.example"),
        ["e-mail of somebody else"] = Claims(Reason.ProviderUserNotAdmitted, c => c["email"] = "anna@corp.example", "emails=ann@corp.example"),
        ["no e-mail"] = Claims(Reason.ProviderUserNotAdmitted, c => c.Remove("email"), "domains=corp.example"),
        ["no group"] = Claims(Reason.ProviderUserNotAdmitted, _ => { }, "groups=admins"),
        ["group not listed"] = Claims(Reason.ProviderUserNotAdmitted, c => c["groups"] = new JsonArray("Admins", "admins2", "admin"), "groups=admins"),
        ["user info of another user"] = new(Reason.ProviderSubjectMismatch, p =>
        {
            p.Discovery = d => d["userinfo_endpoint"] = p.Issuer + "/userinfo";
            p.Instead["/userinfo"] = c => WriteAsync(c, "application/json", """{"sub":"user-2","groups":["admins"]}""");
        }, "groups=admins"),
    };

    private static HostileAnswer Discovery(Reason reason, Action<JsonObject> change) => new(reason, provider => provider.Discovery = change);

    private static HostileAnswer Claims(Reason reason, Action<JsonObject> change, string admitted = "everyone") => new(reason, provider => provider.Claims = change, admitted);

    private static HostileAnswer Return(Reason reason, Action<Dictionary<string, string>> change) => new(reason, provider => provider.Return = change);

    private static HostileAnswer Instead(string path, Reason reason, Func<HttpContext, Task> answer) => new(reason, provider => provider.Instead[path] = answer);

    private static Task WriteAsync(HttpContext context, string type, string body)
    {
        context.Response.ContentType = type;
        return context.Response.WriteAsync(body, context.RequestAborted);
    }

    private static Task StatusAsync(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return WriteAsync(context, "application/json", """{"error":"server_error"}""");
    }

    private static Task Redirect(HttpContext context)
    {
        context.Response.Redirect("/elsewhere");
        return Task.CompletedTask;
    }
}
