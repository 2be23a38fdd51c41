using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Storage;

/// <summary>An account, as an operator sees it.</summary>
/// <param name="Name">By which it signs in, or what its provider called it last. Null where nothing is known.</param>
/// <param name="IsRemoved">Of a provider's account, nothing is left but who it was there, so that it does not come back by itself.</param>
/// <param name="Provider">The issuer of its identity provider; null for a local account.</param>
internal sealed record Account(
    string Subject, string? Name, bool IsOperator, DateTimeOffset? DisabledAt, bool IsRemoved, string? Provider, string? ProviderSubject);

/// <summary>Who may sign in: local accounts, on ASP.NET Core Identity, and accounts at identity providers.</summary>
internal sealed class Accounts(UserManager<User> users, SallyportDb db)
{
    /// <summary>What a password is compared with when there is no such user, so that both answers take as long.</summary>
    private static string? s_nobodysHash;

    /// <summary>Whether there is a local account.</summary>
    public Task<bool> AnyAsync(CancellationToken cancellationToken) => db.Users.AnyAsync(user => user.UserName != null, cancellationToken);

    /// <summary>Whether there is such an account, and it can sign in.</summary>
    public Task<bool> ExistsAsync(string subject, CancellationToken cancellationToken) =>
        db.Users.AnyAsync(user => user.Id == subject && user.DisabledAt == null, cancellationToken);

    /// <summary>Whether a sign-in of that time is not over.</summary>
    public Task<bool> IsSignedInAsync(string subject, DateTimeOffset since, CancellationToken cancellationToken) =>
        db.Users.AnyAsync(user => user.Id == subject && user.DisabledAt == null && (user.SignedOutAt == null || user.SignedOutAt < since), cancellationToken);

    /// <summary>Those that were removed come last.</summary>
    public async Task<List<Account>> AllAsync(CancellationToken cancellationToken)
    {
        var providers = await db.ProviderAccounts.AsNoTracking().ToDictionaryAsync(account => account.UserId, cancellationToken);
        var all = await db.Users.AsNoTracking().OrderBy(user => user.NormalizedUserName ?? user.DisplayName).ThenBy(user => user.Id).ToListAsync(cancellationToken);
        var present = all.ConvertAll(user =>
        {
            providers.Remove(user.Id, out var provider);
            return new Account(user.Id, user.UserName ?? user.DisplayName, user.IsOperator, user.DisabledAt, IsRemoved: false, provider?.Issuer, provider?.ProviderSubject);
        });
        return [.. present, .. providers.Values.OrderBy(account => account.UserId, StringComparer.Ordinal)
            .Select(account => new Account(account.UserId, null, IsOperator: false, DisabledAt: null, IsRemoved: true, account.Issuer, account.ProviderSubject))];
    }

    /// <summary>By name, which local accounts have, or by subject.</summary>
    public async Task<User?> FindAsync(string name) => await users.FindByNameAsync(name) ?? await users.FindByIdAsync(name);

    public Task<string?> NameOfAsync(string subject, CancellationToken cancellationToken) =>
        db.Users.Where(user => user.Id == subject && user.DisabledAt == null).Select(user => user.UserName ?? user.DisplayName).SingleOrDefaultAsync(cancellationToken);

    public Task<bool> IsOperatorAsync(string subject, CancellationToken cancellationToken) =>
        db.Users.AnyAsync(user => user.Id == subject && user.IsOperator && user.DisabledAt == null, cancellationToken);

    /// <summary>The user whose name and password these are, or null.</summary>
    public async Task<User?> VerifyAsync(string name, string password)
    {
        if (name.Length > Limits.UserNameLength || LengthOf(password) > Limits.PasswordMaxLength)
            return null;
        var user = await users.FindByNameAsync(name);
        var hash = user?.PasswordHash ?? (s_nobodysHash ??= users.PasswordHasher.HashPassword(new(), RandomId.New()));
        var matches = users.PasswordHasher.VerifyHashedPassword(user ?? new(), hash, password) != PasswordVerificationResult.Failed;
        return matches && user is { PasswordHash: not null, DisabledAt: null } ? user : null;
    }

    /// <summary>
    /// Adds a user, within a <see cref="StateTransaction"/>. Passwords have 8 to 256 characters and no rules of composition (NIST SP
    /// 800-63B §3.1.1).
    /// </summary>
    public async Task<(User? User, Reason? Fault)> AddAsync(string name, string password, bool isOperator)
    {
        if (!IsSuitablePassword(password))
            return (null, Reason.PasswordUnsuitable);
        if (name.Length is 0 or > Limits.UserNameLength)
            return (null, Reason.NameUnsuitable);
        var user = new User { Id = RandomId.New(), UserName = name, IsOperator = isOperator };
        var result = await users.CreateAsync(user, password);
        if (result.Succeeded)
            return (user, null);
        return result.Errors.Any(error => error.Code == nameof(IdentityErrorDescriber.DuplicateUserName))
            ? (null, Reason.NameTaken)
            : (null, Reason.NameUnsuitable);
    }

    public static bool IsSuitablePassword(string password) => LengthOf(password) is >= Limits.PasswordMinLength and <= Limits.PasswordMaxLength;

    /// <summary>Sign-ins end with it.</summary>
    public Task DisableAsync(User user, DateTimeOffset now)
    {
        user.DisabledAt = user.SignedOutAt = now;
        return db.SaveChangesAsync();
    }

    public Task EnableAsync(User user)
    {
        user.DisabledAt = null;
        return db.SaveChangesAsync();
    }

    /// <summary>That somebody at an identity provider was this user is kept: they do not come back by themselves.</summary>
    public Task RemoveAsync(User user)
    {
        db.Users.Remove(user);
        return db.SaveChangesAsync();
    }

    /// <summary>
    /// Lets in again who was removed and is known by an identity provider: under the same subject, with nothing of what it had. Null for
    /// anybody else.
    /// </summary>
    public async Task<User?> ReadmitAsync(string subject, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (!await db.ProviderAccounts.AnyAsync(account => account.UserId == subject, cancellationToken))
            return null;
        // The cookies of sign-ins before the removal may still be there.
        var user = new User { Id = subject, SignedOutAt = now };
        db.Users.Add(user);
        await db.SaveChangesAsync(cancellationToken);
        return user;
    }

    /// <summary>Ends all sign-ins, at every browser.</summary>
    public Task SignOutAsync(string subject, DateTimeOffset now, CancellationToken cancellationToken) =>
        db.Users.Where(user => user.Id == subject).ExecuteUpdateAsync(set => set.SetProperty(user => user.SignedOutAt, now), cancellationToken);

    /// <summary>Sets a suitable password; sign-ins end with the one before.</summary>
    public Task SetPasswordAsync(User user, string password, DateTimeOffset now)
    {
        user.SignedOutAt = now;
        user.PasswordHash = users.PasswordHasher.HashPassword(user, password);
        return db.SaveChangesAsync();
    }

    /// <summary>
    /// The user that somebody at an identity provider is, within a <see cref="StateTransaction"/>; a new one at their first sign-in. Null
    /// for one who was removed or disabled here.
    /// </summary>
    public async Task<User?> OfProviderAsync(string issuer, string providerSubject, string displayName, CancellationToken cancellationToken)
    {
        if (await db.ProviderAccounts.FindAsync([issuer, providerSubject], cancellationToken) is { } account)
        {
            var known = await db.Users.SingleOrDefaultAsync(user => user.Id == account.UserId, cancellationToken);
            if (known is not { DisabledAt: null })
                return null;
            known.DisplayName = displayName;
            await db.SaveChangesAsync(cancellationToken);
            return known;
        }
        var user = new User { Id = RandomId.New(), DisplayName = displayName };
        db.Users.Add(user);
        db.ProviderAccounts.Add(new() { Issuer = issuer, ProviderSubject = providerSubject, UserId = user.Id });
        await db.SaveChangesAsync(cancellationToken);
        return user;
    }

    /// <summary>Characters as people count them: code points, not UTF-16 units.</summary>
    private static int LengthOf(string password)
    {
        var length = 0;
        foreach (var _ in password.EnumerateRunes())
            length++;
        return length;
    }
}
