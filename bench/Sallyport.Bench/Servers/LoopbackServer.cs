using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;

namespace Sallyport.Bench.Servers;

/// <summary>A server with nothing in it but Kestrel and one handler.</summary>
internal static class LoopbackServer
{
    public static async Task RunAsync(int port, Action<WebApplicationBuilder> build, Func<WebApplication, RequestDelegate> handler, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new() { ApplicationName = "bench" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, port);
        });
        build(builder);
        await using var server = builder.Build();
        server.Run(handler(server));
        await server.StartAsync(cancellationToken);
        await server.WaitForShutdownAsync(cancellationToken);
    }
}
