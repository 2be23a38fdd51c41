using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Control;
using Sallyport.Server.Operation;

namespace Sallyport.Commands;

/// <summary><c>client list</c>: the newest first. It only reads.</summary>
internal static class ClientListCommand
{
    public static Command Create()
    {
        var command = new Command("list", "Show the clients: those that registered, and those that were added") { CommandLine.Json, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var found = await Operator.Of(parsed).ReadAsync(services => services.GetRequiredService<ClientActs>().ListAsync(cancellationToken), cancellationToken);
        Listing.WriteAll(parsed, [.. found.Select(ListedClient.Of)], ListingJson.Default.ListedClient,
            ["CLIENT", "KIND", "STATE", "CAME BY", "SINCE", "NAME (UNVERIFIED)"],
            client => [client.ClientId, client.Kind, client.State, client.Origin, Listing.Time(client.CreatedAt), client.ClientName ?? "-"],
            "There is no client.");
        return (int)ExitCode.Success;
    }
}
