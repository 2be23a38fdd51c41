using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Admin;

/// <summary>
/// All that the admin listeners have. A request that came by one gets no further than here, and no other gets here.
/// </summary>
/// <remarks>
///     [1 Host 421] ▶ [2 Origin 403] ▶ [3 path 404, method 405] ▶ /readyz or /metrics
/// </remarks>
internal sealed class AdminMiddleware(RequestDelegate metrics, Readiness readiness)
{
    private const string MetricsPath = "/metrics";
    private const string ReadyPath = "/readyz";

    public static void Add(IServiceCollection services) => services.AddSingleton<Readiness>();

    /// <summary>Before everything else, and apart from it.</summary>
    public static void Map(WebApplication application, GateConfiguration configuration)
    {
        if (configuration.AdminUrls.Count > 0)
        {
            application.MapWhen(static context => AdminListener.Of(context) is not null, admin => admin
                .UseMiddleware<AdminMiddleware>()
                .UseOpenTelemetryPrometheusScrapingEndpoint(admin.ApplicationServices.GetRequiredService<MeterProvider>(), static _ => true, path: null, configureBranchedPipeline: null, optionsName: null));
        }
    }

    public async Task InvokeAsync(HttpContext context)
    {
        // They are no traffic of the gate.
        context.Features.Get<IHttpMetricsTagsFeature>()?.MetricsDisabled = true;
        context.Response.Headers.XContentTypeOptions = "nosniff";
        context.Response.Headers.CacheControl = "no-store";

        // 1. A name that is rebound to this machine.
        if (!AdminListener.Of(context)!.Admits(context.Request.Host))
            await RefuseAsync(context, Reason.HostUnknown);
        // 2. A page, of whatever origin.
        else if (context.Request.Headers.Origin.Count > 0)
            await RefuseAsync(context, Reason.OriginForeign);
        // 3. There are two things here.
        else if (context.Request.Path.Value is not (ReadyPath or MetricsPath))
            await RefuseAsync(context, Reason.RouteUnknown);
        else if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
        {
            context.Response.Headers.Allow = "GET, HEAD";
            await RefuseAsync(context, Reason.MethodNotAllowed);
        }
        else if (context.Request.Path == ReadyPath)
            await readiness.AnswerAsync(context);
        else
            await metrics(context);
    }

    private static async Task RefuseAsync(HttpContext context, Reason reason)
    {
        try
        {
            await context.RecordAsync(new AccessRefused
            {
                Id = AuditLog.NewId(),
                Reason = reason,
                HttpMethod = Recording.Cut(context.Request.Method),
                Path = Recording.Cut(context.Request.Path),
                Status = OAuthError.For(reason).Status,
            });
        }
        catch (AuditUnavailableException)
        {
            // A log that is closed is what an operator asks about here; and what is refused was not done.
        }
        await context.WriteJsonAsync(reason);
    }
}
