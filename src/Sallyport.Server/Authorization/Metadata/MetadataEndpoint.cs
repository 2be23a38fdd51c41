using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Authorization.Metadata;

/// <summary>
/// Discovery: protected-resource metadata (RFC 9728) and authorization-server metadata (RFC 8414), each at the root, with the
/// resource's path behind the well-known name, and with it before. All addresses are the configured public URL's.
/// </summary>
internal sealed class MetadataEndpoint(GateConfiguration configuration)
{
    private const string WellKnown = "/.well-known/";
    private const string Resource = WellKnown + "oauth-protected-resource";
    private const string Server = WellKnown + "oauth-authorization-server";
    private const string OpenId = WellKnown + "openid-configuration";

    public static void Add(IServiceCollection services) => services.AddSingleton<MetadataEndpoint>();

    public static void Map(IEndpointRouteBuilder routes, GateConfiguration configuration)
    {
        foreach (var (name, handle) in new (string, Func<MetadataEndpoint, HttpContext, Task>)[]
        {
            (Resource, (endpoint, context) => endpoint.GetResourceAsync(context, Resource)),
            (Server, (endpoint, context) => endpoint.GetServerAsync(context, Server)),
            (OpenId, (endpoint, context) => endpoint.GetServerAsync(context, OpenId)),
        })
        {
            routes.MapGatePath(name + "/{**path}", PathPolicy.OAuth).On(HttpMethods.Get, handle);
            foreach (var upstream in configuration.Upstreams)
            {
                routes.MapGatePath(upstream.McpPath + name, PathPolicy.OAuth).On(HttpMethods.Get, handle);
                routes.MapGatePath(upstream.SsePath + name, PathPolicy.OAuth).On(HttpMethods.Get, handle);
            }
        }
    }

    private async Task GetResourceAsync(HttpContext context, string wellKnown)
    {
        if (await AnsweredPathAsync(context, wellKnown) is not { } path)
            return;
        // The path as it was asked about, trailing slash included: clients compare it with the URL they were given.
        await context.Response.WriteAsJsonAsync(new ProtectedResource(
            configuration.PublicUrl + path,
            [configuration.PublicUrl],
            Scope.Default,
            ["header"],
            "Sallyport"), MetadataJson.Default.ProtectedResource);
    }

    private async Task GetServerAsync(HttpContext context, string wellKnown)
    {
        if (await AnsweredPathAsync(context, wellKnown) is null)
            return;
        var issuer = configuration.PublicUrl;
        await context.Response.WriteAsJsonAsync(new AuthorizationServer(
            issuer,
            $"{issuer}/authorize",
            $"{issuer}/token",
            configuration.Registration ? $"{issuer}/register" : null,
            $"{issuer}/revoke",
            $"{issuer}/introspect",
            $"{issuer}/jwks",
            [Scope.Mcp, Scope.OfflineAccess],
            ["code"],
            ["query"],
            ["authorization_code", "refresh_token"],
            ClientAuthentication.Methods,
            ClientAuthentication.Methods,
            ClientAuthentication.SecretMethods,
            [Pkce.Method],
            AuthorizationResponseIssParameterSupported: true), MetadataJson.Default.AuthorizationServer);
    }

    /// <summary>The resource path that is asked about, recorded; null when we have no such resource, which is answered here.</summary>
    private async Task<string?> AnsweredPathAsync(HttpContext context, string wellKnown)
    {
        if (AskedPath(context, wellKnown) is not { } path)
        {
            await RefuseAsync(context);
            return null;
        }
        await context.RecordAsync(new DiscoveryAnswered { Id = AuditLog.NewId(), Document = wellKnown[WellKnown.Length..], Path = path });
        return path;
    }

    /// <summary>
    /// The resource path that is asked about, empty for the origin; null when we have no such resource, or when the origin could be
    /// several.
    /// </summary>
    private string? AskedPath(HttpContext context, string wellKnown)
    {
        var requested = context.Request.Path.Value!;
        var path = requested.StartsWith(wellKnown, StringComparison.Ordinal) ? requested[wellKnown.Length..]
            : requested.EndsWith(wellKnown, StringComparison.Ordinal) ? requested[..^wellKnown.Length]
            : null;
        if (path is "" or "/")
            return wellKnown != Resource || configuration.FindUpstream([configuration.PublicUrl]) is not null ? path : null;
        return path is not null && configuration.Upstreams.Any(upstream => upstream.Has(path)) ? path : null;
    }

    private static async Task RefuseAsync(HttpContext context)
    {
        await context.RecordAsync(new AccessRefused
        {
            Id = AuditLog.NewId(),
            Reason = Reason.ResourceUnknown,
            HttpMethod = context.Request.Method,
            Path = Recording.Cut(context.Request.Path),
            Status = StatusCodes.Status404NotFound,
        });
        await context.WriteJsonAsync(Reason.RouteUnknown);
    }
}

/// <summary>RFC 9728 §2.</summary>
internal sealed record ProtectedResource(
    string Resource,
    string[] AuthorizationServers,
    IReadOnlyList<string> ScopesSupported,
    string[] BearerMethodsSupported,
    string ResourceName);

/// <summary>RFC 8414 §2. What is not built is not in it.</summary>
internal sealed record AuthorizationServer(
    string Issuer,
    string AuthorizationEndpoint,
    string TokenEndpoint,
    string? RegistrationEndpoint,
    string RevocationEndpoint,
    string IntrospectionEndpoint,
    string JwksUri,
    string[] ScopesSupported,
    string[] ResponseTypesSupported,
    string[] ResponseModesSupported,
    string[] GrantTypesSupported,
    string[] TokenEndpointAuthMethodsSupported,
    string[] RevocationEndpointAuthMethodsSupported,
    string[] IntrospectionEndpointAuthMethodsSupported,
    string[] CodeChallengeMethodsSupported,
    bool AuthorizationResponseIssParameterSupported);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ProtectedResource))]
[JsonSerializable(typeof(AuthorizationServer))]
internal sealed partial class MetadataJson : JsonSerializerContext;
