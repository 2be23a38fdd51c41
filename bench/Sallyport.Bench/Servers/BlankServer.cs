using Microsoft.AspNetCore.Http;

namespace Sallyport.Bench.Servers;

/// <summary>What start-up and memory are held against: a server that can say 401 and nothing else.</summary>
internal static class BlankServer
{
    public static Task RunAsync(int port, CancellationToken cancellationToken) => LoopbackServer.RunAsync(
        port,
        static _ => { },
        static _ => static context =>
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return Task.CompletedTask;
        },
        cancellationToken);
}
