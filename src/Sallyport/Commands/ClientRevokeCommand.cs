using System.CommandLine;
using Sallyport.Control;
using Sallyport.Log;
using Sallyport.Proof;

namespace Sallyport.Commands;

/// <summary><c>client revoke ID</c>: the client is no more, nor all that users have allowed it; open streams included.</summary>
internal static class ClientRevokeCommand
{
    private static readonly Argument<string> s_client = new("CLIENT") { Description = "The client's id" };

    public static Command Create()
    {
        var command = new Command("revoke", "Remove a client, and end all that users have allowed it. Prints its id") { s_client, CommandLine.Json, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var client = parsed.GetValue(s_client)!;
        if (!(await Operator.Of(parsed).DoAsync(ControlActs.RevokeClient, new(client), cancellationToken)).Done)
            throw ClientShowCommand.Unknown(client);
        Console.Error.WriteLine($"Client {client.ToPrintable()} is no more, and what users had allowed it has ended.");
        Console.Error.WriteLine("  Where clients may register, it can come again with a new id: users are asked anew then.");
        Listing.Write(parsed, new(client), ListingJson.Default.RevokedClient, client);
        return (int)ExitCode.Success;
    }
}
