using Microsoft.Extensions.Hosting;

namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>
/// Tries each command once before the gate serves: so that a download is done, a mistake is told at once, and the operator sees what it
/// is. The gate does not start in front of nothing.
/// </summary>
internal sealed class ProcessStart(UpstreamList upstreams) : IHostedService
{
    /// <exception cref="UpstreamFaultException">A command does not work.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var upstream in upstreams.All.OfType<ProcessUpstream>())
            await upstream.LearnAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
