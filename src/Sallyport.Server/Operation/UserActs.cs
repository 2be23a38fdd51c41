using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Operation;

/// <summary>An account, as an operator sees it. One of an identity provider is called what the provider last said, and is found by its subject.</summary>
internal sealed record UserSummary(string Subject, string Name, bool IsOperator, bool IsDisabled);

/// <summary>What an operator does to accounts. In force when it returns: what was granted by one that is disabled or removed has ended.</summary>
internal sealed class UserActs(IServiceScopeFactory scopes, ErasableValues values, TimeProvider time)
{
    public async Task<IReadOnlyList<UserSummary>> ListAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var users = await scope.ServiceProvider.GetRequiredService<Accounts>().AllAsync(cancellationToken);
        return [.. users.Select(user => new UserSummary(user.Id, user.UserName ?? user.DisplayName ?? "", user.IsOperator, user.DisabledAt is not null))];
    }

    /// <returns>The subject; null when there is no such user.</returns>
    public Task<string?> DisableAsync(string name, CancellationToken cancellationToken) =>
        ActAsync(name, OperatorAct.UserDisabled, ends: true, async (accounts, user) => await accounts.DisableAsync(user, time.GetUtcNow()), cancellationToken);

    /// <summary>What ended when it was disabled does not come back.</summary>
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
            if (await accounts.FindAsync(name) is not { } user || (act == OperatorAct.PasswordChanged && user.UserName is null))
                return null;
            state.Record(new OperatorActed { Id = AuditLog.NewId(), Act = act, Target = user.Id, Name = values.Commit(ValueKind.UserName, user.UserName ?? user.DisplayName ?? "") });
            if (ends)
            {
                foreach (var grant in await grants.RevokeAllAsync(clientId: null, user.Id, time.GetUtcNow(), cancellationToken))
                    state.Record(new TokenRevoked { Id = AuditLog.NewId(), Reason = Reason.RevokedByOperator, Grant = grant });
            }
            await change(accounts, user);
            return user.Id;
        }, cancellationToken);
    }
}
