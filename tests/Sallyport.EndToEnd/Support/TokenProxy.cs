using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Yarp.ReverseProxy.Forwarder;

namespace Sallyport.EndToEnd.Support;

/// <summary>Stands before a gate for a client that has no token: adds one to every request, and changes nothing else.</summary>
internal sealed class TokenProxy : IAsyncDisposable
{
    private readonly WebApplication _proxy;
    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false, ActivityHeadersPropagator = null });

    private TokenProxy(WebApplication proxy, int port) => (_proxy, Origin) = (proxy, $"http://127.0.0.1:{port}");

    public string Origin { get; }

    public static async Task<TokenProxy> StartAsync(string origin, string token)
    {
        var port = Ports.Free();
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        builder.Services.AddHttpForwarder();
        var proxy = new TokenProxy(builder.Build(), port);
        var forwarder = proxy._proxy.Services.GetRequiredService<IHttpForwarder>();
        var transformer = new AddsToken(token, port);
        proxy._proxy.Run(async context => await forwarder.SendAsync(context, origin, proxy._client, ForwarderRequestConfig.Empty, transformer));
        await proxy._proxy.StartAsync(TestContext.Current.CancellationToken);
        return proxy;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _client.Dispose();
    }

    private sealed class AddsToken(string token, int port) : HttpTransformer
    {
        public override async ValueTask TransformRequestAsync(HttpContext context, HttpRequestMessage request, string destination, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(context, request, destination, cancellationToken);
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            // The proxy's own name is the gate's; another's stays another's.
            if (context.Request.Host.Port == port)
                request.Headers.Host = null;
        }
    }
}
