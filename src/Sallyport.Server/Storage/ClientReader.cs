using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Data.Sqlite;

namespace Sallyport.Server.Storage;

/// <summary>Reads the client that calls, in plain SQL: each request to the token endpoint does (docs/decisions/0035).</summary>
internal sealed class ClientReader(ReadConnections connections)
{
    /// <summary>What authenticates it and what it may do; null where there is none, or none any more.</summary>
    public Client? Find(string id) =>
        connections.Find(
            """
            SELECT "Id", "Name", "AuthMethod", "SecretHash", "RedirectUris", "GrantTypes", "CreatedAt", "AddedByOperator", "DisabledAt"
            FROM "Clients" WHERE "Id" = @0 AND "RemovedAt" IS NULL
            """,
            Read,
            id);

    private static Client Read(SqliteDataReader row) => new()
    {
        Id = row.GetString(0),
        Name = row.IsDBNull(1) ? null : row.GetString(1),
        AuthMethod = row.GetString(2),
        SecretHash = row.IsDBNull(3) ? null : row.GetString(3),
        RedirectUris = Strings(row, 4),
        GrantTypes = Strings(row, 5),
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(6)),
        AddedByOperator = row.GetBoolean(7),
        DisabledAt = row.IsDBNull(8) ? null : DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(8)),
    };

    /// <summary>As the model stores lists.</summary>
    private static List<string> Strings(SqliteDataReader row, int column) =>
        JsonSerializer.Deserialize(row.GetString(column), ClientJson.Default.ListString) ?? [];
}

[JsonSerializable(typeof(List<string>))]
internal sealed partial class ClientJson : JsonSerializerContext;
