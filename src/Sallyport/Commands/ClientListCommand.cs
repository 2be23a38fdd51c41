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
        var clients = found.Select(ListedClient.Of).ToList();
        if (parsed.GetValue(CommandLine.Json))
            clients.ForEach(client => Listing.WriteJson(client, ListingJson.Default.ListedClient));
        else
            Listing.WriteTable(["CLIENT", "KIND", "CAME BY", "SINCE", "NAME (UNVERIFIED)"], clients.Select(client => (string[])
                [client.ClientId, client.Kind, client.Origin, Listing.Time(client.CreatedAt), client.ClientName ?? "-"]));
        if (clients.Count == 0)
            Console.Error.WriteLine("There is no client.");
        return (int)ExitCode.Success;
    }
}
