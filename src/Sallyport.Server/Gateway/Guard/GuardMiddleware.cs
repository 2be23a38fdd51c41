using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Guard;

/// <summary>
/// Judges every request before anything else may act on it. What is not declared public needs a token; what doesn't exist does too.
/// </summary>
/// <remarks>
///     [1 target 400] ▶ [2 Host 421] ▶ [3 Origin 403] ▶ [4 preflight] ▶ [5 token 401] ▶ [6 route 404, 405] ▶ [7 audience 401, scope 403] ▶ endpoint (session 404)
///
/// A refusal is recorded with its precise reason before it is answered with a generic one.
/// </remarks>
internal sealed class GuardMiddleware(
    RequestDelegate next, GateConfiguration configuration, AdmittedHosts hosts, AdmittedOrigins origins,
    TokenMemory tokens, AccessTokens accessTokens, OwnAnswers ownAnswers)
{
    private const string AllowedMethods = "GET, POST, PUT, DELETE";
    private const string ExposedHeaders = $"WWW-Authenticate, {McpHeader.Session}, {McpHeader.Revision}, {Recording.EventHeader}";
    private const string PreflightSeconds = "600";
    /// <summary>What Kestrel makes of a Content-Length beside a Transfer-Encoding, which it reads past (RFC 9112 §6.1: it may be an attack).</summary>
    private const string LengthBesideChunks = "X-Content-Length";
    private readonly string _scheme = new Uri(configuration.PublicUrl).Scheme;
    private static readonly IReadOnlyList<string> s_scopesNeeded = Scope.Default;

    public async Task InvokeAsync(HttpContext context)
    {
        var request = context.Request;
        var endpoint = context.GetEndpoint();
        var policy = endpoint?.Metadata.GetMetadata<PathPolicy>() ?? PathPolicy.Guarded;

        // 1. A target, or a framing, that some reader could take for another one.
        if (!RequestTarget.IsNormal(context.Features.Get<IHttpRequestFeature>()!.RawTarget))
        {
            await RefuseAsync(context, Reason.TargetMalformed);
            return;
        }
        if (request.Headers.TransferEncoding is { Count: > 0 } framing
            && (!framing.ToString().Equals("chunked", StringComparison.OrdinalIgnoreCase) || request.Headers.ContainsKey(LengthBesideChunks)))
        {
            context.Response.Headers.Connection = "close";
            await RefuseAsync(context, Reason.BodyMalformed);
            return;
        }

        // 2. A name that is not ours: DNS rebinding, or a proxy that is set up wrongly.
        if (!hosts.Admit(context))
        {
            await RefuseAsync(context, Reason.HostUnknown);
            return;
        }

        // From here on the request is what its caller sees, whoever ended TLS on the way.
        request.Scheme = _scheme;

        // 3. A page of an origin that was not admitted.
        string? origin = request.Headers.Origin;
        if (!string.IsNullOrEmpty(origin) && !policy.EveryOrigin && !origins.Admit(origin))
        {
            await RefuseAsync(context, Reason.OriginForeign);
            return;
        }

        // 4. What a browser may do with the answer; a preflight ends here.
        if (!string.IsNullOrEmpty(origin) && policy.Cors)
        {
            AllowCrossOrigin(context, policy, origin);
            if (HttpMethods.IsOptions(request.Method) && request.Headers.AccessControlRequestMethod.Count > 0)
            {
                AnswerPreflight(context);
                return;
            }
        }

        // 5. The token, whatever the method and the path, unless the path is public.
        Caller? caller = null;
        if (policy.Guard != PathGuard.Public)
        {
            ForThisCallerAlone(context.Response.Headers);
            var (token, fault, former) = await AuthenticateAsync(context);
            if (token is null)
            {
                await ChallengeAsync(context, fault!.Value, former);
                return;
            }
            caller = new(token, s_scopesNeeded);
        }

        // 6. The route.
        if (endpoint is null)
        {
            await RefuseAsync(context, Reason.RouteUnknown, caller?.Token);
            return;
        }
        if (endpoint.Metadata.GetMetadata<MethodNotAllowed>() is { } notAllowed)
        {
            context.Response.Headers.Allow = string.Join(", ", notAllowed.Allowed);
            await RefuseAsync(context, Reason.MethodNotAllowed, caller?.Token);
            return;
        }

        // 7. Is the token for this resource, and for this much?
        if (caller is not null)
        {
            // What belongs to no upstream is nobody's.
            if (caller.Token.Audience != endpoint.Metadata.GetMetadata<UpstreamSetting>()?.Audience)
            {
                await ChallengeAsync(context, Reason.TokenWrongAudience, caller.Token);
                return;
            }
            if (caller.Token.IsGatesOwn && await ownAnswers.TryAnswerAsync(context, caller))
                return;
            if (!caller.HasScopesNeeded)
            {
                await ChallengeAsync(context, Reason.ScopeInsufficient, caller.Token);
                return;
            }
            context.Features.Set(caller);
        }

        try
        {
            await next(context);
        }
        catch (TokenEndedException exception) when (!context.Response.HasStarted)
        {
            await ChallengeAsync(context, exception.Reason, caller?.Token);
        }
    }

    private async ValueTask<FoundToken> AuthenticateAsync(HttpContext context)
    {
        // A token in a query ends up in logs and histories: refused even where a good one stands in the header.
        if (context.Request.QueryString.HasValue && context.Request.Query.ContainsKey("access_token"))
            return new(null, Reason.TokenInQuery);
        var headers = context.Request.Headers.Authorization;
        if (headers.Count == 0)
            return new(null, Reason.TokenMissing);
        const string Scheme = "Bearer ";
        if (headers.Count > 1 || headers[0] is not { } header || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return new(null, Reason.TokenMalformed);
        var (reading, id) = await accessTokens.ReadAsync(header.AsSpan(Scheme.Length).Trim(' '));
        return reading switch
        {
            AccessTokenReading.Authentic => await tokens.FindAsync(id, context.RequestAborted),
            AccessTokenReading.Forged => new(null, Reason.TokenForged),
            _ => new(null, Reason.TokenMalformed),
        };
    }

    /// <summary>401 or 403 with the challenge (RFC 6750 §3, RFC 9728 §5.1): where to learn how to get in, and with which scope.</summary>
    private Task ChallengeAsync(HttpContext context, Reason reason, RememberedToken? of)
    {
        var error = OAuthError.For(reason);
        var challenge = $"Bearer resource_metadata=\"{configuration.PublicUrl}/.well-known/oauth-protected-resource{MetadataPath(context)}\", scope=\"{Scope.Format(s_scopesNeeded)}\"";
        // Where no credentials came, no error is named (RFC 6750 §3.1).
        if (reason is not (Reason.TokenMissing or Reason.TokenInQuery))
            challenge += $", error=\"{error.Code}\", error_description=\"{error.Description}\"";
        context.Response.Headers.WWWAuthenticate = challenge;
        return RefuseAsync(context, reason, of);
    }

    /// <summary>The resource that a request is for, as its client wrote it.</summary>
    private string MetadataPath(HttpContext context)
    {
        string path = context.Request.Path;
        var upstream = context.GetEndpoint()?.Metadata.GetMetadata<UpstreamSetting>()
            ?? configuration.Upstreams.FirstOrDefault(named => named.Name is not null && named.Covers(path))
            ?? configuration.Default;
        if (path == "/" && upstream.Name is null)
            return "";
        if (upstream.Has(path))
            return path;
        return path.StartsWith(upstream.MessagesPath[..^1], StringComparison.Ordinal) ? upstream.SsePath : upstream.McpPath;
    }

    /// <summary>Said to caches that many share and that do not keep to no-store.</summary>
    private static void ForThisCallerAlone(IHeaderDictionary headers)
    {
        headers.CacheControl = "no-store, private";
        headers.Vary = headers.Vary.Count == 0 ? "Authorization" : "Origin, Authorization";
    }

    private static void AllowCrossOrigin(HttpContext context, PathPolicy policy, string origin)
    {
        var headers = context.Response.Headers;
        headers.AccessControlAllowOrigin = policy.EveryOrigin ? "*" : origin;
        headers.AccessControlExposeHeaders = ExposedHeaders;
        if (!policy.EveryOrigin)
            headers.Vary = "Origin";
    }

    private static void AnswerPreflight(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.AccessControlAllowMethods = AllowedMethods;
        string asked = context.Request.Headers.AccessControlRequestHeaders.ToString();
        if (asked.Length is > 0 and <= Limits.ParameterLength && asked.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or ',' or ' '))
            headers.AccessControlAllowHeaders = asked;
        headers.AccessControlMaxAge = PreflightSeconds;
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    /// <param name="of">The token that was presented, where it is, or was, a good one.</param>
    private async Task RefuseAsync(HttpContext context, Reason reason, RememberedToken? of = null)
    {
        await context.RecordAsync(new AccessRefused
        {
            Id = AuditLog.NewId(),
            Reason = reason,
            HttpMethod = Recording.Cut(context.Request.Method),
            Path = Recording.Cut(context.Request.Path),
            Status = OAuthError.For(reason).Status,
            Token = of?.Id,
            Subject = of?.Subject,
            Client = of?.ClientId,
        });
        if (reason == Reason.HostUnknown)
            context.Response.Headers.Location = configuration.PublicUrl;
        await context.WritePageOrJsonAsync(reason);
    }
}
