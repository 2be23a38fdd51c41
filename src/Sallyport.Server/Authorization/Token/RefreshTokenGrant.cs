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
    GrantStore grants, Accounts accounts, StateTransaction state, TokenIssuer issuer, GateConfiguration configuration, TimeProvider time)
{
    public async Task<GrantResult> ExchangeAsync(RequestForm form, Client client, CancellationToken cancellationToken)
    {
        // 1. Is it a refresh token of this client's?
        if (form["refresh_token"] is not { } presented)
            return GrantResult.Refuse(Reason.ParameterMissing);
        var hash = OpaqueSecret.Hash(presented);
        if (await grants.FindRefreshTokenAsync(hash, cancellationToken) is not { Grant: { } found } known)
            return GrantResult.Refuse(Reason.RefreshUnknown);
        if (found.ClientId != client.Id)
            return GrantResult.Refuse(Reason.RefreshOfAnotherClient, found.Id, known.Id);

        // From here on one request at a time: what is judged is what is changed.
        return await state.RunAsync(async () =>
        {
            var token = (await grants.FindRefreshTokenAsync(hash, cancellationToken))!;
            var grant = token.Grant!;
            var now = time.GetUtcNow();

            // 2. Is its grant alive, and has it not been used before? Both come before what the request asks for: a thief may ask wrongly.
            if (grant.RevokedAt is not null)
                return issuer.RefuseRecorded(grant, token.Id, Reason.GrantRevoked);
            if (token.UsedAt is not null)
                return await RepeatAsync(token, grant, presented, now, cancellationToken);

            // 3. Is it in time, and does it ask for no more than was granted?
            var granted = Scope.FromStored(grant.Scope);
            var asked = Scope.Parse(form["scope"]);
            if (await JudgeAsync(form, token, grant, granted, asked, now, cancellationToken) is { } fault)
                return issuer.RefuseRecorded(grant, token.Id, fault);

            // 4. Use it up, keeping the answer for the grace window.
            var tokens = issuer.Prepare(grant, client, asked is { Count: > 0 } ? asked : granted);
            if (!await grants.UseRefreshTokenAsync(token.Id, SealedAnswer.Seal(tokens.Answer, presented), now, cancellationToken))
                return await issuer.RevokeForReuseAsync(grant, token.Id, Reason.RefreshReused, cancellationToken);

            // 5. Issue.
            return issuer.Complete(tokens, grant, "refresh_token", token.Id, pkce: false);
        }, cancellationToken);
    }

    /// <summary>It was used before: within the window the same answer, after it the end of the family.</summary>
    private async Task<GrantResult> RepeatAsync(RefreshToken token, Grant grant, string presented, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (token.SealedSuccessor is null || now - token.UsedAt > configuration.RefreshGrace)
            return await issuer.RevokeForReuseAsync(grant, token.Id, Reason.RefreshReused, cancellationToken);
        var repeated = new TokenRepeated { Id = AuditLog.NewId(), Grant = grant.Id, Client = grant.ClientId, Presented = token.Id };
        state.Record(repeated);
        return GrantResult.Issue(SealedAnswer.Open(token.SealedSuccessor, presented), repeated.Id);
    }

    private async Task<Reason?> JudgeAsync(
        RequestForm form, RefreshToken token, Grant grant, IReadOnlyList<string> granted, IReadOnlyList<string>? asked, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (now >= token.ExpiresAt)
            return Reason.RefreshExpired;
        if (asked is null)
            return Reason.ScopeMalformed;
        if (asked.Except(granted).Any())
            return Reason.ScopeExceeded;
        if (!form.All("resource").All(configuration.IsResource))
            return Reason.ResourceUnknown;
        return await accounts.ExistsAsync(grant.Subject, cancellationToken) ? null : Reason.UserGone;
    }
}
