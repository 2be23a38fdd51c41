using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Sallyport.Server.Storage.Migrations
{
    /// <summary>By hand: the rebuild that would be generated is several transactions, and a kill between them leaves what no start could mend.</summary>
    public partial class RefreshTokensByHash : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            Rebuild(migrationBuilder, key: "Hash");

            migrationBuilder.CreateIndex(
                name: "IX_RefreshTokens_UsedAt",
                table: "RefreshTokens",
                column: "UsedAt",
                filter: "\"SealedSuccessor\" IS NOT NULL");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            Rebuild(migrationBuilder, key: "Id");

            migrationBuilder.CreateIndex(
                name: "IX_RefreshTokens_Hash",
                table: "RefreshTokens",
                column: "Hash",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_RefreshTokens_UsedAt",
                table: "RefreshTokens",
                column: "UsedAt");
        }

        private static void Rebuild(MigrationBuilder migrationBuilder, string key)
        {
            migrationBuilder.Sql(
                $"""
                CREATE TABLE "RefreshTokens_" (
                    "Id" TEXT NOT NULL,
                    "Hash" TEXT NOT NULL,
                    "GrantId" TEXT NOT NULL,
                    "ExpiresAt" INTEGER NOT NULL,
                    "UsedAt" INTEGER NULL,
                    "SealedSuccessor" BLOB NULL,
                    CONSTRAINT "PK_RefreshTokens" PRIMARY KEY ("{key}"),
                    CONSTRAINT "FK_RefreshTokens_Grants_GrantId" FOREIGN KEY ("GrantId") REFERENCES "Grants" ("Id") ON DELETE CASCADE
                );
                INSERT INTO "RefreshTokens_" SELECT "Id", "Hash", "GrantId", "ExpiresAt", "UsedAt", "SealedSuccessor" FROM "RefreshTokens";
                DROP TABLE "RefreshTokens";
                ALTER TABLE "RefreshTokens_" RENAME TO "RefreshTokens";
                """);

            migrationBuilder.CreateIndex(
                name: "IX_RefreshTokens_GrantId",
                table: "RefreshTokens",
                column: "GrantId");
        }
    }
}
