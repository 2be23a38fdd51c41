using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Sallyport.Server.Storage.Migrations
{
    /// <inheritdoc />
    public partial class Registrations : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<bool>(
                name: "AddedByOperator",
                table: "Clients",
                type: "INTEGER",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<string>(
                name: "MetadataKey",
                table: "Clients",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "RegistrationTokenHash",
                table: "Clients",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "RemovedAt",
                table: "Clients",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "RepeatedAt",
                table: "Clients",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "DisabledAt",
                table: "AspNetUsers",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "SignedOutAt",
                table: "AspNetUsers",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.CreateIndex(
                name: "IX_Clients_MetadataKey",
                table: "Clients",
                column: "MetadataKey",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_Clients_RegistrationTokenHash",
                table: "Clients",
                column: "RegistrationTokenHash",
                unique: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_Clients_MetadataKey",
                table: "Clients");

            migrationBuilder.DropIndex(
                name: "IX_Clients_RegistrationTokenHash",
                table: "Clients");

            migrationBuilder.DropColumn(
                name: "AddedByOperator",
                table: "Clients");

            migrationBuilder.DropColumn(
                name: "MetadataKey",
                table: "Clients");

            migrationBuilder.DropColumn(
                name: "RegistrationTokenHash",
                table: "Clients");

            migrationBuilder.DropColumn(
                name: "RemovedAt",
                table: "Clients");

            migrationBuilder.DropColumn(
                name: "RepeatedAt",
                table: "Clients");

            migrationBuilder.DropColumn(
                name: "DisabledAt",
                table: "AspNetUsers");

            migrationBuilder.DropColumn(
                name: "SignedOutAt",
                table: "AspNetUsers");
        }
    }
}
