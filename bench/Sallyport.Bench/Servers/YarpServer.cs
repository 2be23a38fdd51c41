using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Yarp.ReverseProxy.Forwarder;

namespace Sallyport.Bench.Servers;

/// <summary>The peer: YARP's forwarder with nothing around it, and the gate's own client settings.</summary>
internal static class YarpServer
{
    private static readonly ForwarderRequestConfig s_request = new()
    {
        ActivityTimeout = TimeSpan.FromHours(24),
        Version = HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    public static Task RunAsync(int port, int upstream, CancellationToken cancellationToken) => LoopbackServer.RunAsync(
        port,
        static builder => builder.Services.AddHttpForwarder(),
        server =>
        {
            var forwarder = server.Services.GetRequiredService<IHttpForwarder>();
            var client = new HttpMessageInvoker(new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                AutomaticDecompression = DecompressionMethods.None,
                UseCookies = false,
                UseProxy = false,
                ActivityHeadersPropagator = null,
                ConnectTimeout = TimeSpan.FromSeconds(10),
            });
            var destination = $"http://127.0.0.1:{upstream}";
            return async context => await forwarder.SendAsync(context, destination, client, s_request, HttpTransformer.Default);
        },
        cancellationToken);
}
