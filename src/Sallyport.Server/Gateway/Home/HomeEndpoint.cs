using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Transports;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Pipeline.Pages;

namespace Sallyport.Server.Gateway.Home;

/// <summary>
/// The origin itself: for people a page that says what this is and how to connect; for clients that were given the bare origin,
/// POST does as <c>/mcp</c> does.
/// </summary>
internal sealed class HomeEndpoint(GateConfiguration configuration)
{
    public static void Add(IServiceCollection services) => services.AddSingleton<HomeEndpoint>();

    public static void Map(IEndpointRouteBuilder routes, GateConfiguration configuration)
    {
        var home = routes.MapGatePath("/", PathPolicy.Guarded, configuration.AtRoot)
            .On<HomeEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.ShowAsync(context), PathPolicy.Page);
        if (configuration.AtRoot is not null)
            home.On<McpEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.PostAsync(context));
    }

    private Task ShowAsync(HttpContext context) =>
        PageResponse.WriteAsync<HomePage>(context, StatusCodes.Status200OK, new()
        {
            // Who may know of the others was told of them.
            [nameof(HomePage.Urls)] = (configuration.AtRoot?.Paths ?? []).Select(path => configuration.PublicUrl + path).ToList(),
        });
}
