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
    TokenStore tokens, StateTransaction state, TokenIssuer issuer, GateConfiguration configuration, TimeProvider time)
{
    public async Task<GrantResult> ExchangeAsync(RequestForm form, Client client, CancellationToken cancellationToken)
    {
        if (form["code"] is not { } code)
            return GrantResult.Refuse(Reason.ParameterMissing);
        var hash = OpaqueSecret.Hash(code);
        // One request at a time: what is judged is what is changed.
        return await state.RunPlainAsync(() => Exchange(form, client, hash), cancellationToken);
    }

    private GrantResult Exchange(RequestForm form, Client client, string hash)
    {
        // 1. Is it a code of this client's?
        if (tokens.FindByCode(hash) is not { } grant)
            return GrantResult.Refuse(Reason.CodeUnknown);
        if (grant.ClientId != client.Id)
            return GrantResult.Refuse(Reason.CodeOfAnotherClient, grant.Id, grant.CodeId);

        // 2. Use it up. Of any number of attempts, one gets past this line.
        var now = time.GetUtcNow();
        if (!tokens.RedeemCode(grant.Id, now))
            return issuer.RevokeForReuse(grant, grant.CodeId, Reason.CodeReused);

        // 3. Is it in time, and does this request belong to the one that it was issued for?
        if (Judge(form, grant, now) is { } fault)
            return issuer.RefuseRecorded(grant, grant.CodeId, fault);

        // 4. Issue.
        return issuer.Issue(issuer.Prepare(grant, client, Scope.FromStored(grant.Scope)), grant, "authorization_code", grant.CodeId, pkce: true);
    }

    private Reason? Judge(RequestForm form, Grant grant, DateTimeOffset now)
    {
        if (now >= grant.CodeExpiresAt)
            return Reason.CodeExpired;
        if (!Pkce.Verify(form["code_verifier"] ?? "", grant.CodeChallenge))
            return Reason.PkceWrong;
        // OAuth 2.1 no longer asks for it here; where a client sends it, it has to be the one (OAuth 2.0 §4.1.3).
        if (form["redirect_uri"] is { } redirectUri && redirectUri != grant.RedirectUri)
            return Reason.RedirectChanged;
        if (!configuration.IsGranted(form.All("resource"), grant.Audience))
            return Reason.ResourceUnknown;
        if (grant.RevokedAt is not null)
            return Reason.GrantRevoked;
        return tokens.UserExists(grant.Subject) ? null : Reason.UserGone;
    }
}
