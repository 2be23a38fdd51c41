using Microsoft.AspNetCore.Identity.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Sallyport.Server.Storage;

/// <summary>The stored state, ASP.NET Core Identity's tables among it.</summary>
internal sealed class SallyportDb(DbContextOptions<SallyportDb> options) : IdentityUserContext<User>(options)
{
    public DbSet<Client> Clients => Set<Client>();
    public DbSet<ProviderAccount> ProviderAccounts => Set<ProviderAccount>();
    public DbSet<ProviderSignIn> ProviderSignIns => Set<ProviderSignIn>();
    public DbSet<Grant> Grants => Set<Grant>();
    public DbSet<AccessToken> AccessTokens => Set<AccessToken>();
    public DbSet<RefreshToken> RefreshTokens => Set<RefreshToken>();
    public DbSet<WitnessedLog> WitnessedLogs => Set<WitnessedLog>();
    public DbSet<OutboxRow> Outbox => Set<OutboxRow>();

    protected override void OnModelCreating(ModelBuilder builder)
    {
        base.OnModelCreating(builder);
        builder.Entity<Client>(client =>
        {
            client.HasKey(c => c.Id);
            client.HasIndex(c => c.MetadataKey).IsUnique();
            client.HasIndex(c => c.RegistrationTokenHash).IsUnique();
        });
        builder.Entity<ProviderAccount>().HasKey(account => new { account.Issuer, account.ProviderSubject });
        builder.Entity<ProviderSignIn>(signIn =>
        {
            signIn.HasKey(s => s.Id);
            signIn.HasIndex(s => s.StateHash).IsUnique();
            signIn.HasIndex(s => s.ExpiresAt);
        });
        builder.Entity<Grant>(grant =>
        {
            grant.HasKey(g => g.Id);
            grant.HasIndex(g => g.CodeHash).IsUnique();
            grant.HasIndex(g => g.TransactionId).IsUnique();
            grant.HasOne<Client>().WithMany().HasForeignKey(g => g.ClientId);
            grant.HasIndex(g => new { g.Subject, g.RememberedUntil });
            // One index, and not one for each: SQLite may take the client's, which has a row for each of its users.
            grant.HasIndex(g => new { g.ClientId, g.CodeChallenge });
        });
        builder.Entity<AccessToken>(token =>
        {
            token.HasKey(t => t.Id);
            token.HasOne(t => t.Grant).WithMany().HasForeignKey(t => t.GrantId);
        });
        builder.Entity<RefreshToken>(token =>
        {
            // Sought by its hash alone, and written for each refresh: an index more is a page more to write.
            token.HasKey(t => t.Hash);
            token.Property(t => t.Id).IsRequired();
            token.HasIndex(t => t.UsedAt).HasFilter("\"SealedSuccessor\" IS NOT NULL");
            token.HasOne(t => t.Grant).WithMany().HasForeignKey(t => t.GrantId);
        });
        builder.Entity<WitnessedLog>(log =>
        {
            log.HasKey(l => l.Origin);
            log.HasIndex(l => l.OriginHash).IsUnique();
        });
        builder.Entity<OutboxRow>().HasKey(row => row.Id);
    }

    /// <summary>Times are stored as milliseconds since 1970 UTC: every engine orders them alike.</summary>
    protected override void ConfigureConventions(ModelConfigurationBuilder builder) =>
        builder.Properties<DateTimeOffset>().HaveConversion<UnixMilliseconds>();

    private sealed class UnixMilliseconds() : ValueConverter<DateTimeOffset, long>(
        time => time.ToUnixTimeMilliseconds(),
        milliseconds => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds));
}
