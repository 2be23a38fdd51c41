using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Operation;

/// <summary>What an operator does to the log and to keys.</summary>
internal sealed class OperatorActs(IServiceScopeFactory scopes, DataDirectory directory, ErasableValues values, Sealer sealer) : IDisposable
{
    private readonly SemaphoreSlim _tokenKeysTurn = new(1);

    /// <summary>Signs the log with another key from now on. The old one is destroyed.</summary>
    /// <returns>The new verifier key.</returns>
    public async Task<string> RotateLogKeyAsync(CancellationToken cancellationToken) => (await sealer.RotateKeyAsync(cancellationToken)).ToString();

    /// <summary>Makes another key for access tokens.</summary>
    /// <param name="atOnce">The others are dropped at once: access tokens end, and clients refresh them.</param>
    /// <returns>The new one.</returns>
    /// <exception cref="IOException">It could not be kept, though the log tells of it already: nothing is changed.</exception>
    public async Task<TokenKey> RotateTokenKeyAsync(bool atOnce, CancellationToken cancellationToken)
    {
        await _tokenKeysTurn.WaitAsync(cancellationToken);
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            // They are opened by whoever asks first, and the data directory is made after this object.
            var tokenKeys = scope.ServiceProvider.GetRequiredService<TokenKeys>();
            var keys = tokenKeys.WithNew(atOnce);
            var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
            await state.RunAsync(() =>
            {
                state.Record(new OperatorActed { Id = AuditLog.NewId(), Act = atOnce ? OperatorAct.TokenKeysReplaced : OperatorAct.TokenKeyAdded, Target = keys[^1].KeyId });
                return Task.FromResult(true);
            }, cancellationToken);
            scope.ServiceProvider.GetRequiredService<TokenKeyFile>().Write(keys);
            tokenKeys.Take(keys);
            return keys[^1];
        }
        finally
        {
            _tokenKeysTurn.Release();
        }
    }

    public void Dispose() => _tokenKeysTurn.Dispose();

    /// <summary>Erases values that the log has commitments to; when this returns they are gone from the files. The log is not touched.</summary>
    /// <returns>How many of each kind went.</returns>
    /// <exception cref="ValuesUnavailableException">They could not be erased.</exception>
    public async Task<IReadOnlyList<ErasedCount>> EraseValuesAsync(Erasure erasure, CancellationToken cancellationToken)
    {
        var found = await Task.Run(() => erasure.Find(directory.Log), cancellationToken);
        if (found.Count == 0)
            return [];
        return await values.EraseAsync([.. found.Select(value => value.Commitment)], async counts =>
        {
            await using var scope = scopes.CreateAsyncScope();
            var state = scope.ServiceProvider.GetRequiredService<StateTransaction>();
            await state.RunAsync(() =>
            {
                state.Record(new OperatorActed { Id = AuditLog.NewId(), Act = OperatorAct.ValuesErased, Target = erasure.Target(found), Erased = counts });
                return Task.FromResult(true);
            }, cancellationToken);
        });
    }
}
