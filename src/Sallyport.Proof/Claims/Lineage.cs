using System.Globalization;
using Sallyport.Proof.Events;

namespace Sallyport.Proof.Claims;

/// <summary>Where tokens come from: C2 (each has all its ancestors), and C4 (each ancestor has one successor).</summary>
internal sealed class Lineage(LiveState state, Findings findings)
{
    private long? _beganAt;
    private long? _killedAt;
    private string? _durability;

    /// <summary>The state is that of a snapshot, which does not tell of what was under way.</summary>
    public void BeginsLate(long clock) => _beganAt = clock;

    /// <summary>After a loss of power, what changed is in the log, and what else was recorded last may not be, unless it was synced.</summary>
    public void Judge(Started started, long clock)
    {
        if (!started.AfterCleanStop && _durability != Started.SurvivesPowerLoss)
            _killedAt = clock;
        _durability = started.Durability;
    }

    public void Judge(long index, ClientRegistered registered)
    {
        if (state.Clients.TryAdd(registered.Client, index) && registered.Repeated)
            findings.Refute(Claim.C2, index, $"client {registered.Client} is said to have been registered before, and was not");
    }

    public void Judge(long index, ClientChanged changed)
    {
        if (state.Clients.ContainsKey(changed.Client))
            state.Remembered.Change(changed.Client, index);
    }

    public void Judge(ClientRemoved removed)
    {
        foreach (var client in removed.Clients)
        {
            state.Clients.Remove(client);
            state.Remembered.Remove(client);
        }
    }

    public void Judge(long index, AuthorizationStarted started, long clock)
    {
        RequireClient(index, started.Client);
        if (!state.Transactions.Add(started.Transaction, new(index, started.Client, started.RedirectUri, started.Audience, started.Scopes), started, clock, started.Time + Tolerances.Unfinished))
            RefuteAsGiven(index, $"transaction {started.Transaction}");
    }

    public void Judge(long index, UserAuthenticated authenticated, long clock)
    {
        if (!state.SignIns.Add(authenticated.Authentication, new(index, authenticated.Subject), authenticated, clock, authenticated.Time + Tolerances.SignIn))
            RefuteAsGiven(index, $"sign-in {authenticated.Authentication}");
    }

    public void Judge(long index, ConsentGiven given, long clock)
    {
        findings.Judged(Claim.C2);
        RequireClient(index, given.Client);
        var transaction = state.Transactions.Find(given.Transaction);
        if (transaction is null)
            Lacks(index, $"consent {given.Consent} is to a request for authorization that nobody made", clock, Tolerances.Unfinished);
        else if (transaction.Client != given.Client || transaction.Audience != given.Audience || !given.Scopes.IsWithin(transaction.Scopes)
            || (given.RedirectUri is { } redirectUri && redirectUri != transaction.RedirectUri))
            findings.Refute(Claim.C2, index, $"consent {given.Consent} is to more, or to another client, than event {transaction.Index} asked for", transaction.Index);
        var signIn = state.SignIns.Find(given.Authentication);
        if (signIn is null)
            Lacks(index, $"consent {given.Consent} was given by somebody who had not signed in", clock, Tolerances.SignIn);
        else if (signIn.Subject != given.Subject)
            findings.Refute(Claim.C2, index, $"consent {given.Consent} is in the name of another than had signed in at event {signIn.Index}", signIn.Index);
        var restsOn = given.RestsOn is null ? null : JudgeWhatItRestsOn(index, given);
        var consent = new Consent(index, given.Client, given.Subject, given.Audience, given.Scopes, signIn?.Index, transaction?.Index)
        {
            RememberedUntil = given.RestsOn is null ? given.RememberedUntil : null,
            RestsOn = restsOn,
        };
        if (!state.Consents.Add(given.Consent, consent, given, clock, given.Time + Tolerances.Unfinished))
            RefuteAsGiven(index, $"consent {given.Consent}");
        else if (consent.RememberedUntil is { } until && given.RedirectUri is { } remembered)
            state.Remembered.Add(new(given.Client, given.Subject, given.Audience), given.Consent, new(index, remembered, given.Scopes, until), given, clock);
    }

    /// <summary>Nobody was asked: then the user had said before that they need not be, for as much as this, and nothing has ended that since.</summary>
    /// <returns>Where that stands.</returns>
    private long? JudgeWhatItRestsOn(long index, ConsentGiven given)
    {
        var party = new RememberedConsents.Party(given.Client, given.Subject, given.Audience);
        if (state.Remembered.Find(party, given.RestsOn!) is not { } remembered)
        {
            findings.Refute(Claim.C2, index, $"consent {given.Consent} rests on {given.RestsOn}, which is none that is remembered of this client, user and resource");
            return null;
        }
        if (remembered.RedirectUri != given.RedirectUri || !given.Scopes.IsWithin(remembered.Scopes))
            findings.Refute(Claim.C2, index, $"consent {given.Consent} is to more, or with the answer at another address, than the one of event {remembered.Index} that it rests on", remembered.Index);
        if (given.Time > remembered.Until + Tolerances.Stamp)
            findings.Refute(Claim.C2, index, $"consent {given.Consent} rests on one that was remembered until {Seconds(given.Time - remembered.Until)} s before", remembered.Index);
        foreach (var end in state.Remembered.Ends(party).Where(end => end > remembered.Index))
            findings.Refute(Claim.C2, index, $"consent {given.Consent} rests on one that event {end} had ended", end);
        return remembered.Index;
    }

    public void Judge(long index, CodeIssued issued, long clock)
    {
        findings.Judged(Claim.C2);
        var consent = state.Consents.Find(issued.Consent);
        if (consent is null)
            Lacks(index, $"code {issued.Code} was issued without a consent", clock, Tolerances.Unfinished, canBeLost: false);
        else if (consent.Client != issued.Client || consent.Subject != issued.Subject)
            findings.Refute(Claim.C2, index, $"code {issued.Code} is another client's or user's than the consent of event {consent.Index}", consent.Index);
        // What has no consent goes on to be judged as what it says it is: that it has none was found once.
        var grant = new Grant { Id = issued.Grant, Index = index, Consent = consent, Client = issued.Client, Subject = issued.Subject, Audience = consent?.Audience, Scopes = consent?.Scopes };
        if (!state.Grants.Add(issued.Grant, grant, issued, clock, issued.Expires) || !state.Codes.Add(issued.Code, new(grant, issued.Expires), issued, clock, issued.Expires))
            RefuteAsGiven(index, $"code {issued.Code} or its grant");
        // Its revocation ends what is remembered, however long ago its tokens have.
        if (consent?.RememberedUntil is { } until)
            state.Grants.Extend(issued.Grant, until);
    }

    public void Judge(long index, TokenIssued issued, long clock)
    {
        findings.Judged(Claim.C2);
        findings.Judged(Claim.C4);
        var refreshes = 0;
        var grant = issued.GrantType switch
        {
            "authorization_code" => Redeem(index, issued),
            "refresh_token" => Refresh(index, issued, out refreshes),
            _ => NoLineage(index, issued),
        };
        if (grant is null)
        {
            grant = state.Grants.Find(issued.Grant) ?? new() { Id = issued.Grant, Index = index, Client = issued.Client, Subject = issued.Subject, Audience = issued.Audience, Scopes = issued.Scopes };
            state.Grants.Add(issued.Grant, grant, issued, clock, issued.Expires);
        }
        else
        {
            RequireClient(index, issued.Client);
            if (grant != state.Grants.Find(issued.Grant) || grant.Client != issued.Client || grant.Subject != issued.Subject || (grant.Audience is not null && grant.Audience != issued.Audience))
                findings.Refute(Claim.C2, index, $"token {issued.Token} is for another client, user or resource than the grant of event {grant.Index}", grant.Index);
            if (grant.Scopes is { } allowed && !issued.Scopes.IsWithin(allowed))
                findings.Refute(Claim.C2, index, $"token {issued.Token} is good for more than was consented to before event {grant.Index}", grant.Index);
            if (grant.Revoked is { } revoked)
                findings.Refute(Claim.C2, index, $"token {issued.Token} was issued under a grant that event {revoked.Index} had revoked", revoked.Index);
            if (grant.Reused is { } reused && grant.Revoked is null)
                findings.Refute(Claim.C4, index, $"token {issued.Token} was issued after the reuse at event {reused}, under a grant that should have been revoked", reused);
        }
        var token = new AccessToken(index, grant, issued.Scopes, issued.Expires, refreshes) { Subject = issued.Subject, Client = issued.Client, Audience = issued.Audience };
        if (!state.Tokens.Add(issued.Token, token, issued, clock, issued.Expires))
            RefuteAsGiven(index, $"token {issued.Token}");
        state.Grants.Extend(issued.Grant, issued.Expires);
        if (issued is { RefreshToken: { } refresh, RefreshExpires: { } expires })
        {
            if (!state.RefreshTokens.Add(refresh, new(grant, expires, refreshes), issued, clock, expires))
                RefuteAsGiven(index, $"refresh token {refresh}");
            state.Grants.Extend(issued.Grant, expires);
        }
    }

    public void Judge(long index, TokenRepeated repeated)
    {
        findings.Judged(Claim.C4);
        if (state.RefreshTokens.Find(repeated.Presented) is not { } presented)
            findings.Refute(Claim.C4, index, $"refresh token {repeated.Presented}, which nobody was given, was answered again");
        else if (presented.UsedAt is not { } used)
            findings.Refute(Claim.C4, index, $"refresh token {repeated.Presented} was answered again, and had not been used");
        else if (presented.UsedTime is { } time && repeated.Time - time > Tolerances.RefreshGrace + Tolerances.Stamp)
            findings.Refute(Claim.C4, index, $"refresh token {repeated.Presented} was answered again {Seconds(repeated.Time - time)} s after its use at event {used}; the window is {Seconds(Tolerances.RefreshGrace)} s", used);
        else if (presented.Grant.Revoked is { } revoked)
            findings.Refute(Claim.C4, index, $"refresh token {repeated.Presented} was answered again after event {revoked.Index} had revoked its grant", revoked.Index);
    }

    public void Judge(long index, TokenRefused refused)
    {
        findings.Judged(Claim.C4);
        if (refused.Reason is Reason.CodeReused or Reason.RefreshReused && refused.Grant is { } id && state.Grants.Find(id) is { Revoked: null } grant)
            grant.Reused ??= index;
    }

    public void Judge(long index, TokenRevoked revoked, long clock)
    {
        var at = new Moment(index, clock);
        if (revoked.Token is { } single)
        {
            if (state.Tokens.Find(single) is { } token)
                token.Revoked ??= at;
        }
        else if (state.Grants.Find(revoked.Grant) is { } grant)
        {
            grant.Revoked ??= at;
            if (grant.Audience is { } audience)
                state.Remembered.Revoke(new(grant.Client, grant.Subject, audience), index);
        }
    }

    private Grant? Redeem(long index, TokenIssued issued)
    {
        if (!issued.Pkce)
            findings.Refute(Claim.C2, index, $"token {issued.Token} was issued for a code without a proof of PKCE");
        if (state.Codes.Find(issued.Parent) is not { } code)
        {
            findings.Refute(Claim.C2, index, $"token {issued.Token} was issued for code {issued.Parent}, which nobody was given, or which had long expired");
            return null;
        }
        if (code.RedeemedAt is { } redeemed)
            findings.Refute(Claim.C4, index, $"code {issued.Parent} was redeemed again, after event {redeemed}", redeemed);
        if (issued.Time > code.Expires + Tolerances.Stamp)
            findings.Refute(Claim.C2, index, $"code {issued.Parent} was redeemed {Seconds(issued.Time - code.Expires)} s after it had expired");
        code.RedeemedAt ??= index;
        return code.Grant;
    }

    private Grant? Refresh(long index, TokenIssued issued, out int refreshes)
    {
        refreshes = 0;
        if (state.RefreshTokens.Find(issued.Parent) is not { } presented)
        {
            findings.Refute(Claim.C2, index, $"token {issued.Token} was issued for refresh token {issued.Parent}, which nobody was given, or which had long expired");
            return null;
        }
        if (presented.UsedAt is { } used)
            findings.Refute(Claim.C4, index, $"refresh token {issued.Parent} was exchanged again, after event {used}", used);
        if (issued.Time > presented.Expires + Tolerances.Stamp)
            findings.Refute(Claim.C2, index, $"refresh token {issued.Parent} was exchanged {Seconds(issued.Time - presented.Expires)} s after it had expired");
        refreshes = presented.Refreshes + 1;
        presented.UsedAt ??= index;
        presented.UsedTime ??= issued.Time;
        return presented.Grant;
    }

    private Grant? NoLineage(long index, TokenIssued issued)
    {
        findings.Refute(Claim.C2, index, $"token {issued.Token} was issued for a grant of type {issued.GrantType}, which nothing in the log accounts for");
        return null;
    }

    private void RequireClient(long index, string client)
    {
        if (!state.Clients.ContainsKey(client))
            findings.Refute(Claim.C2, index, $"client {client} is not registered");
    }

    private void RefuteAsGiven(long index, string what) => findings.Refute(Claim.C2, index, $"{what} was given before");

    /// <summary>What does not stand before an event, although it has to. Soon after a beginning that is gone, it may have stood there.</summary>
    private void Lacks(long index, string what, long clock, TimeSpan horizon, bool canBeLost = true)
    {
        if (clock - _beganAt < horizon.TotalMilliseconds)
            findings.Miss(Claim.C2, index, $"{what} since the snapshot that the log is judged from");
        else if (canBeLost && clock - _killedAt < horizon.TotalMilliseconds)
            findings.Miss(Claim.C2, index, $"{what}, unless it was lost with the power before the newest start");
        else
            findings.Refute(Claim.C2, index, what);
    }

    private static string Seconds(TimeSpan span) => span.TotalSeconds.ToString("0", CultureInfo.InvariantCulture);
}
