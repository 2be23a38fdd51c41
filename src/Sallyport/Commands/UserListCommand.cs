using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Control;
using Sallyport.Server.Operation;

namespace Sallyport.Commands;

/// <summary><c>user list</c>: also those of identity providers, and those of them who were removed. It only reads.</summary>
internal static class UserListCommand
{
    public static Command Create()
    {
        var command = new Command("list", "Show the users") { CommandLine.Json, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var accounts = await Operator.Of(parsed)
            .ReadAsync(services => services.GetRequiredService<UserActs>().ListAsync(cancellationToken), cancellationToken);
        Listing.WriteAll(parsed, [.. accounts.Select(ListedUser.Of)], ListingJson.Default.ListedUser,
            ["SUBJECT", "STATE", "OPERATOR", "NAME", "PROVIDER"],
            user => [user.Subject, user.State, user.Operator ? "yes" : "no", user.Name ?? "-", user.Provider is null ? "" : $"{user.Provider} ({user.ProviderSubject})"],
            "There is no user. 'sallyport user add NAME' adds one.");
        return (int)ExitCode.Success;
    }
}
