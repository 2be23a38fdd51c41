using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>The built-in server as an upstream.</summary>
internal sealed class BuiltInUpstream(UpstreamSetting setting, BuiltInServer server) : IUpstream
{
    private static readonly UpstreamNature s_nature = new(UpstreamTransport.BuiltIn, Revision.WithSessions, "sallyport");

    public UpstreamSetting Setting => setting;

    public UpstreamNature? Known => s_nature;

    public ValueTask<UpstreamNature> LearnAsync(CancellationToken cancellationToken) => new(s_nature);

    public ValueTask<IMessageChannel> OpenAsync(string session, Func<Caller> caller, CancellationToken cancellationToken) => new(server.Open(caller));
}
