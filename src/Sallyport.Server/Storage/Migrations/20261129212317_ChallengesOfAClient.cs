using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Sallyport.Server.Storage.Migrations
{
    /// <inheritdoc />
    public partial class ChallengesOfAClient : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_Grants_ClientId",
                table: "Grants");

            migrationBuilder.DropIndex(
                name: "IX_Grants_CodeChallenge",
                table: "Grants");

            migrationBuilder.CreateIndex(
                name: "IX_Grants_ClientId_CodeChallenge",
                table: "Grants",
                columns: new[] { "ClientId", "CodeChallenge" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_Grants_ClientId_CodeChallenge",
                table: "Grants");

            migrationBuilder.CreateIndex(
                name: "IX_Grants_ClientId",
                table: "Grants",
                column: "ClientId");

            migrationBuilder.CreateIndex(
                name: "IX_Grants_CodeChallenge",
                table: "Grants",
                column: "CodeChallenge");
        }
    }
}
