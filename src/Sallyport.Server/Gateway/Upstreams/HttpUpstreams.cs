using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Sallyport.Server.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>The HTTP servers behind the gate.</summary>
internal sealed class HttpUpstreams(GateConfiguration configuration, IHttpForwarder forwarder, ILogger<HttpUpstream> logger) : IDisposable
{
    private readonly Dictionary<UpstreamSetting, HttpUpstream> _upstreams = configuration.Upstreams
        .Where(setting => setting.Url is not null)
        .ToDictionary(setting => setting, setting => new HttpUpstream(setting, forwarder, logger), ReferenceEqualityComparer.Instance as IEqualityComparer<UpstreamSetting>);

    /// <summary>The one whose path a request came by.</summary>
    public HttpUpstream Of(HttpContext context) => _upstreams[context.GetEndpoint()!.Metadata.GetRequiredMetadata<UpstreamSetting>()];

    public void Dispose()
    {
        foreach (var upstream in _upstreams.Values)
            upstream.Dispose();
    }
}
