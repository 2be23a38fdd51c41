using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Operation;

/// <summary>What an operator changes from the shell: done by the gate while it runs, else by the command itself.</summary>
internal sealed class OperatorActs(IServiceScopeFactory scopes)
{
    /// <summary>Adds a user, who can sign in when this returns. The first one operates the gate: somebody has to.</summary>
    /// <returns>The new subject, or why there is none.</returns>
    public async Task<(string? Subject, Reason? Fault)> AddUserAsync(string name, string password, bool isOperator, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var accounts = scope.ServiceProvider.GetRequiredService<Accounts>();
        var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
        return await state.RunAsync<(string?, Reason?)>(async () =>
        {
            var (user, fault) = await accounts.AddAsync(name, password, isOperator || !await accounts.AnyAsync(cancellationToken));
            if (user is null)
                return (null, fault);
            state.Record(new OperatorActed { Id = AuditLog.NewId(), Act = OperatorAct.UserAdded, Target = user.Id });
            return (user.Id, null);
        }, cancellationToken);
    }
}
