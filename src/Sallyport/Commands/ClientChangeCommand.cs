using System.CommandLine;
using Sallyport.Control;
using Sallyport.Log;
using Sallyport.Proof;

namespace Sallyport.Commands;

/// <summary><c>client revoke</c>, <c>client disable</c> and <c>client enable</c>: in force when they return, open streams included.</summary>
internal static class ClientChangeCommand
{
    private static readonly Argument<string> s_client = new("CLIENT") { Description = "The client's id" };

    public static Command Revoke() => Create(
        "revoke", "Remove a client, and end all that users have allowed it",
        ControlActs.RevokeClient, "is no more, and what users had allowed it has ended.\n  Where clients may register, it can come again with a new id: users are asked anew then. 'client disable' keeps it out");

    public static Command Disable() => Create(
        "disable", "Let nobody in through a client, also where a public one registers the same again, and end all that users have allowed it",
        ControlActs.DisableClient, "lets nobody in any more, and what users had allowed it has ended");

    public static Command Enable() => Create(
        "enable", "Let users in again through a client that was disabled",
        ControlActs.EnableClient, "can be used again. What had ended stays so");

    private static Command Create(string name, string description, ControlAct<ClientRequest, ClientResponse> act, string done)
    {
        var command = new Command(name, $"{description}. Prints its id") { s_client, CommandLine.Json, CommandLine.Data };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var client = parsed.GetValue(s_client)!;
            if (!(await Operator.Of(parsed).DoAsync(act, new(client), cancellationToken)).Done)
                throw ClientShowCommand.Unknown(client);
            Console.Error.WriteLine($"Client {client.ToPrintable()} {done}.");
            Listing.Write(parsed, new(client), ListingJson.Default.ActedClient, client);
            return (int)ExitCode.Success;
        });
        return command;
    }
}
