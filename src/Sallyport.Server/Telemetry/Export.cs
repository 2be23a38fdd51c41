using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Telemetry;

/// <summary>Who sees what is measured: whoever reads <c>/metrics</c>, and whom the variables <c>OTEL_…</c> name. Where that is nobody, none of this is there.</summary>
internal static class Export
{
    /// <summary>ASP.NET Core's, of the runtime, and of requests to others.</summary>
    private static readonly string[] s_meters = [GateMeter.Name, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", Requests, "System.Runtime"];

    private const string Requests = "System.Net.Http";

    /// <summary>Of <see cref="Requests"/>: others have the addresses behind a name among their labels.</summary>
    private const string RequestDuration = "http.client.request.duration";

    public static void Add(IServiceCollection services, GateConfiguration configuration)
    {
        services.AddMetrics();
        services.AddSingleton<GateMeter>();
        services.AddSingleton<Measurements>();
        if (!configuration.IsObserved)
            return;
        services.AddSingleton<EventCounters>();
        services.AddSingleton<HeartbeatRounds>();
        services.AddSingleton<LogGauges>();
        var telemetry = services.AddOpenTelemetry().ConfigureResource(resource => resource
            .Clear().AddService("sallyport", serviceVersion: Product.Version).AddTelemetrySdk().AddEnvironmentVariableDetector());
        telemetry.WithMetrics(metrics =>
        {
            metrics.AddMeter(s_meters).SetExemplarFilter(ExemplarFilterType.AlwaysOff);
            ((IDeferredMeterProviderBuilder)metrics).Configure((provider, deferred) =>
            {
                var own = provider.GetRequiredService<IMeterFactory>();
                deferred.AddView(instrument => IsExported(instrument, own) ? null : MetricStreamConfiguration.Drop);
            });
            if (configuration.AdminUrls.Count > 0)
                metrics.AddPrometheusExporter(exporter => (exporter.ScrapeResponseCacheDurationMilliseconds, exporter.MaxScrapeResponseSizeBytes) = (0, Limits.ScrapeBytes));
            if (configuration.Telemetry.ExportsMetrics)
                metrics.AddOtlpExporter();
        });
        if (configuration.Telemetry.ExportsTraces)
            telemetry.WithTracing(traces => traces.AddSource(GateMeter.Name).AddOtlpExporter());
    }

    /// <summary>From here on it is counted. Nothing has been recorded before.</summary>
    public static void Begin(IServiceProvider services)
    {
        services.GetRequiredService<EventCounters>();
        services.GetRequiredService<HeartbeatRounds>();
        services.GetRequiredService<LogGauges>();
    }

    /// <summary>Not those of another gate in this process.</summary>
    private static bool IsExported(Instrument instrument, IMeterFactory own) =>
        (instrument.Meter.Scope is null || instrument.Meter.Scope == own) && (instrument.Meter.Name != Requests || instrument.Name == RequestDuration);
}
