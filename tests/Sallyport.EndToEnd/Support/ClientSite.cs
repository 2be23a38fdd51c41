using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Sallyport.EndToEnd.Support;

/// <summary>Clients on the web, over https, for a browser that takes every name for them: they answer "arrived", and <c>/onward</c> leads elsewhere.</summary>
internal sealed class ClientSite : IAsyncDisposable
{
    public const string Elsewhere = "https://elsewhere.example/welcome";

    private readonly WebApplication _application;
    private readonly X509Certificate2 _certificate;

    private ClientSite(WebApplication application, X509Certificate2 certificate, int port) => (_application, _certificate, Port) = (application, certificate, port);

    public int Port { get; }

    public static async Task<ClientSite> StartAsync()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=client.example", key, HashAlgorithmName.SHA256);
        var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        var port = Ports.Free();
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
            kestrel.ListenLocalhost(port, listener => listener.UseHttps(new HttpsConnectionAdapterOptions { ServerCertificate = certificate })));
        var application = builder.Build();
        application.Run(context =>
        {
            if (context.Request.Path != "/onward")
                return context.Response.WriteAsync("arrived");
            context.Response.Redirect(Elsewhere);
            return Task.CompletedTask;
        });
        await application.StartAsync(TestContext.Current.CancellationToken);
        return new(application, certificate, port);
    }

    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        _certificate.Dispose();
    }
}
