using System.Data.Common;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Storage;

/// <summary>Forgets registrations that nobody has allowed anything for a day.</summary>
internal sealed class UnconfirmedClients(GateConfiguration configuration, IServiceScopeFactory scopes, TimeProvider time) : BackgroundService
{
    /// <summary>So many to an event, which then has some 25 KB.</summary>
    private const int PerEvent = 1_000;

    private static readonly TimeSpan s_interval = TimeSpan.FromMinutes(1);

    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        while (await SweepSomeAsync(cancellationToken) == PerEvent)
        {
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(s_interval, time, stoppingToken);
            try
            {
                await SweepAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is DbException or AuditUnavailableException)
            {
                // A locked database, or a closed log: the next sweep has them too.
            }
        }
    }

    private async Task<int> SweepSomeAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var clients = scope.ServiceProvider.GetRequiredService<ClientStore>();
        var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
        return await state.RunAsync(async () =>
        {
            var forgotten = await clients.ForgetUnconfirmedAsync(time.GetUtcNow() - configuration.UnconfirmedLifetime, PerEvent, cancellationToken);
            if (forgotten.Count > 0)
                state.Record(new ClientRemoved { Id = AuditLog.NewId(), Reason = Reason.RegistrationExpired, Clients = forgotten });
            return forgotten.Count;
        }, cancellationToken);
    }
}
