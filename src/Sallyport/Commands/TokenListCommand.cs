using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Control;
using Sallyport.Server.Operation;

namespace Sallyport.Commands;

/// <summary><c>token list</c>: the families of tokens that live, the newest first; never a token. It only reads.</summary>
internal static class TokenListCommand
{
    private static readonly Option<string?> s_user = new("--user") { Description = "Only those of this user", HelpName = "NAME|SUBJECT" };
    private static readonly Option<string?> s_client = new("--client") { Description = "Only those of this client", HelpName = "ID" };

    public static Command Create()
    {
        var command = new Command("list", "Show what lives: each grant of a user to a client, with all its tokens") { s_user, s_client, CommandLine.Json, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (user, client) = (parsed.GetValue(s_user), parsed.GetValue(s_client));
        var found = await Operator.Of(parsed).ReadAsync(services => services.GetRequiredService<GrantActs>().ListAsync(user, client, cancellationToken), cancellationToken)
            ?? throw UserChangeCommand.Unknown(user!);
        Listing.WriteAll(parsed, [.. found.Select(ListedGrant.Of)], ListingJson.Default.ListedGrant,
            ["GRANT", "ISSUED", "LAST USED", "EXPIRES", "REMEMBERED UNTIL", "USER", "RESOURCE", "SCOPES", "CLIENT", "ITS NAME (UNVERIFIED)"],
            grant =>
            [
                grant.Grant, Listing.Time(grant.IssuedAt), Listing.Time(grant.LastUsedAt), Listing.Time(grant.ExpiresAt), Listing.Time(grant.RememberedUntil),
                grant.UserName ?? grant.Subject, grant.Resource, grant.Scope, grant.ClientId, grant.ClientName ?? "-",
            ],
            "Nothing lives that was granted.");
        return (int)ExitCode.Success;
    }
}
