using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Server.Configuration;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Pipeline;

/// <summary>Who may call an endpoint. One that doesn't say is guarded by a token.</summary>
internal enum PathGuard
{
    Token,
    Public,
}

/// <summary>How an endpoint is guarded, and what browsers of other origins may do with it.</summary>
/// <param name="EveryOrigin">False: only the admitted origins (the public URL's, loopback beside loopback, configured ones).</param>
/// <param name="Cors">Whether a page of an admitted origin may read the answers.</param>
internal sealed record PathPolicy(PathGuard Guard, bool EveryOrigin, bool Cors)
{
    /// <summary>Needs a token: MCP, and everything that says nothing.</summary>
    public static readonly PathPolicy Guarded = new(PathGuard.Token, EveryOrigin: false, Cors: true);

    /// <summary>Called by clients before they have a token; answers carry no credentials of a browser.</summary>
    public static readonly PathPolicy OAuth = new(PathGuard.Public, EveryOrigin: true, Cors: true);

    /// <summary>Called by programs that need no token: what they bring proves itself. Nothing for pages of other origins to read.</summary>
    public static readonly PathPolicy Program = new(PathGuard.Public, EveryOrigin: true, Cors: false);

    /// <summary>Shown to people.</summary>
    public static readonly PathPolicy Page = new(PathGuard.Public, EveryOrigin: false, Cors: false);

    /// <summary>Grants nothing by itself, so that a form of any site may lead there (RFC 6749 §3.1); never read by scripts.</summary>
    public static readonly PathPolicy Authorize = new(PathGuard.Public, EveryOrigin: true, Cors: false);
}

/// <summary>On the endpoint that stands for all methods that a path does not have.</summary>
internal sealed record MethodNotAllowed(IReadOnlyList<string> Allowed);

/// <summary>
/// One path with its methods. Declaring it also declares an endpoint for every other method, so that the path is guarded alike
/// whatever the method, and a refused method is answered with <c>Allow</c>.
/// </summary>
internal sealed class GatePath
{
    private readonly IEndpointRouteBuilder _routes;
    private readonly string _pattern;
    private readonly PathPolicy _policy;
    private readonly object[] _of;
    private readonly List<string> _methods = [];

    internal GatePath(IEndpointRouteBuilder routes, string pattern, PathPolicy policy, UpstreamSetting? upstream)
    {
        (_routes, _pattern, _policy) = (routes, pattern, policy);
        _of = upstream is null ? [] : [upstream];
        var rest = routes.Map(pattern, static _ => Task.CompletedTask).WithMetadata([policy, new MethodNotAllowed(_methods), .. _of]);
        rest.Add(builder => ((RouteEndpointBuilder)builder).Order = 1);
    }

    /// <summary>Serves a method; GET serves HEAD too.</summary>
    public GatePath On<TEndpoint>(string method, Func<TEndpoint, HttpContext, Task> handle, PathPolicy? policy = null) where TEndpoint : notnull
    {
        var isPublic = (policy ?? _policy).Guard == PathGuard.Public;
        string[] methods = method == HttpMethods.Get && isPublic ? [HttpMethods.Get, HttpMethods.Head] : [method];
        _methods.AddRange(methods);
        _routes
            .MapMethods(_pattern, methods, (RequestDelegate)(context =>
            {
                // Stored state is changed by these alone; the others would pay for it at every call.
                if (isPublic)
                    context.RequestServices.GetRequiredService<Requester>().Attribute = context.Attributed;
                return handle(context.RequestServices.GetRequiredService<TEndpoint>(), context);
            }))
            .WithMetadata([policy ?? _policy, .. _of]);
        return this;
    }
}

internal static class GatePaths
{
    /// <summary>Registers a path, guarded whatever the method; its methods follow by <see cref="GatePath.On"/>.</summary>
    /// <param name="upstream">The resource that the path belongs to: only its tokens are good there.</param>
    public static GatePath MapGatePath(this IEndpointRouteBuilder routes, string pattern, PathPolicy policy, UpstreamSetting? upstream = null) => new(routes, pattern, policy, upstream);
}
