using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Sallyport.EndToEnd.Support;

/// <summary>What answers everything with one status, and is no MCP server.</summary>
internal sealed class StatusServer : IAsyncDisposable
{
    private readonly WebApplication _server;

    private StatusServer(WebApplication server, int port) => (_server, Url) = (server, $"http://127.0.0.1:{port}/mcp");

    public string Url { get; }

    public static async Task<StatusServer> StartAsync(int status)
    {
        var port = Ports.Free();
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port));
        var server = new StatusServer(builder.Build(), port);
        server._server.Run(context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.Location = "/elsewhere";
            context.Response.ContentType = "text/html";
            return context.Response.WriteAsync("<p>hello</p>");
        });
        await server._server.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
