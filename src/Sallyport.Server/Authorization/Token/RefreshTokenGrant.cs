using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Token;

/// <summary>
/// Exchanges a refresh token for its one successor (RFC 9700 §4.14.2). Presented again within the grace window it gets that same
/// answer, byte for byte: a lost reply or two instances of a client cost nothing. After it, the family ends.
/// </summary>
internal sealed class RefreshTokenGrant(
    GrantStore grants, Accounts accounts, StateTransaction state, TokenIssue issue, GateConfiguration configuration, TimeProvider time)
{
    public async Task<GrantResult> ExchangeAsync(RequestForm form, Client client, CancellationToken cancellationToken)
    {
        // 1. Is it a refresh token of this client's, in time, of a living grant?
        if (form["refresh_token"] is not { } presented)
            return GrantResult.Refuse(Reason.ParameterMissing);
        var hash = OpaqueSecret.Hash(presented);
        if (await grants.FindRefreshTokenAsync(hash, cancellationToken) is not { Grant: { } grant } token)
            return GrantResult.Refuse(Reason.RefreshUnknown);
        if (grant.ClientId != client.Id)
            return GrantResult.Refuse(Reason.RefreshOfAnotherClient, grant.Id, token.Id);
        var now = time.GetUtcNow();
        if (await JudgeAsync(token, grant, now, cancellationToken) is { } fault)
            return GrantResult.Refuse(fault, grant.Id, token.Id);

        // 2. Does it ask for no more than was granted?
        var granted = Scope.FromStored(grant.Scope);
        if (Scope.Parse(form["scope"]) is not { } asked)
            return GrantResult.Refuse(Reason.ScopeMalformed, grant.Id, token.Id);
        if (asked.Except(granted).Any())
            return GrantResult.Refuse(Reason.ScopeExceeded, grant.Id, token.Id);
        if (!form.All("resource").All(configuration.IsResource))
            return GrantResult.Refuse(Reason.ResourceUnknown, grant.Id, token.Id);

        return await state.RunAsync(async () =>
        {
            // 3. Use it up. Of any number of attempts at once, one gets past this line.
            var tokens = issue.Prepare(grant, client, asked.Count > 0 ? asked : granted);
            if (!await grants.UseRefreshTokenAsync(token.Id, SealedAnswer.Seal(tokens.Answer, presented), now, cancellationToken))
                return await RepeatAsync(hash, presented, now, cancellationToken);

            // 4. Issue, and forget the answers whose windows have ended.
            await grants.DropSealedSuccessorsAsync(now - configuration.RefreshGrace, cancellationToken);
            return await issue.CompleteAsync(tokens, grant, "refresh_token", token.Id, pkce: false, cancellationToken);
        }, cancellationToken);
    }

    /// <summary>It was used before: within the window the same answer, after it the end of the family.</summary>
    private async Task<GrantResult> RepeatAsync(string hash, string presented, DateTimeOffset now, CancellationToken cancellationToken)
    {
        // Read again: since it was looked up, another request may have used it, or ended the family.
        var token = (await grants.FindRefreshTokenAsync(hash, cancellationToken))!;
        var grant = token.Grant!;
        if (grant.RevokedAt is not null)
            return issue.RefuseRecorded(grant, token.Id, Reason.GrantRevoked);
        if (token.SealedSuccessor is null || now - token.UsedAt > configuration.RefreshGrace)
            return await issue.RevokeForReuseAsync(grant, token.Id, Reason.RefreshReused, cancellationToken);
        var repeated = new TokenRepeated { Id = AuditLog.NewId(), Grant = grant.Id, Client = grant.ClientId, Presented = token.Id };
        state.Record(repeated);
        return GrantResult.Issue(SealedAnswer.Open(token.SealedSuccessor, presented), repeated.Id);
    }

    private async Task<Reason?> JudgeAsync(RefreshToken token, Grant grant, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (grant.RevokedAt is not null)
            return Reason.GrantRevoked;
        if (now >= token.ExpiresAt)
            return Reason.RefreshExpired;
        return await accounts.ExistsAsync(grant.Subject, cancellationToken) ? null : Reason.UserGone;
    }
}
