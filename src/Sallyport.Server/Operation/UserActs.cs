using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Operation;

/// <summary>What an operator does to accounts. In force when it returns: what was granted by one that is disabled or removed has ended.</summary>
internal sealed class UserActs(IServiceScopeFactory scopes, ErasableValues values, TimeProvider time)
{
    public async Task<IReadOnlyList<Account>> ListAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<Accounts>().AllAsync(cancellationToken);
    }

    /// <summary>Adds a user, who can sign in when this returns. The first one operates the gate: somebody has to.</summary>
    /// <returns>The new subject, or why there is none.</returns>
    public async Task<(string? Subject, Reason? Fault)> AddAsync(string name, string password, bool isOperator, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var accounts = scope.ServiceProvider.GetRequiredService<Accounts>();
        var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
        return await state.RunAsync<(string?, Reason?)>(async () =>
        {
            var (user, fault) = await accounts.AddAsync(name, password, isOperator || !await accounts.AnyAsync(cancellationToken));
            if (user is null)
                return (null, fault);
            state.Record(new OperatorActed
            {
                Id = AuditLog.NewId(),
                Act = OperatorAct.UserAdded,
                Target = user.Id,
                Name = values.Commit(ValueKind.UserName, user.UserName!),
            });
            return (user.Id, null);
        }, cancellationToken);
    }

    /// <returns>The subject; null when there is no such user.</returns>
    public Task<string?> DisableAsync(string name, CancellationToken cancellationToken) =>
        ActAsync(name, OperatorAct.UserDisabled, ends: true, async (accounts, user) => await accounts.DisableAsync(user, time.GetUtcNow()), cancellationToken);

    /// <summary>Also one of an identity provider who was removed, by their subject. What ended then does not come back.</summary>
    /// <returns>The subject; null when there is no such user.</returns>
    public Task<string?> EnableAsync(string name, CancellationToken cancellationToken) =>
        ActAsync(name, OperatorAct.UserEnabled, ends: false, async (accounts, user) => await accounts.EnableAsync(user), cancellationToken);

    /// <returns>The subject; null when there is no such user.</returns>
    public Task<string?> RemoveAsync(string name, CancellationToken cancellationToken) =>
        ActAsync(name, OperatorAct.UserRemoved, ends: true, async (accounts, user) => await accounts.RemoveAsync(user), cancellationToken);

    /// <summary>Sets a password, and ends the sign-ins that were made with the one before.</summary>
    /// <returns>The subject, null when there is no such user; or why the password is not suitable.</returns>
    public async Task<(string? Subject, Reason? Fault)> SetPasswordAsync(string name, string password, CancellationToken cancellationToken)
    {
        if (!Accounts.IsSuitablePassword(password))
            return (null, Reason.PasswordUnsuitable);
        return (await ActAsync(name, OperatorAct.PasswordChanged, ends: false,
            async (accounts, user) => await accounts.SetPasswordAsync(user, password, time.GetUtcNow()), cancellationToken), null);
    }

    private async Task<string?> ActAsync(string name, OperatorAct act, bool ends, Func<Accounts, User, Task> change, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var accounts = scope.ServiceProvider.GetRequiredService<Accounts>();
        var grants = scope.ServiceProvider.GetRequiredService<GrantStore>();
        var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
        return await state.RunAsync(async () =>
        {
            var user = await accounts.FindAsync(name);
            if (user is null && act == OperatorAct.UserEnabled)
                user = await accounts.ReadmitAsync(name, time.GetUtcNow(), cancellationToken);
            else if (IsSo(act, user))
                return user!.Id;
            if (user is null || (act == OperatorAct.PasswordChanged && user.UserName is null))
                return null;
            state.Record(new OperatorActed
            {
                Id = AuditLog.NewId(),
                Act = act,
                Target = user.Id,
                Name = (user.UserName ?? user.DisplayName) is { } called ? values.Commit(ValueKind.UserName, called) : null,
            });
            if (ends)
            {
                foreach (var grant in await grants.RevokeAllAsync(clientId: null, user.Id, time.GetUtcNow(), cancellationToken))
                    state.Record(new TokenRevoked { Id = AuditLog.NewId(), Reason = Reason.RevokedByOperator, Grant = grant });
            }
            await change(accounts, user);
            return user.Id;
        }, cancellationToken);
    }

    /// <summary>Whether there is nothing to do.</summary>
    private static bool IsSo(OperatorAct act, User? user) => act switch
    {
        OperatorAct.UserDisabled => user is { DisabledAt: not null },
        OperatorAct.UserEnabled => user is { DisabledAt: null },
        _ => false,
    };
}
