using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Operation;

/// <summary>What an operator does to grants: the families of tokens that users have given to clients. In force when it returns.</summary>
internal sealed class GrantActs(IServiceScopeFactory scopes, TimeProvider time)
{
    /// <summary>Those that live, the newest first; null where there is no such user.</summary>
    public async Task<IReadOnlyList<LiveGrant>?> ListAsync(string? user, string? client, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        string? subject = null;
        if (user is not null && (subject = (await scope.ServiceProvider.GetRequiredService<Accounts>().FindAsync(user))?.Id) is null)
            return null;
        return await scope.ServiceProvider.GetRequiredService<GrantStore>().ListAsync(client, subject, time.GetUtcNow(), cancellationToken);
    }

    /// <returns>False when there is none of that id that lives.</returns>
    public async Task<bool> RevokeAsync(string id, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var grants = scope.ServiceProvider.GetRequiredService<GrantStore>();
        var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
        return await state.RunAsync(async () =>
        {
            if (!await grants.RevokeAsync(id, time.GetUtcNow(), cancellationToken))
                return false;
            Record(state, id);
            return true;
        }, cancellationToken);
    }

    /// <summary>All of a user, of a client, or of a user at a client: one of them at least is named.</summary>
    /// <returns>Those that ended; null where there is no such user or client.</returns>
    public async Task<IReadOnlyList<string>?> RevokeAllAsync(string? user, string? client, CancellationToken cancellationToken)
    {
        if (user is null && client is null)
            return null;
        await using var scope = scopes.CreateAsyncScope();
        var accounts = scope.ServiceProvider.GetRequiredService<Accounts>();
        var clients = scope.ServiceProvider.GetRequiredService<ClientStore>();
        var grants = scope.ServiceProvider.GetRequiredService<GrantStore>();
        var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
        return await state.RunAsync(async () =>
        {
            var subject = user is null ? null : (await accounts.FindAsync(user))?.Id;
            if ((user is not null && subject is null) || (client is not null && await clients.FindAsync(client, cancellationToken) is null))
                return null;
            var ended = await grants.RevokeAllAsync(client, subject, time.GetUtcNow(), cancellationToken);
            foreach (var grant in ended)
                Record(state, grant);
            return ended;
        }, cancellationToken);
    }

    private static void Record(StateTransaction state, string grant)
    {
        state.Record(new OperatorActed { Id = AuditLog.NewId(), Act = OperatorAct.TokenRevoked, Target = grant });
        state.Record(new TokenRevoked { Id = AuditLog.NewId(), Reason = Reason.RevokedByOperator, Grant = grant });
    }
}
