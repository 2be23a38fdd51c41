using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Gateway.Transports;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Gateway.Upstreams.Processes;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Gateway;

/// <summary>What is open and running behind the gate, read when somebody asks.</summary>
internal sealed class GatewayGauges
{
    public GatewayGauges(GateMeter meter, Sessions sessions, OpenStreams streams, UpstreamList upstreams)
    {
        meter.Gauge("sallyport.sessions", "{session}", "Sessions that are open.", () => ((string[])[AccessRecord.StreamableHttp, AccessRecord.Sse])
            .Select(transport => new Measurement<double>(sessions.Count(transport), GateMeter.Label("transport", transport))));
        meter.Gauge("sallyport.streams", "{stream}", "Event streams that are open to callers.", () => streams.Now);
        meter.Gauge("sallyport.processes", "{process}", "Processes of servers that run.", () => upstreams.All.OfType<ProcessUpstream>()
            .Select(upstream => new Measurement<double>(upstream.Running, GateMeter.Label("upstream", upstream.Setting.Label))));
        meter.Gauge("sallyport.upstream.up", "1", "Whether the newest answer of an HTTP upstream could be used: 1, or 0.", () => StatesOf(upstreams)
            .Select(state => new Measurement<double>(state.Fault is null ? 1 : 0, GateMeter.Label("upstream", state.Upstream))));
    }

    public static void Add(IServiceCollection services)
    {
        services.AddSingleton<OpenStreams>();
        services.AddSingleton<GatewayGauges>();
        services.AddSingleton<Func<IReadOnlyList<UpstreamState>>>(provider => () => StatesOf(provider.GetRequiredService<UpstreamList>()));
    }

    /// <summary>Of those that are asked over HTTP. A command is started when somebody needs it.</summary>
    private static List<UpstreamState> StatesOf(UpstreamList upstreams) =>
        [.. upstreams.All.OfType<HttpUpstream>().Select(upstream => new UpstreamState(upstream.Setting.Label, upstream.Fault))];
}
