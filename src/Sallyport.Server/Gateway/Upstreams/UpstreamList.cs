using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Upstreams.Processes;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>All that stands behind the gate.</summary>
internal sealed class UpstreamList : IDisposable
{
    private readonly Dictionary<string, IUpstream> _byAudience;

    public UpstreamList(GateConfiguration configuration, BuiltInServer builtIn, GateActs acts, CallerAssertions assertions, TimeProvider time, ILogger<HttpUpstream> logger, IServiceProvider services)
    {
        All = [.. configuration.Upstreams.Select(setting => setting.Command.Count > 0
            ? (IUpstream)ActivatorUtilities.CreateInstance<ProcessUpstream>(services, setting)
            : setting.Url is null
            ? new BuiltInUpstream(setting, builtIn)
            : new HttpUpstream(setting, configuration.UpstreamPatience, acts, time, logger, assertions))];
        _byAudience = All.ToDictionary(upstream => upstream.Setting.Audience, StringComparer.Ordinal);
    }

    public IReadOnlyList<IUpstream> All { get; }

    /// <summary>The one whose path a request came by.</summary>
    public IUpstream Of(HttpContext context) => _byAudience[context.GetEndpoint()!.Metadata.GetRequiredMetadata<UpstreamSetting>().Audience];

    public void Dispose()
    {
        foreach (var upstream in All.OfType<IDisposable>())
            upstream.Dispose();
    }
}
