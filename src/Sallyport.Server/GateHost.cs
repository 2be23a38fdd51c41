using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sallyport.Server.Admin;
using Sallyport.Server.Configuration;

namespace Sallyport.Server;

/// <summary>A gate as a process: the HTTP server around <see cref="SallyportServer"/>. It reads no configuration but the one it is given.</summary>
internal static class GateHost
{
    public static WebApplication Build(GateConfiguration configuration, Action<ILoggingBuilder> logging, Action<IServiceCollection>? services = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new() { ApplicationName = "sallyport" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            SallyportServer.ConfigureKestrel(kestrel);
            foreach (var url in configuration.AdminUrls)
                AdminListener.Listen(kestrel, url);
            foreach (var url in configuration.Urls)
            {
                if (url.Host == "localhost")
                    kestrel.ListenLocalhost(url.Port);
                else
                    kestrel.Listen(IPAddress.Parse(url.Host.Trim('[', ']')), url.Port);
            }
        });
        // What the exporters of OpenTelemetry are told, by its own variables.
        builder.Configuration.AddInMemoryCollection(configuration.Telemetry.Variables);
        logging(builder.Logging);
        // It writes addresses with their queries, where codes and misplaced tokens stand; and while it may write anything, each request
        // gets an activity and a scope.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // It writes whole messages, with the arguments of tools.
        builder.Logging.AddFilter("ModelContextProtocol", LogLevel.Warning);
        // They write codes, tokens and what a provider answered; what failed is in our own log by its reason.
        builder.Logging.AddFilter("OpenIddict", LogLevel.None);
        builder.Logging.AddFilter("System.Net.Http.HttpClient", LogLevel.None);
        builder.Services.AddRouting();
        builder.Services.AddSallyport(configuration);
        services?.Invoke(builder.Services);
        var application = builder.Build();
        application.MapSallyport(configuration);
        return application;
    }
}
