using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Sallyport.Server.Storage.Migrations
{
    /// <inheritdoc />
    public partial class RememberedConsents : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_Grants_Subject",
                table: "Grants");

            migrationBuilder.AddColumn<long>(
                name: "RememberedUntil",
                table: "Grants",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.CreateIndex(
                name: "IX_Grants_Subject_RememberedUntil",
                table: "Grants",
                columns: new[] { "Subject", "RememberedUntil" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_Grants_Subject_RememberedUntil",
                table: "Grants");

            migrationBuilder.DropColumn(
                name: "RememberedUntil",
                table: "Grants");

            migrationBuilder.CreateIndex(
                name: "IX_Grants_Subject",
                table: "Grants",
                column: "Subject");
        }
    }
}
