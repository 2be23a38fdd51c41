namespace Sallyport.Tests.Authorization.Model;

/// <summary>What a user allowed a client, with the code that came of it.</summary>
internal sealed record ModelGrant(string Client, IReadOnlyList<string> Scopes, DateTimeOffset Since)
{
    public bool IsCodeUsed { get; set; }
    public bool IsRevoked { get; set; }
}

internal sealed record ModelAccessToken(ModelGrant Grant, IReadOnlyList<string> Scopes, DateTimeOffset Since)
{
    public bool IsRevoked { get; set; }
}

internal sealed record ModelRefreshToken(ModelGrant Grant, DateTimeOffset Since)
{
    public DateTimeOffset? UsedAt { get; set; }
}

/// <summary>
/// What the authorization server has to do, without HTTP, storage and secrets: written from OAuth 2.1 and the documentation, not from the
/// code. Each act changes the model and gives the reason of its refusal, or null.
/// </summary>
internal static class ServerModel
{
    private static readonly TimeSpan s_code = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_access = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_idle = TimeSpan.FromDays(30);
    private static readonly TimeSpan s_family = TimeSpan.FromDays(180);
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(30);

    /// <summary>A wrong attempt by the code's own client uses it up; another client's does not.</summary>
    public static Reason? Redeem(ModelGrant grant, string client, bool hasVerifier, bool hasRedirect, DateTimeOffset now)
    {
        if (client != grant.Client)
            return Reason.CodeOfAnotherClient;
        if (grant.IsCodeUsed)
        {
            grant.IsRevoked = true;
            return Reason.CodeReused;
        }
        grant.IsCodeUsed = true;
        if (now - grant.Since >= s_code)
            return Reason.CodeExpired;
        if (!hasVerifier)
            return Reason.PkceWrong;
        return hasRedirect ? null : Reason.RedirectChanged;
    }

    /// <param name="asked">The scopes that are known of those asked for; null where the parameter is malformed.</param>
    /// <param name="repeats">Whether the answer is the one that was given before.</param>
    public static Reason? Refresh(ModelRefreshToken token, string client, IReadOnlyList<string>? asked, DateTimeOffset now, out bool repeats)
    {
        repeats = false;
        if (client != token.Grant.Client)
            return Reason.RefreshOfAnotherClient;
        if (token.Grant.IsRevoked)
            return Reason.GrantRevoked;
        if (token.UsedAt is { } used)
        {
            repeats = now - used <= s_grace;
            token.Grant.IsRevoked = !repeats;
            return repeats ? null : Reason.RefreshReused;
        }
        if (now - token.Since >= s_idle || now - token.Grant.Since >= s_family)
            return Reason.RefreshExpired;
        if (asked is null)
            return Reason.ScopeMalformed;
        if (asked.Except(token.Grant.Scopes).Any())
            return Reason.ScopeExceeded;
        token.UsedAt = now;
        return null;
    }

    public static Reason? Use(ModelAccessToken token, DateTimeOffset now)
    {
        if (token.IsRevoked || token.Grant.IsRevoked)
            return Reason.TokenRevoked;
        if (now - token.Since >= s_access)
            return Reason.TokenExpired;
        return token.Scopes.Contains("mcp") ? null : Reason.ScopeInsufficient;
    }

    public static void Revoke(ModelAccessToken token, string client) => token.IsRevoked |= client == token.Grant.Client;

    public static void Revoke(ModelRefreshToken token, string client) => token.Grant.IsRevoked |= client == token.Grant.Client;
}
