using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Consent;

/// <summary>A code; or why there is none; or neither, where the user has to be asked.</summary>
/// <param name="Event">The event that says so, where there is a code.</param>
/// <param name="CanBeRemembered">Where the user has to be asked: whether they can have the answer remembered.</param>
internal sealed record CodeResult(string? Code = null, string? Event = null, Reason? Fault = null, bool CanBeRemembered = false);

/// <summary>
/// A consent with its code. Each is one change: whatever ends a user, a client or what is remembered has happened before it, or comes
/// after it and ends this too.
/// </summary>
internal sealed class CodeIssuer(
    ClientStore clients, GrantStore grants, Accounts accounts, StateTransaction state, GateConfiguration configuration, TimeProvider time)
{
    /// <summary>The user allows it.</summary>
    /// <param name="remember">They want it to be remembered, which it is where that is possible.</param>
    public Task<CodeResult> AllowAsync(AuthorizationTransaction transaction, BrowserSession session, bool remember, CancellationToken cancellationToken) =>
        state.RunAsync(async () =>
        {
            var (client, fault) = await clients.FindUsableAsync(transaction.ClientId, cancellationToken);
            if (client is null)
                return new(Fault: fault);
            var remembers = remember
                && RememberedConsent.IsPossible(client, transaction)
                && (await grants.RememberedAsync(session.Subject, time.GetUtcNow(), cancellationToken)).Count < Limits.RememberedConsents;
            return await IssueAsync(transaction, session, remembers, restsOn: null, cancellationToken);
        }, cancellationToken);

    /// <summary>The user allowed it before, and need not be asked; or they have to be.</summary>
    public Task<CodeResult> AllowAsRememberedAsync(AuthorizationTransaction transaction, BrowserSession session, CancellationToken cancellationToken) =>
        state.RunAsync(async () =>
        {
            var (client, fault) = await clients.FindUsableAsync(transaction.ClientId, cancellationToken);
            if (client is null)
                return new(Fault: fault);
            if (!RememberedConsent.IsPossible(client, transaction))
                return new();
            var remembered = await grants.RememberedAsync(session.Subject, time.GetUtcNow(), cancellationToken);
            return remembered.Find(grant => RememberedConsent.Covers(grant, transaction)) is { } before
                ? await IssueAsync(transaction, session, remembers: false, before.ConsentId, cancellationToken)
                : new(CanBeRemembered: remembered.Count < Limits.RememberedConsents);
        }, cancellationToken);

    private async Task<CodeResult> IssueAsync(AuthorizationTransaction transaction, BrowserSession session, bool remembers, string? restsOn, CancellationToken cancellationToken)
    {
        if (!await accounts.ExistsAsync(session.Subject, cancellationToken))
            return new(Fault: Reason.UserGone);
        var now = time.GetUtcNow();
        var code = OpaqueSecret.New(OpaqueSecret.CodePrefix);
        var grant = new Grant
        {
            Id = RandomId.NewAt(now),
            ClientId = transaction.ClientId,
            Subject = session.Subject,
            Audience = transaction.Audience,
            Scope = Scope.Format(transaction.Scopes),
            ConsentId = RandomId.New(),
            TransactionId = transaction.Id,
            CreatedAt = now,
            RememberedUntil = remembers ? now + configuration.RememberedConsentLifetime : null,
            CodeId = RandomId.New(),
            CodeHash = OpaqueSecret.Hash(code),
            CodeExpiresAt = now + configuration.CodeLifetime,
            RedirectUri = transaction.RedirectUri,
            CodeChallenge = transaction.CodeChallenge,
        };
        if (!await grants.AddAsync(grant, cancellationToken))
            return new(Fault: Reason.TransactionUsed);
        state.Record(new ConsentGiven
        {
            Id = AuditLog.NewId(),
            Consent = grant.ConsentId,
            Transaction = transaction.Id,
            Authentication = session.Authentication,
            Client = grant.ClientId,
            Subject = grant.Subject,
            Audience = grant.Audience,
            Scopes = transaction.Scopes,
            RedirectUri = remembers || restsOn is not null ? grant.RedirectUri : null,
            RememberedUntil = grant.RememberedUntil,
            RestsOn = restsOn,
        });
        var isConstant = await grants.HasUsedChallengeAsync(grant.ClientId, grant.CodeChallenge, Limits.CodesPerChallenge, cancellationToken);
        var issued = new CodeIssued
        {
            Id = AuditLog.NewId(),
            Code = grant.CodeId,
            Grant = grant.Id,
            Consent = grant.ConsentId,
            Client = grant.ClientId,
            Subject = grant.Subject,
            Expires = grant.CodeExpiresAt,
            Warning = isConstant ? Reason.PkceConstantChallenge : null,
        };
        state.Record(issued);
        return new(code, issued.Id);
    }
}
