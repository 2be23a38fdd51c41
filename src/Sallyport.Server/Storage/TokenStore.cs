using Microsoft.Data.Sqlite;

namespace Sallyport.Server.Storage;

/// <summary>
/// What the token endpoint reads and changes, in plain SQL: at eight statements to a token, building them anew each time took most of
/// its time. Used within <see cref="StateTransaction.RunPlainAsync"/> only. What may happen once happens by one conditional update
/// that affects exactly one row.
/// </summary>
internal sealed class TokenStore(StateConnection connection)
{
    private const string GrantColumns = """
        g."Id", g."ClientId", g."Subject", g."Audience", g."Scope", g."ConsentId", g."TransactionId", g."CreatedAt", g."RevokedAt",
        g."CodeId", g."CodeHash", g."CodeExpiresAt", g."CodeRedeemedAt", g."RedirectUri", g."CodeChallenge"
        """;

    private const int GrantColumnCount = 15;

    public Grant? FindByCode(string codeHash) =>
        connection.Find($"""SELECT {GrantColumns} FROM "Grants" g WHERE g."CodeHash" = @0""", ReadGrant, codeHash);

    /// <summary>With its grant.</summary>
    public RefreshToken? FindRefreshToken(string hash) =>
        connection.Find(
            $"""
            SELECT {GrantColumns}, r."Id", r."Hash", r."ExpiresAt", r."UsedAt", r."SealedSuccessor"
            FROM "RefreshTokens" r JOIN "Grants" g ON g."Id" = r."GrantId" WHERE r."Hash" = @0
            """,
            ReadRefreshToken,
            hash);

    public bool UserExists(string subject) =>
        connection.Find("""SELECT "Id" FROM "AspNetUsers" WHERE "Id" = @0 AND "DisabledAt" IS NULL""", row => row.GetString(0), subject) is not null;

    /// <summary>True for the one call that redeems the code.</summary>
    public bool RedeemCode(string grantId, DateTimeOffset now) =>
        connection.Execute("""UPDATE "Grants" SET "CodeRedeemedAt" = @1 WHERE "Id" = @0 AND "CodeRedeemedAt" IS NULL""", grantId, Stored(now)) == 1;

    /// <summary>True for the one call that uses the refresh token; the answer that it gave is kept, sealed, for the grace window.</summary>
    public bool UseRefreshToken(string hash, byte[] sealedSuccessor, DateTimeOffset now) =>
        connection.Execute(
            """UPDATE "RefreshTokens" SET "UsedAt" = @1, "SealedSuccessor" = @2 WHERE "Hash" = @0 AND "UsedAt" IS NULL""",
            hash, Stored(now), sealedSuccessor) == 1;

    public void Add(AccessToken token) =>
        connection.Execute(
            """INSERT INTO "AccessTokens" ("Id", "GrantId", "Scope", "ExpiresAt") VALUES (@0, @1, @2, @3)""",
            token.Id, token.GrantId, token.Scope, Stored(token.ExpiresAt));

    public void Add(RefreshToken token) =>
        connection.Execute(
            """INSERT INTO "RefreshTokens" ("Id", "Hash", "GrantId", "ExpiresAt") VALUES (@0, @1, @2, @3)""",
            token.Id, token.Hash, token.GrantId, Stored(token.ExpiresAt));

    /// <summary>
    /// Ends the grant and all that descends from it, and what is remembered of the same client, user and resource. True for the one call
    /// that did.
    /// </summary>
    public bool Revoke(string grantId, DateTimeOffset now)
    {
        if (connection.Execute("""UPDATE "Grants" SET "RevokedAt" = @1 WHERE "Id" = @0 AND "RevokedAt" IS NULL""", grantId, Stored(now)) != 1)
            return false;
        connection.Execute(
            """
            UPDATE "Grants" SET "RememberedUntil" = NULL
            WHERE "RememberedUntil" IS NOT NULL AND ("Subject", "ClientId", "Audience") = (SELECT "Subject", "ClientId", "Audience" FROM "Grants" WHERE "Id" = @0)
            """,
            grantId);
        return true;
    }

    private static Grant ReadGrant(SqliteDataReader row) => new()
    {
        Id = row.GetString(0),
        ClientId = row.GetString(1),
        Subject = row.GetString(2),
        Audience = row.GetString(3),
        Scope = row.GetString(4),
        ConsentId = row.GetString(5),
        TransactionId = row.GetString(6),
        CreatedAt = Time(row, 7),
        RevokedAt = MaybeTime(row, 8),
        CodeId = row.GetString(9),
        CodeHash = row.GetString(10),
        CodeExpiresAt = Time(row, 11),
        CodeRedeemedAt = MaybeTime(row, 12),
        RedirectUri = row.GetString(13),
        CodeChallenge = row.GetString(14),
    };

    private static RefreshToken ReadRefreshToken(SqliteDataReader row)
    {
        var grant = ReadGrant(row);
        return new()
        {
            Id = row.GetString(GrantColumnCount),
            Hash = row.GetString(GrantColumnCount + 1),
            GrantId = grant.Id,
            ExpiresAt = Time(row, GrantColumnCount + 2),
            UsedAt = MaybeTime(row, GrantColumnCount + 3),
            SealedSuccessor = row.IsDBNull(GrantColumnCount + 4) ? null : row.GetFieldValue<byte[]>(GrantColumnCount + 4),
            Grant = grant,
        };
    }

    /// <summary>As <see cref="SallyportDb"/> stores times.</summary>
    private static object Stored(DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    private static DateTimeOffset Time(SqliteDataReader row, int column) => DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(column));

    private static DateTimeOffset? MaybeTime(SqliteDataReader row, int column) => row.IsDBNull(column) ? null : Time(row, column);
}
