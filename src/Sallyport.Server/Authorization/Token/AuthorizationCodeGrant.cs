using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Token;

/// <summary>
/// Exchanges a code (OAuth 2.1 §4.1.3). It is good once: the first attempt by its own client uses it up, a wrong verifier
/// included (docs/decisions/0013); a second one ends what the first gave.
/// </summary>
internal sealed class AuthorizationCodeGrant(
    GrantStore grants, Accounts accounts, StateTransaction state, TokenIssuer issuer, GateConfiguration configuration, TimeProvider time)
{
    public async Task<GrantResult> ExchangeAsync(RequestForm form, Client client, CancellationToken cancellationToken)
    {
        // 1. Is it a code of this client's?
        if (form["code"] is not { } code)
            return GrantResult.Refuse(Reason.ParameterMissing);
        var hash = OpaqueSecret.Hash(code);
        if (await grants.FindByCodeAsync(hash, cancellationToken) is not { } found)
            return GrantResult.Refuse(Reason.CodeUnknown);
        if (found.ClientId != client.Id)
            return GrantResult.Refuse(Reason.CodeOfAnotherClient, found.Id, found.CodeId);

        // From here on one request at a time: what is judged is what is changed.
        return await state.RunAsync(async () =>
        {
            var grant = (await grants.FindByCodeAsync(hash, cancellationToken))!;
            var now = time.GetUtcNow();

            // 2. Use it up. Of any number of attempts at once, one gets past this line.
            if (!await grants.RedeemCodeAsync(grant.Id, now, cancellationToken))
                return await issuer.RevokeForReuseAsync(grant, grant.CodeId, Reason.CodeReused, cancellationToken);

            // 3. Is it in time, and does this request belong to the one that it was issued for?
            if (await JudgeAsync(form, grant, now, cancellationToken) is { } fault)
                return issuer.RefuseRecorded(grant, grant.CodeId, fault);

            // 4. Issue.
            var tokens = issuer.Prepare(grant, client, Scope.FromStored(grant.Scope));
            return issuer.Complete(tokens, grant, "authorization_code", grant.CodeId, pkce: true);
        }, cancellationToken);
    }

    private async Task<Reason?> JudgeAsync(RequestForm form, Grant grant, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (now >= grant.CodeExpiresAt)
            return Reason.CodeExpired;
        if (!Pkce.Verify(form["code_verifier"] ?? "", grant.CodeChallenge))
            return Reason.PkceWrong;
        // OAuth 2.1 no longer asks for it here; where a client sends it, it has to be the one (OAuth 2.0 §4.1.3).
        if (form["redirect_uri"] is { } redirectUri && redirectUri != grant.RedirectUri)
            return Reason.RedirectChanged;
        if (!form.All("resource").All(configuration.IsResource))
            return Reason.ResourceUnknown;
        if (grant.RevokedAt is not null)
            return Reason.GrantRevoked;
        return await accounts.ExistsAsync(grant.Subject, cancellationToken) ? null : Reason.UserGone;
    }
}
