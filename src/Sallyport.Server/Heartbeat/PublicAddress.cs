using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace Sallyport.Server.Heartbeat;

/// <summary>The way out to the gate's public address, as a client has it, whatever host name its requests then ask for.</summary>
internal static class PublicAddress
{
    /// <summary>After that a name is looked up anew, and certificates are checked anew.</summary>
    private static readonly TimeSpan s_connectionLifetime = TimeSpan.FromSeconds(30);

    /// <summary>A client whose requests go there. TLS is ours: by itself it would ask for a certificate of the name in the Host header.</summary>
    public static HttpClient NewClient(Uri publicUrl) => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,
        PooledConnectionLifetime = s_connectionLifetime,
        ConnectCallback = async (_, cancellationToken) => await ConnectAsync(publicUrl, cancellationToken),
    })
    {
        BaseAddress = new UriBuilder(Uri.UriSchemeHttp, publicUrl.Host, publicUrl.Port).Uri,
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private static async Task<Stream> ConnectAsync(Uri publicUrl, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(publicUrl.IdnHost.Trim('[', ']'), publicUrl.Port, cancellationToken);
            var stream = new NetworkStream(socket, ownsSocket: true);
            if (publicUrl.Scheme != Uri.UriSchemeHttps)
                return stream;
            var tls = new SslStream(stream);
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = publicUrl.IdnHost.Trim('[', ']') }, cancellationToken);
            return tls;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
