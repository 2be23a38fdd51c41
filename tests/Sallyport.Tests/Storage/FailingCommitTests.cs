using System.Net.Http.Json;
using Microsoft.Data.Sqlite;

namespace Sallyport.Tests.Storage;

/// <summary>A database that does all that a change asks for, and then does not commit it.</summary>
public class FailingCommitTests
{
    /// <summary>A reference to a row that there is not, which SQLite looks for when it commits and no sooner.</summary>
    private const string Trap = """
        CREATE TABLE "Nothing" ("Id" INTEGER PRIMARY KEY);
        CREATE TABLE "Trap" ("Nothing" INTEGER REFERENCES "Nothing" ("Id") DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER "Spring" AFTER INSERT ON "Outbox" BEGIN INSERT INTO "Trap" VALUES (1); END
        """;

    [Fact]
    public async Task STORE_02_A_commit_that_fails_gives_no_token_and_leaves_all_as_it_was()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var tokens = await client.TokensAsync();
        var code = await client.CodeAsync();

        await ExecuteAsync(gate, Trap);
        HttpResponseMessage[] failed = [await client.RefreshAsync(tokens.RefreshToken!), await client.ExchangeAsync(code), await client.RevokeAsync(tokens.RefreshToken!), await RegisterAsync(gate)];
        await ExecuteAsync(gate, """DROP TRIGGER "Spring" """);

        foreach (var response in failed)
        {
            Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
            Assert.Equal("server_error", await response.ErrorAsync());
            Assert.DoesNotMatch("sp_|client_id|_token", await response.TextAsync());
            Assert.Equal(Reason.Fault, gate.EventOf<AccessRefused>(response).Reason);
        }
        Assert.Single(gate.Events<TokenIssued>());
        Assert.Single(gate.Events<ClientRegistered>());
        // Neither used nor revoked.
        await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));
        await TestClient.ReadAsync(await client.ExchangeAsync(code));
        Assert.Equal(HttpStatusCode.Created, (await RegisterAsync(gate)).StatusCode);
    }

    private static Task<HttpResponseMessage> RegisterAsync(TestGate gate) =>
        gate.Http.PostAsJsonAsync("/register", new { redirect_uris = new[] { TestClient.RedirectUri }, token_endpoint_auth_method = "none", client_name = "Another" }, TestContext.Current.CancellationToken);

    private static async Task ExecuteAsync(TestGate gate, string sql)
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(gate.Data, "sallyport.db")};Pooling=False");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }
}
