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
    TokenStore tokens, StateTransaction state, TokenIssuer issuer, GateConfiguration configuration, TimeProvider time)
{
    public async Task<GrantResult> ExchangeAsync(RequestForm form, Client client, CancellationToken cancellationToken)
    {
        if (form["refresh_token"] is not { } presented)
            return GrantResult.Refuse(Reason.ParameterMissing);
        // One request at a time: what is judged is what is changed.
        return await state.RunPlainAsync(() => Exchange(form, client, presented), cancellationToken);
    }

    private GrantResult Exchange(RequestForm form, Client client, string presented)
    {
        // 1. Is it a refresh token of this client's?
        if (tokens.FindRefreshToken(OpaqueSecret.Hash(presented)) is not { Grant: { } grant } token)
            return GrantResult.Refuse(Reason.RefreshUnknown);
        if (grant.ClientId != client.Id)
            return GrantResult.Refuse(Reason.RefreshOfAnotherClient, grant.Id, token.Id);

        // 2. Is its grant alive, and has it not been used before? Both come before what the request asks for: a thief may ask wrongly.
        var now = time.GetUtcNow();
        if (grant.RevokedAt is not null)
            return issuer.RefuseRecorded(grant, token.Id, Reason.GrantRevoked);
        if (token.UsedAt is not null)
            return Repeat(token, grant, presented, now);

        // 3. Is it in time, and does it ask for no more than was granted?
        var granted = Scope.FromStored(grant.Scope);
        var asked = Scope.Parse(form["scope"]);
        if (Judge(form, token, grant, granted, asked, now) is { } fault)
            return issuer.RefuseRecorded(grant, token.Id, fault);

        // 4. Use it up, keeping the answer for the grace window.
        var issued = issuer.Prepare(grant, client, asked is { Count: > 0 } ? asked : granted);
        if (!tokens.UseRefreshToken(token.Hash, SealedAnswer.Seal(issued.Answer, presented), now))
            return issuer.RevokeForReuse(grant, token.Id, Reason.RefreshReused);

        // 5. Issue.
        return issuer.Issue(issued, grant, "refresh_token", token.Id, pkce: false);
    }

    /// <summary>It was used before: within the window the same answer, after it the end of the family.</summary>
    private GrantResult Repeat(RefreshToken token, Grant grant, string presented, DateTimeOffset now)
    {
        if (token.SealedSuccessor is null || now - token.UsedAt > configuration.RefreshGrace)
            return issuer.RevokeForReuse(grant, token.Id, Reason.RefreshReused);
        var repeated = new TokenRepeated { Id = AuditLog.NewId(), Grant = grant.Id, Client = grant.ClientId, Presented = token.Id };
        state.Record(repeated);
        return GrantResult.Issue(SealedAnswer.Open(token.SealedSuccessor, presented), repeated.Id);
    }

    private Reason? Judge(
        RequestForm form, RefreshToken token, Grant grant, IReadOnlyList<string> granted, IReadOnlyList<string>? asked, DateTimeOffset now)
    {
        if (now >= token.ExpiresAt)
            return Reason.RefreshExpired;
        if (asked is null)
            return Reason.ScopeMalformed;
        if (asked.Except(granted).Any())
            return Reason.ScopeExceeded;
        if (!configuration.IsGranted(form.All("resource"), grant.Audience))
            return Reason.ResourceUnknown;
        return tokens.UserExists(grant.Subject) ? null : Reason.UserGone;
    }
}
